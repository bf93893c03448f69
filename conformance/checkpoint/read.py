"""The data of a tensor, bit for bit, all of it or some rows."""

import os

import numpy as np

from ..bits import Array
from .dtypes import DTYPES
from .entry import Entry
from .error import CheckpointError, quoted
from .files import open_file

__all__ = ["read_entry", "read_rows"]

_PIECE = 1 << 26


def read_entry(entry: Entry) -> Array:
    """A tensor, in an array of its own; F8_E8M0 as uint8.

    Raises:
        CheckpointError: if nothing here computes with its dtype, or its file has changed, or it is
            larger than the memory of the machine.
    """
    return _read(entry, 0, entry.shape[0] if entry.shape else 1)


def read_rows(entry: Entry, start: int, stop: int) -> Array:
    """Rows of a tensor along its first axis, without the memory for the rest.

    Raises:
        CheckpointError: as ``read_entry``.
        ValueError: if the tensor has no rows, or not those.
    """
    if not entry.shape or not 0 <= start <= stop <= entry.shape[0]:
        raise ValueError(f"rows {start}:{stop} of {quoted(entry.name)}; its shape is {entry.shape}")
    return _read(entry, start, stop)


def _read(entry: Entry, start: int, stop: int) -> Array:
    dtype = DTYPES.get(entry.dtype)
    if dtype is None:
        allowed = ", ".join(DTYPES)
        raise _wrong(entry, f"dtype {entry.dtype} cannot be read; allowed: {allowed}")
    rows = entry.shape[0] if entry.shape else 1
    row = entry.nbytes // rows if rows else 0
    nbytes = row * (stop - start)
    if nbytes > _memory():
        raise _wrong(entry, f"{nbytes:,} bytes; the machine has {_memory():,}")
    try:
        data = np.empty(nbytes, np.uint8)
    except MemoryError as error:
        raise _wrong(entry, f"no memory for its {nbytes:,} bytes") from error
    with open_file(entry.shard) as (file, size):
        if size < entry.offset + entry.nbytes:
            raise _wrong(entry, "its file has shrunk")
        file.seek(entry.offset + row * start)
        view, done = data.data, 0
        while done < nbytes:
            got = file.readinto(view[done : done + _PIECE])
            if not got:
                raise _wrong(entry, "its file has shrunk")
            done += got
    shape = (stop - start, *entry.shape[1:]) if entry.shape else ()
    return np.asarray(data.view(dtype).reshape(shape))


def _wrong(entry: Entry, message: str) -> CheckpointError:
    return CheckpointError(entry.shard, f"{quoted(entry.name)}: {message}")


def _memory() -> int:
    """The bytes of memory that the machine has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 62
