"""Scale and zero-point of units in the kernels: steps 1 to 6 of SPEC section 5, and section 6."""

import triton
import triton.language as tl

from .arithmetic import magnitude_bits, to_dtype
from .codes import round_to_e4m3

NO_GLOBAL = tl.constexpr(0)
GIVEN_GLOBAL = tl.constexpr(1)
MADE_GLOBAL = tl.constexpr(2)  # from the partial maxima of the tensor

UNROUNDED = tl.constexpr(0)
E4M3_SCALE = tl.constexpr(1)
FLOAT_SCALE = tl.constexpr(2)
MX_SCALE = tl.constexpr(3)


@triton.jit
def global_scale_of(amax_bits, X: tl.constexpr, NUMERATOR: tl.constexpr, TINY: tl.constexpr):
    """``generate_gparam`` of the largest magnitude of a tensor, given by its bits."""
    amax = amax_bits.to(tl.float32, bitcast=True)
    amax = tl.where(amax < TINY, TINY, amax)
    # the reciprocal and the product, each to the dtype of x
    g = to_dtype(to_dtype(tl.div_rn(tl.full(amax.shape, 1.0, tl.float32), amax), X) * NUMERATOR, X)
    return tl.where(magnitude_bits(g) < 0x7F800000, g, 1.0)


@triton.jit
def symmetric_scale(amax_bits, X: tl.constexpr, HALF_RANGE: tl.constexpr):
    """amax / (half the range of the codes), rounded to the dtype of x."""
    amax = amax_bits.to(tl.float32, bitcast=True)
    return to_dtype(tl.div_rn(amax, tl.full(amax.shape, HALF_RANGE, tl.float32)), X)


@triton.jit
def mx_scale(amax_bits, X: tl.constexpr, MANTISSA: tl.constexpr, OFFSET: tl.constexpr):
    """The power of two of SPEC section 6; inf and NaN stay."""
    amax = amax_bits.to(tl.float32, bitcast=True)
    if X == tl.float16:
        bits = amax.to(tl.float16).to(tl.int16, bitcast=True).to(tl.int32)
        field = (bits + (1 << (10 - MANTISSA - 1))) >> 10
        code = tl.where(field == 0, 0, field + (127 - 15 - OFFSET))
    else:
        # up to the next power of two, by the carry; bfloat16 has the exponents of float32
        field = (amax_bits + (1 << (23 - MANTISSA - 1))) >> 23
        code = field - OFFSET
    code = tl.minimum(tl.maximum(code, 0), 254)
    power = tl.maximum(code << 23, 1 << 22).to(tl.float32, bitcast=True)
    return tl.where(amax_bits < 0x7F800000, to_dtype(power, X), amax)


@triton.jit
def round_scale(
    scale, MODE: tl.constexpr, SCALE: tl.constexpr, MAX: tl.constexpr, EPS: tl.constexpr
):
    """The scale in its ``scale_dtype``, and the smallest safe one for zero; in float32."""
    if MODE == E4M3_SCALE:
        scale = round_to_e4m3(scale)
    elif MODE == FLOAT_SCALE:
        finite = tl.minimum(tl.maximum(scale, -MAX), MAX)
        scale = tl.where(scale == scale, to_dtype(finite, SCALE), scale)
    return tl.where(scale == 0.0, EPS, scale)


@triton.jit
def mx_code(scale):
    """The stored code of an MX scale, in uint8: its exponent + 127; inf and NaN are 255."""
    return ((scale.to(tl.int32, bitcast=True) >> 23) & 255).to(tl.uint8)
