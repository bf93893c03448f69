"""Faults of the zero-point where codes are made and read."""

import ml_dtypes
import numpy as np

from ..bits import Array
from .arithmetic import F64, cast, number, wide
from .fault import Fault
from .variant import Variant, exact

_E5M2, _E4M3 = np.dtype(ml_dtypes.float8_e5m2), np.dtype(ml_dtypes.float8_e4m3fn)
_QUANTIZE = ("quantize", "fake_quantize", "compress")
_DEQUANTIZE = ("dequantize", "fake_quantize", "decompress")


def _after_rounding(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    y = v.quotient(x, s)
    if zero_point is None:
        return y
    return v.add(cast(np.rint(y.astype(F64)), y.dtype), cast(zero_point, x.dtype))


def _subtracted(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    y = v.quotient(x, s)
    return y if zero_point is None else v.subtract(y, cast(zero_point, x.dtype))


def _not_added(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    return v.quotient(x, s)


def _in_range_of_x(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    """(x + zero_point * s) / s."""
    if zero_point is None:
        return v.quotient(x, s)
    return v.quotient(v.add(x, v.multiply(cast(zero_point, s.dtype), s)), s)


def _none_is_zero(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    y = v.quotient(x, s)
    return v.add(y, number(0, x.dtype) if zero_point is None else cast(zero_point, x.dtype))


def _zero_is_none(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    absent = zero_point is None or not zero_point.astype(F64).any()
    scaled: Array = exact(v, "scaled")(x, s, None if absent else zero_point)
    return scaled


def _not_subtracted(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    values: Array = exact(v, "values")(codes, s, None)
    return values


def _distributed(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    product = v.multiply(cast(codes, s.dtype), s)
    if zero_point is None:
        return product
    return v.subtract(product, v.multiply(cast(zero_point, s.dtype), s))


def _fused(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    """codes * s - rounded(zero_point * s), the product not rounded."""
    if zero_point is None:
        return v.multiply(cast(codes, s.dtype), s)
    offset = v.multiply(cast(zero_point, s.dtype), s).astype(F64)
    total = cast(codes, s.dtype).astype(F64) * s.astype(F64) - offset
    return cast(total.astype(wide(s)), s.dtype)


def _unrounded(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    if zero_point is None:
        return v.multiply(cast(codes, s.dtype), s)
    dtype = wide(s)
    return cast((codes.astype(dtype) - zero_point.astype(dtype)) * s.astype(dtype), s.dtype)


def _flushed(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    values: Array = exact(v, "values")(codes, s, zero_point)
    tiny = float(np.finfo(np.float32).smallest_normal)
    return np.where(np.abs(values.astype(F64)) < tiny, values.dtype.type(0), values)


def _unsigned_zero(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    values: Array = exact(v, "values")(codes, s, zero_point)
    return np.where(values == 0, values.dtype.type(0), values)


def _other_table(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    """Codes of e5m2 read as those of e4m3."""
    if codes.dtype == _E5M2:
        codes = np.ascontiguousarray(codes).view(np.uint8).view(_E4M3).reshape(codes.shape)
    values: Array = exact(v, "values")(codes, s, zero_point)
    return values


ZERO_POINTS = (
    Fault(
        "zero_point_after_rounding",
        "round(x / s) + zero_point",
        _QUANTIZE,
        {"scaled": _after_rounding},
    ),
    Fault("zero_point_subtracted", "x / s - zero_point", _QUANTIZE, {"scaled": _subtracted}),
    Fault("zero_point_ignored", "x / s alone", _QUANTIZE, {"scaled": _not_added}),
    Fault(
        "zero_point_before_division",
        "(x + zero_point * s) / s",
        _QUANTIZE,
        {"scaled": _in_range_of_x},
    ),
    Fault("none_is_zero", "a missing zero-point added as 0", _QUANTIZE, {"scaled": _none_is_zero}),
    Fault("zero_is_none", "a zero-point of 0 not added", _QUANTIZE, {"scaled": _zero_is_none}),
    Fault("dequantize_zero_point_ignored", "codes * s", _DEQUANTIZE, {"values": _not_subtracted}),
    Fault(
        "dequantize_distributed",
        "codes * s - zero_point * s",
        _DEQUANTIZE,
        {"values": _distributed},
    ),
    Fault(
        "dequantize_fma", "codes * s - zero_point * s contracted", _DEQUANTIZE, {"values": _fused}
    ),
    Fault(
        "dequantize_unrounded",
        "codes - zero_point not rounded",
        _DEQUANTIZE[:2],
        {"values": _unrounded},
    ),
    Fault("dequantize_flushed", "subnormal values are 0", _DEQUANTIZE[:2], {"values": _flushed}),
    Fault("codes_of_e5m2_as_e4m3", "the other table", ("dequantize",), {"values": _other_table}),
    Fault("dequantize_unsigned_zero", "-0 becomes +0", _DEQUANTIZE, {"values": _unsigned_zero}),
)
