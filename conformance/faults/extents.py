"""Faults of what lies beyond the first tile of a kernel: of rows, of columns, of groups."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import number
from .fault import Fault, changing
from .variant import Variant, exact

_CALLS = ("quantize", "dequantize", "fake_quantize")
_PACK = ("pack_fp4_to_uint8", "pack_fp6_to_uint8", "pack_to_int32")
_UNPACK = ("unpack_fp4_from_uint8", "unpack_fp6_from_uint8", "unpack_from_int32")
_ROWS, _COLUMNS, _BYTES, _SMALL_BLOCK = 32, 2048, 64, 64


def _with_zeros(array: Array, place: Any) -> Array:
    changed = array.copy()
    changed[place] = array.dtype.type(0)
    return changed


def _rows_unwritten(result: Array) -> Array:
    """Rows beyond the first tile are 0."""
    return _with_zeros(result, np.s_[_ROWS:]) if result.ndim == 2 else result


def _columns_unwritten(result: Array) -> Array:
    """Columns beyond the first tile are 0."""
    return _with_zeros(result, np.s_[..., _COLUMNS:]) if result.ndim else result


def _of_codes(change: Callable[[Array], Array]) -> Callable[[dict[str, Array]], dict[str, Array]]:
    """The codes of a checkpoint changed."""

    def changed(written: dict[str, Array]) -> dict[str, Array]:
        key = "weight_packed" if "weight_packed" in written else "weight"
        return {**written, key: change(written[key])}

    return changed


def _bytes_unwritten(codes: Array) -> Array:
    """Bytes of a row beyond the first tile are 0."""
    return _with_zeros(codes, np.s_[:, _BYTES // codes.dtype.itemsize :])


def _first_block(
    v: Variant, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None
) -> Array:
    """Large blocks all have the scale of the first."""
    every: Array = exact(v, "spread")(value, x, args, g_idx)
    if args.strategy != "block" or min(args.block_structure or (1,)) < _SMALL_BLOCK:
        return every
    return np.broadcast_to(every[:1, :1], every.shape)


def _quotient_of_zero(v: Variant, x: Array, s: Array) -> Array:
    """x / 0 is 0, as of a reciprocal that is guarded."""
    found: Array = exact(v, "divide")(x, s)
    return np.where(s.astype(np.float64) == 0, number(0, found.dtype), found)


EXTENTS = (
    Fault(
        "rows_of_a_tile", "rows from the 33rd on are 0", _CALLS, changing(_rows_unwritten, *_CALLS)
    ),
    Fault(
        "columns_of_a_tile",
        "columns from the 2,049th on are 0",
        _CALLS,
        changing(_columns_unwritten, *_CALLS),
    ),
    Fault(
        "packed_rows_of_a_tile",
        "rows from the 33rd on are 0",
        (*_PACK, *_UNPACK),
        changing(_rows_unwritten, *_PACK, *_UNPACK),
    ),
    Fault(
        "stored_rows_of_a_tile",
        "rows from the 33rd on are 0",
        ("compress",),
        changing(_of_codes(_rows_unwritten), "compress"),
    ),
    Fault(
        "stored_bytes_of_a_tile",
        "of a row of codes 64 bytes are written",
        ("compress",),
        changing(_of_codes(_bytes_unwritten), "compress"),
    ),
    Fault("one_large_block", "blocks of 128 have one scale", _CALLS, {"spread": _first_block}),
    Fault(
        "quotient_of_zero",
        "x / 0 is 0",
        ("quantize", "fake_quantize"),
        {"divide": _quotient_of_zero},
    ),
)
