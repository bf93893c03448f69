"""Faults of x / s, and of what is kept of it before it is rounded to a code."""

import numpy as np

from ..bits import Array
from .arithmetic import F32, F64, cast, number, promote, wide
from .fault import Fault
from .variant import Variant, exact

_OPERATIONS = ("quantize", "fake_quantize", "compress")
_TINY = float(np.finfo(np.float32).smallest_normal)


def _reciprocal(v: Variant, x: Array, s: Array) -> Array:
    dtype = wide(x, s)
    return cast(x.astype(dtype) * (dtype.type(1) / s.astype(dtype)), promote(x.dtype, s.dtype))


def _rounded_reciprocal(v: Variant, x: Array, s: Array) -> Array:
    return v.multiply(x, v.divide(number(1, s.dtype), s))


def _approximate(v: Variant, x: Array, s: Array) -> Array:
    """One ulp too far for every second divisor."""
    dtype = wide(x, s)
    quotient = x.astype(dtype) / s.astype(dtype)
    off = np.nextafter(quotient, quotient * dtype.type(2))
    odd = (s.astype(dtype).view(f"u{dtype.itemsize}") & 1).astype(bool)
    return cast(np.where(odd, off, quotient), promote(x.dtype, s.dtype))


def _rounded_down(v: Variant, x: Array, s: Array) -> Array:
    """The quotient of smaller magnitude."""
    found = v.divide(x, s)
    dtype = found.dtype
    if F64 in (dtype, x.dtype):
        return found
    over = np.abs(found.astype(F64)) * np.abs(s.astype(F64)) > np.abs(x.astype(F64))
    bits = found.view(f"u{dtype.itemsize}")
    below = (bits - bits.dtype.type(1)).view(dtype)
    return np.where(over & np.isfinite(found) & (found != 0), below, found)


def _fused(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    """x * (1 / s) + zero_point with one rounding in all."""
    if zero_point is None:
        return v.quotient(x, s)
    dtype = wide(x, s)
    reciprocal = (dtype.type(1) / s.astype(dtype)).astype(F64)
    total = x.astype(F64) * reciprocal + cast(zero_point, x.dtype).astype(F64)
    return cast(total.astype(dtype), promote(x.dtype, s.dtype))


def _unrounded(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    dtype = wide(x, s)
    y = x.astype(dtype) / s.astype(dtype)
    return y if zero_point is None else np.asarray(y + zero_point.astype(dtype))


def _powers_unrounded(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    """Quotients by powers of two, which seem exact in any dtype, in float32 alone."""
    rounded: Array = exact(v, "scaled")(x, s, zero_point)
    power = np.frexp(np.abs(s.astype(F64)))[0] == 0.5
    kept = _unrounded(v, x, s, zero_point)
    return np.where(power, kept, rounded.astype(kept.dtype))


def _in_float32(v: Variant, x: Array, s: Array) -> Array:
    quotient = x.astype(F32) / s.astype(F32)
    return cast(quotient, promote(x.dtype, s.dtype))


def _flush(x: Array) -> Array:
    return np.where(np.abs(x.astype(F64)) < _TINY, x.dtype.type(0), x)


def _flushed_quotient(v: Variant, x: Array, s: Array) -> Array:
    return _flush(exact(v, "quotient")(x, s))


def _flushed_operands(v: Variant, x: Array, s: Array) -> Array:
    return exact(v, "quotient")(_flush(x), _flush(s))  # type: ignore[no-any-return]


DIVISION = (
    Fault("reciprocal_multiply", "x * (1 / s)", _OPERATIONS, {"quotient": _reciprocal}),
    Fault(
        "rounded_reciprocal",
        "x * (1 / s), the reciprocal rounded to the working dtype",
        _OPERATIONS,
        {"quotient": _rounded_reciprocal},
    ),
    Fault(
        "approximate_division",
        "a quotient that may be an ulp off",
        _OPERATIONS,
        {"quotient": _approximate},
    ),
    Fault(
        "division_rounded_down",
        "a quotient rounded towards zero",
        _OPERATIONS,
        {"quotient": _rounded_down},
    ),
    Fault("fma", "x * (1 / s) + zero_point contracted", _OPERATIONS, {"scaled": _fused}),
    Fault(
        "unrounded_intermediate",
        "x / s + zero_point rounded to the code alone",
        _OPERATIONS,
        {"scaled": _unrounded},
    ),
    Fault(
        "quotients_by_powers_unrounded",
        "x / 2^k not rounded to the working dtype, which subnormal quotients need",
        _OPERATIONS,
        {"scaled": _powers_unrounded},
    ),
    Fault(
        "division_in_float32", "float64 divided in float32", _OPERATIONS, {"quotient": _in_float32}
    ),
    Fault(
        "flushed_quotient",
        "subnormal quotients are 0",
        _OPERATIONS,
        {"quotient": _flushed_quotient},
    ),
    Fault(
        "flushed_operands",
        "subnormal operands are 0",
        _OPERATIONS,
        {"quotient": _flushed_operands},
    ),
)
