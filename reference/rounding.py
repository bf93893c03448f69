"""Rounding to a format: to nearest, ties to even, after saturation (SPEC sections 2, 4 and 5)."""

from collections.abc import Mapping

import numpy as np

from .args import QuantizationArgs, as_args
from .arithmetic import cast, clamp, evaluation_dtype, quiet
from .dtypes import (
    BFLOAT16,
    E2M1,
    FLOAT32,
    FLOAT64,
    ROUNDING_DTYPES,
    Array,
    as_array,
    as_dtype,
)
from .formats import FLOAT4_E2M1FN, FLOAT8_E4M3FN, FloatFormat, IntFormat, float_format
from .tables import tabulated

__all__ = ["round_to_quantized_type_args", "round_to_quantized_type_dtype"]

_FIELDS: Mapping[np.dtype, tuple[np.dtype, int, int]] = {
    FLOAT32: (np.dtype(np.uint32), 23, 127),
    FLOAT64: (np.dtype(np.uint64), 52, 1023),
}
_TO_ODD_BITS = 6


@quiet
def round_to_quantized_type_dtype(
    x: Array, dtype: np.dtype, cast_to_original_dtype: bool = True
) -> Array:
    """Clamp to the range of ``dtype``, then round to it.

    Args:
        x: any shape; float16, bfloat16, float32 or float64.
        dtype: int8, uint8, or any float dtype of the format table.
        cast_to_original_dtype: return the rounded values in the dtype of ``x``, else in ``dtype``.

    Returns:
        An array of the shape of ``x`` (0-D becomes (1,)). Out of range saturates to the finite
        bounds, first rounded to the dtype of ``x`` (so 65536 in bfloat16 becomes inf in float16).
        NaN stays NaN; where ``dtype`` has none it becomes +0. The sign of zero is kept by floats.

    Raises:
        TypeError: if ``x`` is not such an array or ``dtype`` is no dtype.
        ValueError: if ``dtype`` is not in the table.

    Source: SPEC section 5; upstream ``round_to_quantized_type_dtype``.

    >>> x = np.array([0.3, 17, 1000], np.float32)
    >>> round_to_quantized_type_dtype(x, np.dtype("float8_e4m3fn")).tolist()
    [0.3125, 16.0, 448.0]
    """
    x = as_array(x, "x")
    dtype = as_dtype(dtype, "dtype", ROUNDING_DTYPES)
    returned = x.dtype if cast_to_original_dtype else dtype
    if x.dtype == FLOAT32 and dtype.itemsize == 1 and dtype.kind not in "iu":
        x = _to_odd(x)
    return tabulated(_round_to_dtype, x, dtype, returned)


@quiet
def round_to_quantized_type_args(
    x: Array,
    args: QuantizationArgs,
    q_min: Array | float,
    q_max: Array | float,
    cast_to_original_dtype: bool = True,
) -> Array:
    """Clamp to ``[q_min, q_max]``, then round to the codes of ``args``, as float values.

    Args:
        x: any shape; float16, bfloat16, float32 or float64.
        args: names the format: int1 to int8, fp4 (e2m1), fp6 (e2m3) or fp8 (e4m3); or has it.
        q_min: one number, the smallest code; see ``calculate_range``.
        q_max: one number, the largest code.
        cast_to_original_dtype: False leaves fp8 in float8_e4m3fn; it changes nothing else.

    Returns:
        The rounded values, of the shape of ``x`` (0-D becomes (1,)) and its dtype. NaN becomes +0
        for int, fp4 and fp6, and stays NaN for fp8, and where else a format has NaN. Integers, fp6
        and fp8 keep the sign of zero; in fp4 (e2m1) a zero gives +0, and a non-zero value that
        rounds to zero keeps its sign. A format without a sign gives +0.

    Raises:
        TypeError: if ``x`` is not such an array.
        ValueError: if a bound is not one number.

    Source: SPEC sections 5 and 7; upstream ``round_to_quantized_type_args``.

    >>> x = np.array([0.25, 2.5, 9], np.float32)
    >>> round_to_quantized_type_args(x, QuantizationArgs(num_bits=4, type="float"), -6.0, 6.0)
    array([0., 2., 6.], dtype=float32)
    """
    x, args = as_array(x, "x"), as_args(args)
    low, high = _bound(q_min, "q_min"), _bound(q_max, "q_max")
    fp8 = args.code_format == FLOAT8_E4M3FN
    returned = FLOAT8_E4M3FN.dtype if fp8 and not cast_to_original_dtype else x.dtype
    if (low, high) == (args.code_format.min, args.code_format.max) and high != 0:
        return round_to_code(x, args.code_format, returned)
    return _clamp_and_round(x, args.code_format, low, high, returned)


def round_to_code(x: Array, code: FloatFormat | IntFormat, dtype: np.dtype) -> Array:
    """Clamp to the range of a format, round to its codes, cast to a dtype that holds them."""
    if x.dtype == FLOAT32 and isinstance(code, FloatFormat) and code.mantissa_bits < _TO_ODD_BITS:
        x = _to_odd(x)
    return tabulated(_clamp_and_round, x, code, code.min, code.max, dtype)


def round_to_format(x: Array, row: FloatFormat, direction: str = "nearest") -> Array:
    """The values of ``row`` nearest to ``x``, ties to even; ``x`` is float32 or float64, in range.

    With e = max(exponent of x, exponent of the smallest normal), the values of the format near x
    are the multiples of 2^(e - M). Adding 2^(e - M + F), F the fraction bits of x's dtype, lets
    the addition itself round to them; NaN and infinities pass. ``"down"`` is the next value at
    ``x`` or toward zero, ``"up"`` the next at it or away from zero.
    """
    uint, fraction, bias = _FIELDS[x.dtype]
    magnitude = np.abs(x)
    exponent_field = (magnitude.view(uint) >> uint.type(fraction)).astype(uint)
    lowest_field = uint.type(max(row.min_exponent + bias, 1))
    shift = uint.type(fraction - row.mantissa_bits)
    anchor_field = np.maximum(exponent_field, lowest_field) + shift
    anchor = (anchor_field << uint.type(fraction)).view(x.dtype)
    # to nearest, ties to even: the sum has the step of the format
    rounded = (magnitude + anchor) - anchor
    if direction != "nearest":
        # one step back where that was the wrong way
        step = np.ldexp(anchor, -fraction)
        too_high, too_low = rounded > magnitude, rounded < magnitude
        rounded = rounded - step * too_high if direction == "down" else rounded + step * too_low
    if row.has_zero and not row.has_subnormals:
        rounded = _without_subnormals(magnitude, rounded, row, direction)
    rounded = np.where(np.isfinite(x), rounded, x)
    return np.copysign(rounded, x) if row.signed else rounded


def _without_subnormals(
    magnitude: Array, rounded: Array, row: FloatFormat, direction: str
) -> Array:
    """Below the smallest normal there is only zero, which half of it rounds to."""
    least = magnitude.dtype.type(row.smallest_normal)
    above = {"nearest": least / 2, "up": least.dtype.type(0), "down": least}[direction]
    # to nearest, ties to zero, or to that side
    flushed = np.where(magnitude > above, least, least.dtype.type(0))
    return np.where(magnitude < least, flushed, rounded)


def to_float(x: Array, dtype: np.dtype) -> Array:
    """``x``, already in range, rounded to a float dtype; NaN stays, or is +0 if it has none."""
    row = float_format(dtype.name)
    if row.bits > 8:
        return cast(x, dtype)
    wide = FLOAT64 if x.dtype == FLOAT64 and dtype == E2M1 else FLOAT32
    values = round_to_format(cast(x, wide), row)
    if not row.has_nan:
        values = np.where(np.isnan(values), wide.type(0), values)
    return values.astype(dtype)


def to_integer(x: Array, dtype: np.dtype) -> Array:
    """``x`` rounded to the nearest integer, ties to even, in an integer dtype; NaN becomes 0."""
    info = np.iinfo(dtype)
    integers = np.rint(cast(x, evaluation_dtype(x.dtype)))
    integers = np.where(np.isnan(integers), integers.dtype.type(0), integers)
    return np.clip(integers, info.min, info.max).astype(dtype)


def _round_to_dtype(x: Array, dtype: np.dtype, returned: np.dtype) -> Array:
    """Clamp to the range of a dtype, round to it, and cast to the dtype that is returned."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return cast(to_integer(clamp(x, info.min, info.max), dtype), returned)
    row = float_format(dtype.name)
    return cast(to_float(clamp(x, row.min, row.max), dtype), returned)


def _clamp_and_round(
    x: Array, code: FloatFormat | IntFormat, low: float, high: float, dtype: np.dtype
) -> Array:
    """Clamp, round to the codes of a format, cast to ``dtype``; NaN is 0 where it has none."""
    y = cast(clamp(x, low, high), evaluation_dtype(x.dtype))
    if isinstance(code, IntFormat):
        codes = np.rint(y)
    elif code == FLOAT4_E2M1FN:
        codes = np.where(y == 0, y.dtype.type(0), round_to_format(y, code))
    else:
        codes = round_to_format(cast(y, FLOAT32), code)
    if not code.has_nan:
        codes = np.where(np.isnan(codes), codes.dtype.type(0), codes)
    return cast(codes if code.signed else np.abs(codes), dtype)


def _to_odd(x: Array) -> Array:
    """float32 cut to bfloat16, its last bit set if anything was cut off (rounded to odd).

    A format of at most 6 significant bits, ``_TO_ODD_BITS``, rounds it as it rounds ``x`` itself.
    """
    bits = x.view(np.uint32)
    cut_off = (bits & np.uint32(0xFFFF)) != 0
    odd: Array = (bits >> np.uint32(16)) | cut_off
    return odd.astype(np.uint16).view(BFLOAT16)


def _bound(value: Array | float, field: str) -> float:
    bound = np.asarray(value)
    if bound.dtype.kind not in "iuf" and bound.dtype != BFLOAT16:
        raise TypeError(f"{field}: {value!r} is not allowed; allowed: a number")
    if bound.size != 1:
        raise ValueError(f"{field}: shape {bound.shape} is not one number; allowed: a scalar")
    return float(bound.reshape(()).astype(np.float64))
