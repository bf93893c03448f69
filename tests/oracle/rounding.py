"""Rounding: nearest, ties to the even code; casts; the two rounding verbs."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from .args import Args
from .formats import (
    FLOAT4_E2M1FN,
    FLOAT6_E2M3FN,
    FLOAT8_E4M3FN,
    FLOAT32,
    FORMATS,
    INTEGER_BITS,
    Format,
    decode,
    integer_range,
    magnitude,
    step_exponent,
)
from .number import INF, NAN, ZERO, Number, clamp, exactly, negate
from .rows import Row, round_to_row


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number and the name of the dtype it is held in."""

    number: Number
    dtype: str


def floor_log2(value: Fraction) -> int:
    """The largest e with 2^e <= value, for value > 0."""
    numerator, denominator = value.numerator, value.denominator
    e = numerator.bit_length() - denominator.bit_length()
    fits = numerator >= denominator << e if e >= 0 else numerator << -e >= denominator
    return e if fits else e - 1


def nearest_even(fmt: Format, value: Fraction) -> int:
    """The code of the magnitude nearest to value >= 0, the even one of two as near.

    Codes count on beyond the largest: the caller says what those mean. Within one exponent
    field the magnitudes are whole steps of one size, and code and step are odd together.
    """
    field = 0 if value == 0 else max(0, floor_log2(value) + fmt.bias)
    step = step_exponent(fmt, field)
    numerator = value.numerator << max(0, -step)
    denominator = value.denominator << max(0, step)
    steps, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and steps % 2 == 1):
        steps += 1
    return steps if field == 0 else steps + ((field - 1) << fmt.mantissa_bits)


def round_to_format(fmt: Format, x: Number) -> Number:
    """The value of the format that x rounds to, in one rounding.

    NaN is +0 in a format that has none. Beyond the largest finite value: infinity in a
    format that has it; else ValueError, for such a format is only reached after a clamp.
    ValueError for float8_e8m0fnu too: no rounding into it is defined.
    """
    if fmt.specials == "scale":
        raise ValueError(f"fmt: {fmt.name} is not rounded to; allowed: the signed formats")
    if x.is_nan:
        return ZERO if fmt.specials == "finite" else NAN
    last = fmt.largest_code
    code = last + 1 if x.is_inf else nearest_even(fmt, x.magnitude)
    if code <= last:
        return Number("finite", x.negative, magnitude(fmt, code))
    if fmt.specials != "ieee":
        raise ValueError(f"x: {x} is beyond {fmt.name}; allowed: clamped values")
    return negate(INF) if x.negative else INF


def round_to_integer(x: Number) -> Number:
    """The integer that x rounds to; a zero keeps the sign of x; NaN is +0; inf is kept."""
    if x.is_nan or x.is_inf:
        return ZERO if x.is_nan else x
    whole = int(x.magnitude)
    beyond = x.magnitude - whole
    if beyond > Fraction(1, 2) or (beyond == Fraction(1, 2) and whole % 2 == 1):
        whole += 1
    return Number("finite", x.negative, Fraction(whole))


def cast(x: Scalar, dtype: str) -> Scalar:
    """The same number in another dtype, unclamped.

    float64 reaches what is narrower than float32 by way of float32; fp4 directly.

    To an integer dtype x must be an integer of its range already; -0 becomes 0.
    """
    if dtype == x.dtype:
        return x
    if dtype in INTEGER_BITS:
        low, high = integer_range(dtype)
        if x.number.is_inf or x.number != clamp(round_to_integer(x.number), low, high):
            raise ValueError(f"x: {x.number} is no {dtype}; allowed: integers of its range")
        return Scalar(exactly(x.number.value), dtype)
    number = x.number
    if x.dtype == "float64" and dtype not in ("float32", "float4_e2m1fn"):
        number = round_to_format(FLOAT32, number)
    return Scalar(round_to_format(FORMATS[dtype], number), dtype)


@cache
def bounds(dtype: str, own: str) -> tuple[Number, Number]:
    """The range of finite values of dtype, each end rounded to the dtype `own`."""
    if dtype in INTEGER_BITS:
        low, high = integer_range(dtype)
    else:
        low, high = FORMATS[dtype].min, FORMATS[dtype].max
    return round_to_format(FORMATS[own], low), round_to_format(FORMATS[own], high)


def round_to_quantized_type_dtype(
    x: Scalar, dtype: str, cast_to_original_dtype: bool = True
) -> Scalar:
    """Clamp x to the range of dtype (bounds first rounded to x's dtype), then round."""
    clamped = clamp(x.number, *bounds(dtype, x.dtype))
    if dtype in INTEGER_BITS:
        clamped = round_to_integer(clamped)
    rounded = cast(Scalar(clamped, x.dtype), dtype)
    return cast(rounded, x.dtype) if cast_to_original_dtype else rounded


def round_to_quantized_type_args(
    x: Scalar, args: Args, q_min: Number, q_max: Number, cast_to_original_dtype: bool = True
) -> Scalar:
    """Clamp x to [q_min, q_max] (rounded to x's dtype), then round to the type of args.

    The result is in x's dtype, but for fp8 with `cast_to_original_dtype=False`.
    """
    own = FORMATS[x.dtype]
    clamped = clamp(x.number, round_to_format(own, q_min), round_to_format(own, q_max))
    if args.row is not None:
        return round_to_code(Scalar(clamped, x.dtype), args.row)
    if args.type == "int":
        return Scalar(round_to_integer(clamped), x.dtype)
    target = {4: FLOAT4_E2M1FN, 6: FLOAT6_E2M3FN, 8: FLOAT8_E4M3FN}[args.num_bits]
    rounded = cast(Scalar(clamped, x.dtype), target.name)
    if args.num_bits == 4 and x.number.is_zero:
        rounded = Scalar(ZERO, target.name)
    if args.num_bits == 8 and not cast_to_original_dtype:
        return rounded
    return cast(rounded, x.dtype)


def round_to_code(x: Scalar, row: Row) -> Scalar:
    """The code nearest to x, in its dtype; float64 by way of float32, but for e2m1 and integers."""
    directly = row.is_integer or row.is_fp4
    if row.is_integer and x.number.is_zero and row.signed:
        return x
    if row.is_fp4 and x.number.is_zero:
        return Scalar(ZERO, x.dtype)
    number = x.number if directly else round_to_format(FLOAT32, x.number)
    return Scalar(round_to_format(FORMATS[x.dtype], round_to_row(row, number)), x.dtype)


def encode(dtype: str, x: Number) -> int:
    """The code of x in dtype; the quiet NaN of all mantissa bits for NaN.

    ValueError if x is no value of dtype.
    """
    if dtype in INTEGER_BITS:
        bits = INTEGER_BITS[dtype][1]
        return int(cast(Scalar(x, "float64"), dtype).number.value) % (1 << bits)
    fmt = FORMATS[dtype]
    if fmt.specials == "scale":
        code = (1 << fmt.bits) - 1 if x.is_nan else floor_log2(x.magnitude) + fmt.bias
    elif x.is_nan:
        code = fmt.sign_bit - 1
    else:
        code = fmt.largest_code + 1 if x.is_inf else nearest_even(fmt, x.magnitude)
        code += fmt.sign_bit if x.negative else 0
    if not 0 <= code < 1 << fmt.bits or decode(fmt, code) != x:
        raise ValueError(f"x: {x} is no value of {dtype}; allowed: its codes")
    return code
