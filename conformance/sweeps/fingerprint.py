"""Which code a proof holds for: the files of the backend, of the reference and of the judge."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import qparity

from ..operations import public_operations

__all__ = ["code_fingerprint"]

_JUDGE = ("reference", "backends", "conformance")
_READ_WHOLE = 1 << 20


def code_fingerprint(backend: object) -> str:
    """A digest of the code that answers: it changes with any file beside the backend's functions.

    Covered are all files of the top-level packages (or the one file) that hold the functions of
    ``backend``, and those of qparity; files beyond a megabyte by size and time of change. What
    they call elsewhere is known by version only, see ``environment``.
    """
    digest = hashlib.sha256()
    for root in sorted(_roots(backend)):
        for path in _files(root):
            status = path.stat()
            digest.update(f"{path}:{status.st_size}:".encode())
            if status.st_size > _READ_WHOLE:
                digest.update(str(status.st_mtime_ns).encode())
            else:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _roots(backend: object) -> set[Path]:
    package = Path(next(iter(qparity.__path__)))
    roots = {(package / folder).resolve() for folder in _JUDGE}
    answering = [getattr(backend, op, None) for op in public_operations()]
    for thing in (backend, type(backend), *answering):
        name = getattr(thing, "__module__", None) or getattr(thing, "__name__", "")
        module = sys.modules.get(str(name).partition(".")[0])
        if module is not None and module is not qparity:
            files = getattr(module, "__path__", None) or [getattr(module, "__file__", None)]
            roots |= {Path(file).resolve() for file in files if file is not None}
    return roots


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
