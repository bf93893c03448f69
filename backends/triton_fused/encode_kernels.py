"""Codes of units whose scales are known, on float32 tiles."""

import triton
import triton.language as tl

from .arithmetic import (
    CORRECTED,
    magnitude_bits,
    pairs_to_dtype,
    prepare_divisor,
    quotient,
    reciprocal,
)
from .codes import encode_e2, encode_e4m3, encode_float, encode_int, encode_steps
from .given_kernels import prepare_given

INT = tl.constexpr(0)
SMALL_FLOAT = tl.constexpr(1)
E4M3 = tl.constexpr(2)

# what is known of the quotients of usual numbers
NOTHING = tl.constexpr(0)
NEAR = tl.constexpr(1)  # none is below the normal numbers, but zeros
FINITE = tl.constexpr(2)  # none is NaN, nor one of far more than the largest code

LARGEST = tl.constexpr(3.4028234663852886e38)
FAR = tl.constexpr(2.0**26)  # beyond all codes, as ``encode_steps`` wants it


@triton.jit
def brought_near(xs, s):
    """k * x, for the codes of x / s: what is too small for any is 0, infinite is the largest."""
    k, _, _ = prepare_divisor(s, CORRECTED)
    near = ()
    for p in tl.static_range(len(xs)):
        x = tl.minimum(tl.maximum(xs[p], -LARGEST), LARGEST)
        # |x| / s <= 2^-150, which rounds to 0; of all numbers that are compared with x, s is exact
        vanishes = tl.abs(x) * 2.0**60 <= s[:, None, None] * 2.0**-90
        near = near + (tl.where(vanishes, 0.0, x) * k[:, None, None],)
    return near, tl.where(magnitude_bits(s) < 0x7F800000, s * k, s)


@triton.jit
def tamed(xs, s, zero_point):
    """k * x, of which the code is made with k * s; or with 1, of an s that is inf or NaN.

    What has no quotient becomes what is 0 once the zero-point is added; what is infinite, a number
    whose quotient is beyond all codes.
    """
    size = tl.abs(s)
    finite = size < float("inf")
    k, _, _ = prepare_divisor(size, CORRECTED)
    far = (size * k * FAR)[:, None, None]
    none = (-zero_point)[:, None, None]
    tame = ()
    for p in tl.static_range(len(xs)):
        x = xs[p]
        near = tl.minimum(tl.maximum(x * k[:, None, None], -far), far)
        near = tl.where(x == x, near, none * (s * k)[:, None, None])
        nan = (x - x != 0.0) | (s != s)[:, None, None]
        tame = tame + (tl.where(finite[:, None, None], near, tl.where(nan, none, 0.0)),)
    return tame, tl.where(finite, s * k, 1.0)


@triton.jit
def codes_of(
    xs,
    s,
    zero_point,
    usual,
    KNOWN: tl.constexpr,
    GIVEN: tl.constexpr,
    HAS_ZP: tl.constexpr,
    Y: tl.constexpr,
    DIVISION: tl.constexpr,
    POSITIVE_ZERO: tl.constexpr,
    KIND: tl.constexpr,
    BITS: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
):
    """The codes, in int32, of tiles (units, lanes, 8); integers as their distance from the least.

    In 4 bits a NaN has any code, where scales are not given: its unit has no finite scale.

    Args:
        xs: the tiles.
        s: by what each unit is divided, its scale over the global one.
        zero_point: of each unit; not looked at but if HAS_ZP.
        usual: whether all numbers are as KNOWN says.
        KNOWN: NOTHING, NEAR or FINITE.
        GIVEN: whether scales are given, and so may be anything.
        HAS_ZP: whether there is a zero-point.
        Y: the working dtype, which x / s is rounded to.
        DIVISION: how x is divided.
        POSITIVE_ZERO: whether zeros lose their sign.
        KIND: INT, SMALL_FLOAT or E4M3.
        BITS: of a code; the rest are fields of its row.
        MANTISSA: see there.
        MIN_EXPONENT: see there.
        MIN: see there.
        MAX: see there.
    """
    if KNOWN == NEAR and not usual:
        xs, s = brought_near(xs, s)
    if KNOWN == FINITE and not usual:
        xs, s = tamed(xs, s, zero_point)
    if GIVEN:
        k, divisor, r = prepare_given(s, DIVISION)
    elif KNOWN == NOTHING:
        k, divisor, r = prepare_divisor(s, DIVISION)
    else:
        k = tl.full(s.shape, 1.0, tl.float32)
        divisor = s
        r = reciprocal(s)
    codes = ()
    for p in tl.static_range(len(xs)):
        x = xs[p]
        by = tl.broadcast_to(divisor[:, None, None], x.shape)
        y = quotient(x, k[:, None, None], by, r[:, None, None], DIVISION)
        # to the working dtype, which may be too coarse for a quotient below the normal numbers
        y = pairs_to_dtype(y, Y)
        if HAS_ZP:
            # to the working dtype
            y = pairs_to_dtype(y + zero_point[:, None, None], Y)
        # with a step of Newton's method a zero comes out positive
        if POSITIVE_ZERO and not (KNOWN == NEAR and DIVISION == CORRECTED):
            y = y + 0.0
        known = y == y
        if KNOWN == FINITE:
            code = encode_steps(y, BITS)
        elif KIND == INT:
            code = tl.where(known, encode_int(y, MIN, MAX), 0) + (1 << (BITS - 1))
        elif KIND == E4M3:
            code = encode_e4m3(y)
        elif BITS == 8:
            # of these formats those whose codes are stored have NaN
            code = encode_float(tl.where(known, y, 0.0), BITS, MANTISSA, MIN_EXPONENT, MAX)
            code = tl.where(known, code, 0x7F)
        else:
            if BITS != 4 or GIVEN:
                y = tl.where(known, y, 0.0)
            code = encode_e2(y, BITS, MANTISSA, MIN_EXPONENT, MAX)
        codes = codes + (code,)
    return codes
