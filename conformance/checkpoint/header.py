"""The header of a safetensors file: checked to the last field before a byte of data is read.

The format: 8 bytes, the length of the header, little-endian; the header, a JSON object of
``{"dtype", "shape", "data_offsets"}`` by name, and texts under ``"__metadata__"``; then the data,
which the tensors cover without holes and without overlap.
"""

from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

from .bounded_json import parse_json
from .dtypes import BITS
from .entry import Entry
from .error import CheckpointError, quoted
from .files import open_file

__all__ = ["LONGEST_HEADER", "MOST_VALUES", "read_header"]

LONGEST_HEADER = 100_000_000
MOST_VALUES = 10_000_000
_MOST_DIMENSIONS = 64
_MOST_BYTES = 1 << 63
_FIELDS = {"dtype", "shape", "data_offsets"}
_NO_SAFETENSORS = "not a safetensors file, or a damaged one"


def read_header(path: Path) -> list[Entry]:
    """The tensors of a file, in the order of their data.

    Raises:
        CheckpointError: if it is no ordinary file, or any field is not as the format has it.
    """
    try:
        header, size = _bytes_of(path)
        pairs = parse_json(header, MOST_VALUES, make=tuple)
        if not isinstance(pairs, tuple):
            raise ValueError(f"the header is {_kind(pairs)}; allowed: an object")
        start = 8 + len(header)
        named = [(name, fields) for name, fields in pairs if name != "__metadata__"]
        for metadata in (fields for name, fields in pairs if name == "__metadata__"):
            _check_metadata(metadata)
        entries = [_entry(path, start, name, fields) for name, fields in named]
        entries.sort(key=lambda entry: (entry.offset, entry.nbytes))
        _check_cover(entries, start, size)
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(path, f"{_NO_SAFETENSORS} ({error})") from error
    return entries


def _bytes_of(path: Path) -> tuple[bytes, int]:
    with open_file(path) as (file, size):
        head = file.read(8)
        if len(head) < 8:
            raise ValueError(f"{size} bytes; allowed: at least 8")
        length = int.from_bytes(head, "little")
        if length > size - 8:
            raise ValueError(f"its header would have {length:,} bytes, the file has {size:,}")
        if length > LONGEST_HEADER:
            raise ValueError(f"its header has {length:,} bytes; allowed: {LONGEST_HEADER:,}")
        header = bytearray()
        while piece := file.read(length - len(header)):
            header += piece
        if len(header) < length:
            raise ValueError("it shrank while it was read")
    if not header.startswith(b"{"):
        raise ValueError("its header does not begin with '{'")
    return bytes(header), size


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, tuple) or not all(isinstance(text, str) for _, text in metadata):
        raise ValueError("__metadata__: allowed: an object of texts")


def _entry(path: Path, start: int, name: str, pairs: object) -> Entry:
    """One tensor, its fields checked one by one."""
    if not name.isprintable():
        raise ValueError(f"the name {quoted(name)} cannot be printed")
    try:
        dtype, shape, (begin, end) = _fields(dict(pairs) if isinstance(pairs, tuple) else {})
    except ValueError as error:
        raise ValueError(f"{quoted(name)}: {error}") from error
    return Entry(name, dtype, tuple(shape), path, end - begin, start + begin)


def _fields(fields: dict[str, Any]) -> tuple[str, list[int], list[int]]:
    """The dtype, shape and offsets of a tensor, which are right in themselves and to each other."""
    if fields.keys() != _FIELDS:
        raise ValueError("allowed: an object of dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ValueError(f"dtype {quoted(_plain(dtype))}; allowed: {', '.join(BITS)}")
    if not _sizes(shape) or len(shape) > _MOST_DIMENSIONS:
        allowed = f"at most {_MOST_DIMENSIONS} whole numbers from 0 on"
        raise ValueError(f"shape {quoted(_plain(shape))}; allowed: {allowed}")
    if not _sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"data_offsets {quoted(_plain(offsets))}; allowed: [begin, end]")
    if prod(size or 1 for size in shape) * BITS[dtype] // 8 >= _MOST_BYTES:
        raise ValueError(f"shape {quoted(shape)} is too large")
    bits, nbytes = prod(shape) * BITS[dtype], offsets[1] - offsets[0]
    if bits != 8 * nbytes:
        raise ValueError(
            f"{dtype} of shape {quoted(shape)} has {bits / 8:,g} bytes, "
            f"data_offsets {quoted(offsets)} have {nbytes:,}"
        )
    return dtype, shape, offsets


def _check_cover(entries: Iterable[Entry], start: int, size: int) -> None:
    """The data of the tensors lie one after another, up to the end of the file."""
    end, before = start, "the header"
    for entry in entries:
        if entry.offset != end:
            what = "overlaps" if entry.offset < end else "leaves a hole after"
            raise ValueError(f"{quoted(entry.name)} {what} {before}")
        end, before = end + entry.nbytes, quoted(entry.name)
    if end != size:
        raise ValueError(f"its tensors end at byte {end:,}, the file has {size:,}")


def _sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < _MOST_BYTES for n in value)


def _plain(value: Any) -> object:  # noqa: ANN401 - any JSON
    """A value as it may be shown: its beginning, if it is long."""
    if isinstance(value, list):
        return value[:10]
    return _kind(value) if isinstance(value, tuple) else value


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", tuple: "an object", bool: "a truth value"}
    return names.get(type(value), "null" if value is None else "a number")
