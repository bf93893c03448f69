"""Codes of a format from float32 tiles, and values from codes.

A float format is given by its bits, mantissa bits and smallest exponent: the row of ``FORMATS``.
"""

import triton
import triton.language as tl

from .arithmetic import INTERPRETED


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
