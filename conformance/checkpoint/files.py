"""Files of a checkpoint: ordinary ones alone, inside its folder, read piece by piece."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from .error import CheckpointError, quoted

__all__ = ["exists", "inside", "open_file", "read_text"]

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def exists(path: Path) -> bool:
    """Whether anything has this name, a link that leads nowhere included."""
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def inside(folder: Path, name: str) -> Path:
    """The file of a plain name in a folder.

    A link may lead to another place of the folder or, as in the cache of the Hugging Face hub, from
    ``snapshots/REVISION`` to ``blobs``.

    Raises:
        CheckpointError: if the name is a path, or a link leads out.
    """
    if name in ("", ".", "..") or not name.isprintable() or "/" in name or "\\" in name:
        raise CheckpointError(
            folder, f"{quoted(name)} is no file of this folder; allowed: a plain file name"
        )
    path = folder / name
    try:
        home, target = folder.resolve(strict=True), path.resolve(strict=True)
    except OSError as error:
        raise CheckpointError(path, _reason(error)) from error
    except RuntimeError as error:
        raise CheckpointError(path, "its links go round in a circle") from error
    homes = [home]
    if home.parent.name == "snapshots":
        homes.append(home.parent.parent / "blobs")
    if not any(target.is_relative_to(place) for place in homes):
        raise CheckpointError(path, "a link out of the folder; allowed: files of the folder")
    return path


@contextmanager
def open_file(path: Path) -> Iterator[tuple[FileIO, int]]:
    """An ordinary file, open to be read, and its size; never waits for the other end of a FIFO.

    Raises:
        CheckpointError: if it cannot be opened or is no ordinary file, or reading it fails.
    """
    try:
        with FileIO(_descriptor(path), "rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except OSError as error:
        raise CheckpointError(path, _reason(error)) from error


def read_text(path: Path, limit: int) -> bytes:
    """The bytes of a small file.

    Raises:
        CheckpointError: as ``open_file``, or if it has more than ``limit`` bytes.
    """
    with open_file(path) as (file, size):
        if size > limit:
            raise CheckpointError(path, f"{size:,} bytes; allowed: at most {limit:,}")
        content = bytearray()
        while piece := file.read(limit + 1 - len(content)):
            content += piece
        if len(content) > limit:
            raise CheckpointError(path, f"it grows; allowed: at most {limit:,} bytes")
        return bytes(content)


def _descriptor(path: Path) -> int:
    try:
        _check_kind(path, path.stat())
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except ValueError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(path, _reason(error)) from error
    try:
        _check_kind(path, os.fstat(descriptor))
    except CheckpointError:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no ordinary file")
        raise CheckpointError(path, f"{kind}; allowed: an ordinary file")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
