"""Codes of a format from float32 tiles, values from codes, and values rounded to those of codes.

A format is given by fields of its row: bits, mantissa bits, smallest exponent, least and largest.
"""

import triton
import triton.language as tl

from .arithmetic import INTERPRETED, narrow, widen

NEAREST = tl.constexpr(0)  # to nearest, ties to even
UP = tl.constexpr(1)  # away from zero
DOWN = tl.constexpr(2)  # toward zero


@triton.jit
def round_to_row(
    y,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    SUBNORMALS: tl.constexpr,
    DIRECTION: tl.constexpr,
):
    """``y``, float32 or float64, in range and no NaN, rounded to a row's values; its sign stays.

    Near y the values are multiples of 2^(e - M), e = max(exponent of y, smallest exponent). The
    anchor 2^(e - M + F), F the fraction bits of y's dtype, has that step. Without SUBNORMALS there
    is nothing but zero below the smallest normal.
    """
    magnitude = tl.abs(y)
    if y.dtype == tl.float64:
        power = magnitude.to(tl.int64, bitcast=True) & 0x7FF0000000000000
        power = tl.maximum(power, (MIN_EXPONENT + 1023) << 52)
        anchor = (power + ((52 - MANTISSA) << 52)).to(tl.float64, bitcast=True)
    else:
        power = magnitude.to(tl.int32, bitcast=True) & 0x7F800000
        power = tl.maximum(power, (MIN_EXPONENT + 127) << 23)
        anchor = (power + ((23 - MANTISSA) << 23)).to(tl.float32, bitcast=True)
    # to nearest, ties to even, by the addition
    value = (magnitude + anchor) - anchor
    if DIRECTION != NEAREST:
        tl.static_assert(y.dtype == tl.float64, "directed rounding is of float64")
        step = anchor * 2.0**-52
        # one step back where that was the wrong way
        if DIRECTION == UP:
            value = tl.where(value < magnitude, value + step, value)
        else:
            value = tl.where(value > magnitude, value - step, value)
    if not SUBNORMALS:
        least: tl.constexpr = 2.0**MIN_EXPONENT
        above: tl.constexpr = (
            least / 2 if DIRECTION == NEAREST else (0.0 if DIRECTION == UP else least)
        )
        # to nearest, ties to zero, or to that side
        value = tl.where(magnitude < least, tl.where(magnitude > above, least, 0.0), value)
    return with_sign_of(value, y)


@triton.jit
def with_sign_of(value, y):
    """``value``, which is no negative number unless ``y`` is, with the sign of ``y``."""
    if y.dtype == tl.float64:
        sign = y.to(tl.int64, bitcast=True) & -0x8000000000000000
        return (value.to(tl.int64, bitcast=True) | sign).to(tl.float64, bitcast=True)
    else:
        sign = y.to(tl.int32, bitcast=True) & -0x80000000
        return (value.to(tl.int32, bitcast=True) | sign).to(tl.float32, bitcast=True)


@triton.jit
def encode_float(
    y, BITS: tl.constexpr, MANTISSA: tl.constexpr, MIN_EXPONENT: tl.constexpr, MAX: tl.constexpr
):
    """The code, in int32, of the value nearest to ``y``: sign, exponent, mantissa; no NaN.

    Near y the values are multiples of 2^(e - M), e = max(exponent of y, smallest exponent). The
    anchor 2^(e - M + 23) has that step, and how often it fits is what its bits grow by.
    """
    bits = y.to(tl.int32, bitcast=True)
    magnitude = tl.minimum(tl.abs(y), MAX)
    smallest: tl.constexpr = (MIN_EXPONENT + 127) << 23
    power = tl.maximum(magnitude.to(tl.int32, bitcast=True) & 0x7F800000, smallest)
    anchor = power + ((23 - MANTISSA) << 23)
    # to nearest, ties to even, by the addition
    steps = (magnitude + anchor.to(tl.float32, bitcast=True)).to(tl.int32, bitcast=True) - anchor
    code = steps + ((power - smallest) >> (23 - MANTISSA))
    return code | ((bits >> (32 - BITS)) & (1 << (BITS - 1)))


@triton.jit
def encode_steps(y, BITS: tl.constexpr):
    """The nearest of all integers of BITS bits, as its distance from the least, in int32.

    ``y`` is infinite, of a magnitude up to 2^23, or of one from 2^25 on; NaN gives the largest.
    """
    least: tl.constexpr = -(1 << (BITS - 1))
    # to nearest integer, ties to even, by the addition; what is negative after it is far below
    steps = (y + 12582912.0).to(tl.int32, bitcast=True) - (0x4B400000 + least)
    return tl.minimum(tl.maximum(steps, 0), (1 << BITS) - 1)


@triton.jit
def encode_e2(
    y, BITS: tl.constexpr, MANTISSA: tl.constexpr, MIN_EXPONENT: tl.constexpr, MAX: tl.constexpr
):
    """As ``encode_float``, for a format with two bits of exponent; a NaN has any code.

    The steps double at 2 and at 4 times the smallest normal number; so the code is the smallest of
    the three that count in one step, and each sum rounds to nearest, ties to even.
    """
    bits = y.to(tl.int32, bitcast=True)
    magnitude = tl.minimum(tl.abs(y), MAX)
    step: tl.constexpr = 2.0 ** (MANTISSA - MIN_EXPONENT)
    octave: tl.constexpr = 1 << MANTISSA
    anchor: tl.constexpr = 12582912.0
    # products with powers of two are exact
    low = tl.fma(magnitude, step, anchor)
    middle = tl.fma(magnitude, step / 2, anchor + octave)
    high = tl.fma(magnitude, step / 4, anchor + 2 * octave)
    code = tl.minimum(tl.minimum(low, middle), high).to(tl.int32, bitcast=True) - 0x4B400000
    return code | ((bits >> (32 - BITS)) & (1 << (BITS - 1)))


@triton.jit
def decode_float(code, BITS: tl.constexpr, MANTISSA: tl.constexpr, MIN_EXPONENT: tl.constexpr):
    """The value, in float32, of a code in int32 that is no NaN."""
    field = (code & ((1 << (BITS - 1)) - 1)) << (23 - MANTISSA)
    # exact: the exponent of float32 moves to that of the format
    shift: tl.constexpr = 2.0 ** (126 + MIN_EXPONENT)
    value = field.to(tl.float32, bitcast=True) * shift
    sign = (code << (32 - BITS)) & -0x80000000
    return (value.to(tl.int32, bitcast=True) | sign).to(tl.float32, bitcast=True)


@triton.jit
def encode_e4m3(y):
    """The e4m3 code, in uint8, of the value nearest to ``y``, saturated; NaN is 0x7f."""
    if INTERPRETED:
        code = tl.where(y == y, encode_float(tl.where(y == y, y, 0.0), 8, 3, -6, 448.0), 0x7F)
        code = code.to(tl.uint8)
    else:
        code = y.to(tl.float8e4nv).to(tl.uint8, bitcast=True)
    return code


@triton.jit
def decode_e4m3(code):
    """The value, in float32, of an e4m3 code in uint8."""
    if INTERPRETED:
        wide = code.to(tl.int32)
        value = tl.where((wide & 0x7F) == 0x7F, float("nan"), decode_float(wide, 8, 3, -6))
    else:
        value = code.to(tl.float8e4nv, bitcast=True).to(tl.float32)
    return value


@triton.jit
def encode_int(y, MIN: tl.constexpr, MAX: tl.constexpr):
    """The nearest integer in range, in int32; no NaN."""
    y = tl.minimum(tl.maximum(y, MIN), MAX)
    # to nearest integer, ties to even, by the addition
    return (y + 12582912.0).to(tl.int32, bitcast=True) - 0x4B400000


@triton.jit
def round_to_e4m3(y):
    """``y`` saturated and rounded to e4m3, in float32; NaN stays."""
    return decode_e4m3(encode_e4m3(y))


@triton.jit
def stored(y, DTYPE: tl.constexpr):
    """float32 values of a dtype, as they are stored in it: those of float8 as bytes."""
    if DTYPE == tl.float8e4nv:
        return encode_e4m3(y)
    elif DTYPE == tl.float8e5:
        # the upper half of float16
        return (y.to(tl.float16).to(tl.int16, bitcast=True) >> 8).to(tl.uint8)
    else:
        return narrow(y, DTYPE)


@triton.jit
def loaded(x, DTYPE: tl.constexpr):
    """Numbers of a dtype as they are stored, in float32, exactly."""
    if DTYPE == tl.float8e4nv:
        return decode_e4m3(x)
    elif DTYPE == tl.float8e5:
        return (x.to(tl.int16) << 8).to(tl.float16, bitcast=True).to(tl.float32)
    else:
        return widen(x)
