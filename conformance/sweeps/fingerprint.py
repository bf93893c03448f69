"""Which code a proof holds for: the files of the backend, of the reference and of the judge."""

import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import qparity

from ..operations import public_operations

__all__ = ["code_fingerprint"]

_JUDGE = ("reference", "backends", "conformance")
_READ_AT_MOST = 64 << 20
_OF_LIBRARIES = ("site-packages", "dist-packages")
_STANDARD = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
_CODE = (
    *(".py", ".pyx", ".so", ".pyd", ".dll", ".dylib", ".c", ".cc", ".cpp", ".cu"),
    *(".h", ".hpp", ".cuh", ".ptx", ".cubin", ".hsaco"),
)


def code_fingerprint(backend: object) -> str:
    """A digest of the code that answers.

    Covered are all files of the top-level packages (or the one file) that hold the functions of
    ``backend``, and those of qparity; every module that is loaded, extensions too, and the code
    beside it, by content. Of Python's own modules and of installed libraries, the versions are
    covered. Files beyond the first 64 megabytes are known by size and time of change.
    """
    digest = hashlib.sha256(repr([sys.version, *_versions()]).encode())
    files = {path for root in _roots(backend) for path in _files(root)}
    left = _READ_AT_MOST
    for path in sorted(files | set(_loaded())):
        status = path.stat()
        digest.update(f"{path}:{status.st_size}:".encode())
        left -= status.st_size
        if left < 0:
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


def _loaded() -> Iterator[Path]:
    """The files of loaded modules, and the code in their folders, which they may load later."""
    named = {getattr(module, "__dict__", {}).get("__file__") for module in [*sys.modules.values()]}
    files = {Path(name).resolve() for name in named if isinstance(name, str)}
    own = {path for path in files if path.is_file() and not _is_of_library(path)}
    yield from own
    for folder in {path.parent for path in own}:
        yield from (p for p in folder.iterdir() if p.suffix in _CODE and p.is_file())


def _is_of_library(path: Path) -> bool:
    """Whether a file comes with Python, or was installed."""
    installed = any(part in _OF_LIBRARIES for part in path.parts)
    return installed or not _STANDARD.isdisjoint(path.parents)


def _versions() -> list[str]:
    """The libraries that are installed, each with its version."""
    return sorted(f"{found.name} {found.version}" for found in distributions())
