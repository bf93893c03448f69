"""Scale and zero-point of units in the kernels: steps 1 to 6 of SPEC section 5, and section 6.

How a scale is made and what it is rounded to are constants, see ``plan.scale_constants``:

    UNROUNDED       amax / half the range of the codes, in the working dtype
    E4M3_SCALE      the same, rounded to e4m3 by the hardware's cast
    FLOAT_SCALE     the same, rounded to SCALE, a dtype of 16 bits or more
    QUOTIENT_SCALE  the same, rounded to a row of at most 8 bits, to nearest or up
    EXPONENT_SCALE  amax, or that rounded to AMAX_MANTISSA bits, times 2^-EMAX, to one side in a row
    MX_SCALE        the power of two of SPEC section 6
"""

import triton
import triton.language as tl

from .arithmetic import INTERPRETED, magnitude_bits, reciprocal, to_dtype
from .codes import NEAREST, encode_int, round_to_e4m3, round_to_row

NO_GLOBAL = tl.constexpr(0)
GIVEN_GLOBAL = tl.constexpr(1)
MADE_GLOBAL = tl.constexpr(2)  # from the partial maxima of the tensor

UNROUNDED = tl.constexpr(0)
E4M3_SCALE = tl.constexpr(1)
FLOAT_SCALE = tl.constexpr(2)
MX_SCALE = tl.constexpr(3)
QUOTIENT_SCALE = tl.constexpr(4)
EXPONENT_SCALE = tl.constexpr(5)


@triton.jit
def global_scale_of(amax_bits, X: tl.constexpr, NUMERATOR: tl.constexpr, TINY: tl.constexpr):
    """``generate_gparam`` of the largest magnitude of a tensor, given by its bits."""
    amax = amax_bits.to(tl.float32, bitcast=True)
    amax = tl.where(amax < TINY, TINY, amax)
    # the reciprocal and the product, each to the dtype of x
    g = to_dtype(to_dtype(reciprocal(amax), X) * NUMERATOR, X)
    return tl.where(magnitude_bits(g) < 0x7F800000, g, 1.0)


@triton.jit
def quotient_of_e4m3(scale, whole):
    """``scale / whole``, a number of 4 bits over one from 2^-60 to 2^100."""
    if INTERPRETED:
        s = tl.div_rn(scale, tl.zeros(scale.shape, tl.float32) + whole)
    else:
        r = reciprocal(whole)
        y = scale * r
        s = tl.fma(tl.fma(y, -whole, scale), r, y)
    return s


@triton.jit
def scale_and_zero_point(
    amax_bits,
    lo,
    hi,
    whole,
    X: tl.constexpr,
    HAS_GLOBAL: tl.constexpr,
    SYMMETRIC: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    WORKING: tl.constexpr,
    SCALE_MODE: tl.constexpr,
    SCALE: tl.constexpr,
    SCALE_MIN: tl.constexpr,
    SCALE_MAX: tl.constexpr,
    SCALE_MANTISSA: tl.constexpr,
    SCALE_MIN_EXPONENT: tl.constexpr,
    SCALE_SUBNORMALS: tl.constexpr,
    SCALE_NAN: tl.constexpr,
    DIRECTION: tl.constexpr,
    AMAX_MANTISSA: tl.constexpr,
    EMAX: tl.constexpr,
    EPS: tl.constexpr,
    ZP: tl.constexpr,
    ZP_MIN: tl.constexpr,
    ZP_MAX: tl.constexpr,
):
    """``calculate_qparams`` of ranges, in float32: values of WORKING, and of ZP.

    Args:
        amax_bits: the largest magnitude of each range as bits, those of a NaN if it has one.
        lo: the least of each range and zero; not looked at if SYMMETRIC, whatever its shape.
        hi: the largest of each range and zero; so too.
        whole: the global scale of each range; not looked at but if HAS_GLOBAL.
        X: dtype of the ranges.
        HAS_GLOBAL: whether there is a global scale.
        SYMMETRIC: whether the zero-point is zero.
        MIN: least of the codes.
        MAX: largest of the codes.
        WORKING: dtype of the scale as it is computed, X promoted with that of the global scale.
        SCALE_MODE: see above; the fields from here on are those of ``plan.scale_constants``.
        SCALE: dtype that FLOAT_SCALE rounds to.
        SCALE_MIN: least of the row of the scale.
        SCALE_MAX: its largest, or that of SCALE.
        SCALE_MANTISSA: its mantissa bits.
        SCALE_MIN_EXPONENT: exponent of its smallest normal.
        SCALE_SUBNORMALS: whether it is evenly spaced below that.
        SCALE_NAN: whether it has NaN.
        DIRECTION: to which of its values.
        AMAX_MANTISSA: mantissa bits that amax is rounded to first, or -1.
        EMAX: exponent of the largest code.
        EPS: what replaces a zero.
        ZP: dtype of the zero-point.
        ZP_MIN: least zero-point, of codes as of the dtype.
        ZP_MAX: largest zero-point.
    """
    zero_point = tl.zeros(amax_bits.shape, tl.float32)
    if SCALE_MODE == MX_SCALE:
        scale = _mx_scale(amax_bits, X, AMAX_MANTISSA, EMAX)
    elif SCALE_MODE == EXPONENT_SCALE:
        y = amax_bits.to(tl.float32, bitcast=True).to(tl.float64)
        # infinity is beyond every row, as is this
        y = tl.minimum(y, 2.0**200)
        if AMAX_MANTISSA >= 0:
            # to the mantissa bits of a code, to nearest, ties to even
            y = round_to_row(y, AMAX_MANTISSA, -200, True, NEAREST)
        scale = _round_to_row_of_scale(
            y * 2.0**-EMAX,
            amax_bits > 0x7F800000,
            SCALE_MIN,
            SCALE_MAX,
            SCALE_MANTISSA,
            SCALE_MIN_EXPONENT,
            SCALE_SUBNORMALS,
            SCALE_NAN,
            DIRECTION,
        )
        # to the dtype of x
        scale = to_dtype(scale, X)
    elif SYMMETRIC:
        amax = amax_bits.to(tl.float32, bitcast=True)
        if X == tl.bfloat16:
            # the bits of the division, for each of the 32,768 magnitudes
            scale = amax * (2 / (MAX - MIN))
        else:
            scale = tl.div_rn(amax, tl.full(amax.shape, (MAX - MIN) / 2, tl.float32))
        # to the dtype of x
        scale = to_dtype(scale, X)
    else:
        # each of the operations to the dtype of x
        span = tl.where(amax_bits > 0x7F800000, float("nan"), to_dtype(hi - lo, X))
        if X == tl.bfloat16:
            # the bits of the division, for each of the 32,768 spans
            scale = span * (1 / (MAX - MIN))
        else:
            scale = tl.div_rn(span, tl.full(span.shape, MAX - MIN, tl.float32))
        scale = to_dtype(scale, X)
        zero_point = to_dtype(MIN - to_dtype(tl.div_rn(lo, scale), X), X)
        zero_point = _round_zero_point(zero_point, ZP, ZP_MIN, ZP_MAX)
    if HAS_GLOBAL:
        # to the working dtype
        scale = to_dtype(whole * scale, WORKING)
    if SCALE_MODE == E4M3_SCALE:
        scale = round_to_e4m3(scale)
    elif SCALE_MODE == FLOAT_SCALE:
        finite = tl.minimum(tl.maximum(scale, -SCALE_MAX), SCALE_MAX)
        if SCALE != WORKING:
            # to the dtype of the scale, then to the working dtype
            finite = to_dtype(to_dtype(finite, SCALE), WORKING)
        scale = tl.where(scale == scale, finite, scale)
    elif SCALE_MODE == QUOTIENT_SCALE:
        scale = _round_to_row_of_scale(
            scale.to(tl.float64),
            scale != scale,
            SCALE_MIN,
            SCALE_MAX,
            SCALE_MANTISSA,
            SCALE_MIN_EXPONENT,
            SCALE_SUBNORMALS,
            SCALE_NAN,
            DIRECTION,
        )
        # to the working dtype
        scale = to_dtype(scale, WORKING)
    return tl.where(scale == 0.0, EPS, scale), zero_point


@triton.jit
def mx_code(scale):
    """The stored code of an MX scale, in uint8: its exponent + 127; inf and NaN are 255."""
    return ((scale.to(tl.int32, bitcast=True) >> 23) & 255).to(tl.uint8)


@triton.jit
def _mx_scale(amax_bits, X: tl.constexpr, MANTISSA: tl.constexpr, OFFSET: tl.constexpr):
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
def _round_to_row_of_scale(
    y,
    nan,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    SUBNORMALS: tl.constexpr,
    HAS_NAN: tl.constexpr,
    DIRECTION: tl.constexpr,
):
    """``y``, float64, saturated and rounded to a row, in float32; ``nan`` is that, or zero."""
    y = tl.where(nan, 0.0, y)
    y = tl.minimum(tl.maximum(y, MIN), MAX)
    # to the row, then to float32, which holds its values
    y = round_to_row(y, MANTISSA, MIN_EXPONENT, SUBNORMALS, DIRECTION).to(tl.float32)
    if HAS_NAN:
        y = tl.where(nan, float("nan"), y)
    return y


@triton.jit
def _round_zero_point(y, DTYPE: tl.constexpr, MIN: tl.constexpr, MAX: tl.constexpr):
    """``y`` saturated and rounded to a dtype, in float32; NaN is 0 in an integer one."""
    known = y == y
    if DTYPE == tl.int8 or DTYPE == tl.uint8:
        y = encode_int(tl.where(known, y, 0.0), MIN, MAX).to(tl.float32)
        return tl.where(known, y, 0.0)
    else:
        finite = tl.minimum(tl.maximum(y, MIN), MAX)
        if DTYPE == tl.float8e4nv:
            finite = round_to_e4m3(finite)
        elif DTYPE == tl.float8e5:
            finite = round_to_row(finite, 2, -14, True, NEAREST)
        else:
            finite = to_dtype(finite, DTYPE)
        return tl.where(known, finite, y)
