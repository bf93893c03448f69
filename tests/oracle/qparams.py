"""Scale, zero-point and global scale from a range of values."""

from fractions import Fraction

from . import number as exact
from .args import Args, calculate_range
from .arithmetic import (
    add,
    divide,
    divide_by_scalar,
    divide_scalar,
    multiply,
    multiply_scalar,
    promote,
    rounded,
    subtract,
    subtract_from_scalar,
)
from .formats import FLOAT4_E2M1FN, FLOAT8_E4M3FN, FLOAT64, FORMATS, INTEGER_BITS, Format
from .mx import mx_scale
from .number import ONE, ZERO, Number, absolute, clamp, exactly, maximum, minimum
from .rounding import Scalar, cast, round_to_format, round_to_quantized_type_dtype


def range_with_zero(min_val: Scalar, max_val: Scalar) -> tuple[Scalar, Scalar]:
    """The pair min(min_val, 0), max(max_val, 0), both in the promoted dtype."""
    dtype = promote(min_val.dtype, max_val.dtype)
    lo = cast(Scalar(minimum(min_val.number, ZERO), min_val.dtype), dtype)
    hi = cast(Scalar(maximum(max_val.number, ZERO), max_val.dtype), dtype)
    return lo, hi


def largest_magnitude(lo: Scalar, hi: Scalar) -> Scalar:
    """Amax = max(|lo|, |hi|), in their dtype."""
    return Scalar(maximum(absolute(lo.number), absolute(hi.number)), lo.dtype)


def smallest_safe_scale(dtype: str) -> Number:
    """What a zero scale becomes."""
    if dtype in INTEGER_BITS:
        return ONE
    if dtype == "float8_e4m3fn":
        return exactly(Fraction(1, 8))
    if dtype == "float4_e2m1fn":
        return exactly(Fraction(1, 4))
    return FORMATS[dtype].eps


def calculate_qparams(
    min_val: Scalar, max_val: Scalar, args: Args, global_scale: Scalar | None = None
) -> tuple[Scalar, Scalar]:
    """(scale, zero_point) of one range, by the six steps of the specification."""
    lo, hi = range_with_zero(min_val, max_val)
    q_min, q_max = calculate_range(args)
    width = exact.subtract(q_max, q_min)

    if args.symmetric:
        amax = largest_magnitude(lo, hi)
        half_width = exact.divide(width, exactly(2))
        scale = mx_scale(amax, args) if args.is_mx else divide_by_scalar(amax, half_width)
        zero_point = Scalar(ZERO, lo.dtype)
    else:
        scale = divide_by_scalar(subtract(hi, lo), width)
        shifted = subtract_from_scalar(q_min, divide(lo, scale))
        zero_point = Scalar(clamp(shifted.number, q_min, q_max), shifted.dtype)

    if global_scale is not None:
        scale = multiply(global_scale, scale)

    scale_dtype = args.resolved_scale_dtype
    if scale_dtype is not None and not args.is_mx:
        scale = round_to_quantized_type_dtype(scale, scale_dtype)

    if scale.number.is_zero:
        safe = rounded(smallest_safe_scale(scale_dtype or scale.dtype), scale.dtype)
        scale = Scalar(FORMATS[scale.dtype].eps, scale.dtype) if safe.number.is_zero else safe

    return scale, round_to_quantized_type_dtype(
        zero_point, args.zp_dtype, cast_to_original_dtype=False
    )


def generate_gparam(
    min_val: Scalar,
    max_val: Scalar,
    scale_data: Format = FLOAT8_E4M3FN,
    quant_data: Format = FLOAT4_E2M1FN,
) -> Scalar:
    """The float32 global scale: scale max * quant max / amax; 1 for NaN and inf."""
    amax = largest_magnitude(*range_with_zero(min_val, max_val))
    tiny = FORMATS[amax.dtype].smallest_normal
    amax = Scalar(clamp(amax.number, tiny, exact.INF), amax.dtype)
    g = divide_scalar(exact.multiply(scale_data.max, quant_data.max), amax)
    if g.number.is_nan or g.number.is_inf:
        g = Scalar(ONE, g.dtype)
    return cast(g, "float32")


def moving_average(start: Scalar, end: Scalar, c: Fraction) -> Scalar:
    """One step of the moving average of a range: start * (1 - c) + end * c.

    The number 1 - c is a Python number too, and so rounded to float64.
    """
    rest = round_to_format(FLOAT64, exactly(1 - c))
    kept = multiply_scalar(start, rest)
    return add(kept, multiply_scalar(end, exactly(c)))
