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
from .formats import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FLOAT32,
    FLOAT64,
    FORMATS,
    INTEGER_BITS,
    Format,
    power_of_two,
)
from .mx import mx_scale
from .number import ONE, ZERO, Number, absolute, clamp, exactly, maximum, minimum
from .rounding import Scalar, cast, floor_log2, round_to_format, round_to_quantized_type_dtype
from .rows import Row, magnitudes, round_to_row

EXPONENTS = ("floor", "ceil", "even")


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


def safe_of(row: Row) -> Number:
    """What a zero scale becomes in a format of one's own: the gap above 1, or what is next to it.

    An integer has 1.
    """
    if row.is_integer:
        return ONE
    least = next(value for value, _ in magnitudes(row) if value)
    return clamp(exactly(power_of_two(-row.mantissa_bits)), exactly(least), row.high)


def exponent_scale(amax: Scalar, args: Args) -> Scalar:
    """amax / 2^emax, exactly, down (floor, even) or up (ceil) to the format, then to amax's dtype.

    2^emax is the largest power of two among the codes; `even` first rounds amax to as many bits
    as the largest code has.
    """
    assert args.row is not None
    assert args.scale_row is not None
    number = amax.number
    if number.kind == "finite" and not number.is_zero:
        emax, bits = floor_log2(args.row.greatest), args.row.mantissa_bits
        if args.row.is_integer:
            bits = emax
        value = number.magnitude
        if args.scale_rule == "even":
            step = power_of_two(floor_log2(value) - bits)
            value = round(value / step) * step
        number = exactly(value / power_of_two(emax))
    number = round_to_row(args.scale_row, number, "up" if args.scale_rule == "ceil" else "down")
    return rounded(number, amax.dtype)


def quotient_scale(scale: Scalar, row: Row, rule: str) -> Scalar:
    """The quotient to the nearest value of the format, or up to it; then to its own dtype.

    To the nearest, float64 goes by way of float32, but for e2m1 and integers.
    """
    number = scale.number
    if rule == "nearest" and not (row.is_fp4 or row.is_integer):
        number = round_to_format(FLOAT32, number)
    return rounded(round_to_row(row, number, "up" if rule == "rceil" else rule), scale.dtype)


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
        if args.is_mx:
            scale = mx_scale(amax, args)
        elif args.scale_rule in EXPONENTS:
            scale = exponent_scale(amax, args)
        else:
            scale = divide_by_scalar(amax, half_width)
        zero_point = Scalar(ZERO, lo.dtype)
    else:
        scale = divide_by_scalar(subtract(hi, lo), width)
        shifted = subtract_from_scalar(q_min, divide(lo, scale))
        zero_point = Scalar(clamp(shifted.number, q_min, q_max), shifted.dtype)

    if global_scale is not None:
        scale = multiply(global_scale, scale)

    row, scale_dtype = args.scale_row, args.resolved_scale_dtype
    if row is not None and args.scale_rule not in EXPONENTS:
        scale = quotient_scale(scale, row, args.scale_rule)
    elif scale_dtype is not None and not args.is_mx and row is None:
        scale = round_to_quantized_type_dtype(scale, scale_dtype)

    if scale.number.is_zero:
        least = smallest_safe_scale(scale_dtype or scale.dtype) if row is None else safe_of(row)
        safe = rounded(least, scale.dtype)
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
