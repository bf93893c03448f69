"""A folder that is there as a whole or not at all, whatever ends the process that writes it."""

import ctypes
import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..checkpoint import CheckpointError, open_checkpoint

if sys.platform != "win32":
    import fcntl

__all__ = ["check_destination", "whole_folder"]

_AT_FDCWD = -100
_EXCHANGE = 2
_STALE = 60


def check_destination(out: Path, force: bool) -> None:
    """Say before the work whether a folder can be written.

    Raises:
        ValueError: if its parent is no folder, or something is there already: anything at all
            without ``force``, with it anything that is no compressed checkpoint.
    """
    if not out.parent.is_dir():
        raise ValueError(f"{out}: cannot be written; allowed: a folder within an existing one")
    if not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir())):
        return
    if not force:
        raise ValueError(f"{out}: exists; allowed: a new folder, or --force")
    try:
        config = open_checkpoint(out).config or {}
    except CheckpointError:
        config = {}
    if not (out.is_dir() and "quantization_config" in config):
        raise ValueError(f"{out}: exists; --force replaces a compressed checkpoint, nothing else")


@contextmanager
def whole_folder(out: Path, force: bool) -> Iterator[Path]:
    """A folder beside ``out`` to be filled; at the end it takes its place in one step.

    At any moment ``out`` is what it was or what was written, all of it on the disk. If the block
    raises, nothing is left; what a killed process leaves is removed by the next one.

    Raises:
        ValueError: as ``check_destination``, at the end too.
        OSError: if something cannot be written, or the file system cannot exchange two folders.
    """
    out = Path(os.path.realpath(out))
    check_destination(out, force)
    _remove_stale(out)
    folder = out.with_name(f".{out.name}.{secrets.token_hex(8)}.tmp")
    folder.mkdir()
    lock = _locked(folder)
    try:
        yield folder
        for path in (*folder.iterdir(), folder):
            _sync(path)
        check_destination(out, force)
        if out.is_dir() and any(out.iterdir()):
            _exchange(folder, out)
        else:
            folder.rename(out)
        _sync(out.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_stale(out: Path) -> None:
    """Remove what killed processes left: nobody holds its lock."""
    for folder in out.parent.glob(f".{out.name}.*.tmp"):
        try:
            old = time.time() - folder.stat().st_mtime > _STALE
            lock = _locked(folder) if old else None
        except OSError:
            continue
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """The descriptor of a folder that is now ours; None if it is another's."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _exchange(one: Path, other: Path) -> None:
    """Exchange two folders in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform == "darwin":
        failed = libc.renamex_np(*names, _EXCHANGE)
    elif hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE)
    else:
        raise OSError(errno.ENOTSUP, "this system cannot exchange two folders", str(other))
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot be exchanged in one step ({os.strerror(code)})", str(other))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
