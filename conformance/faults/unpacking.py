"""Faults of words and bytes read as codes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qparity import reference

from ..bits import Array
from .arithmetic import F32
from .fault import Fault, Step, changing
from .packing import reversed_threes, swapped_nibbles
from .variant import Variant

_WORDS = "unpack_from_int32"
_FP4, _FP6 = "unpack_fp4_from_uint8", "unpack_fp6_from_uint8"
_OPERATIONS = (_WORDS, "decompress")
_BYTE = 8


def _codes(change: Callable[[Array, int], Array]) -> dict[str, Step]:
    """Codes that are changed after they were read."""

    def operation(
        v: Variant, packed: Array, num_bits: int, shape: Any, packed_dim: int = 1
    ) -> Array:
        return change(reference.unpack_from_int32(packed, num_bits, shape, packed_dim), num_bits)

    return {_WORDS: operation}


def _read(change: Callable[[Array], Array]) -> dict[str, Step]:
    """Words that are changed before they are read."""

    def operation(v: Variant, packed: Array, *a: Any, **k: Any) -> Array:
        return reference.unpack_from_int32(change(packed), *a, **k)

    return {_WORDS: operation}


def _bytes(name: str, change: Callable[[Array], Array]) -> dict[str, Step]:
    def operation(v: Variant, packed: Array, *a: Any, **k: Any) -> Array:
        values: Array = getattr(reference, name)(change(packed), *a, **k)
        return values

    return {name: operation}


def _offset_kept(codes: Array, num_bits: int) -> Array:
    return (codes.view(np.uint8) + np.uint8(1 << (num_bits - 1))).view(np.int8)


def _sign_extended(codes: Array, num_bits: int) -> Array:
    """Two's complement codes, the sign bit copied upwards."""
    half = 1 << (num_bits - 1)
    raw = codes.astype(np.int64) + half
    return np.where(raw >= half, raw - 2 * half, raw).astype(np.int8)


def _last_lost(codes: Array, num_bits: int) -> Array:
    """The last column of a row is not written."""
    changed = np.array(codes)
    if changed.shape[-1] > _BYTE:
        changed[..., -1] = 0
    return changed


def _packed_dim_ignored(
    v: Variant, packed: Array, num_bits: int, shape: Any, packed_dim: int = 1
) -> Array:
    """Rows and columns exchanged where the rows are packed."""
    codes = reference.unpack_from_int32(packed, num_bits, shape, packed_dim)
    return codes if packed_dim == 1 else codes.swapaxes(-1, -2).reshape(codes.shape)


def _unsigned_zero(values: Array) -> Array:
    return np.where(values == 0, values.dtype.type(0), values)


def _in_bfloat16(name: str) -> dict[str, Step]:
    def operation(v: Variant, packed: Array, m: int, n: int, dtype: Any = None) -> Array:
        values: Array = getattr(reference, name)(packed, m, n)
        return values

    return {name: operation}


def _of_e3m2(v: Variant, packed: Array, m: int, n: int, *a: Any, **k: Any) -> Array:
    """Codes read by the other table of 6 bits."""
    values = reference.unpack_fp6_from_uint8(packed, m, n, *a, **k)
    codes = values.astype(reference.FLOAT6_E2M3FN.dtype).view(np.uint8)
    other = codes.view(reference.FORMATS["float6_e3m2fn"].dtype)
    return np.asarray(other.astype(F32).astype(values.dtype))


UNPACKING = (
    Fault("unpack_offset_kept", "not taken away", _OPERATIONS, _codes(_offset_kept)),
    Fault("unpack_sign_extended", "as two's complement", _OPERATIONS, _codes(_sign_extended)),
    Fault("unpack_last_lost", "the last column is 0", _OPERATIONS, _codes(_last_lost)),
    Fault("unpack_bytes_swapped", "big-endian words", _OPERATIONS, _read(lambda w: w.byteswap())),
    Fault(
        "unpack_arithmetic_shift",
        "the sign of the word is lost",
        _OPERATIONS,
        _read(lambda w: w & np.int32(0x7FFFFFFF)),
    ),
    Fault(
        "unpack_packed_dim_ignored",
        "rows and columns exchanged",
        (_WORDS,),
        {_WORDS: _packed_dim_ignored},
    ),
    Fault(
        "unpack_fp4_nibbles_swapped",
        "the first value from the high nibble",
        (_FP4, "decompress"),
        _bytes(_FP4, swapped_nibbles),
    ),
    Fault(
        "unpack_fp4_zero_unsigned",
        "-0 unpacked as 0",
        (_FP4, "decompress"),
        changing(_unsigned_zero, _FP4),
    ),
    Fault("unpack_fp4_in_bfloat16", "dtype ignored", (_FP4,), _in_bfloat16(_FP4)),
    Fault(
        "unpack_fp6_bytes_reversed",
        "three bytes in big-endian order",
        (_FP6, "decompress"),
        _bytes(_FP6, reversed_threes),
    ),
    Fault("unpack_fp6_as_e3m2", "the other table", (_FP6, "decompress"), {_FP6: _of_e3m2}),
    Fault(
        "unpack_fp6_zero_unsigned",
        "-0 unpacked as 0",
        (_FP6, "decompress"),
        changing(_unsigned_zero, _FP6),
    ),
)
