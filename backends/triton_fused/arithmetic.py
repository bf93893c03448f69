"""Elementary steps of the kernels, on float32 tiles that hold values of the working dtype.

The same source runs on a GPU and in Triton's interpreter (``TRITON_INTERPRET=1``). The interpreter
casts float32 to bfloat16 by truncation and to float8 by rounding that is not to nearest even, and
has no fused multiply-add: there the casts are integer operations, and divisions stay divisions.
"""

import os

import triton
import triton.language as tl

INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET", "0") == "1")

# How x / s is evaluated; each gives the bits of the division, on the values it is used for.
EXACT = tl.constexpr(0)  # any x and s: an IEEE division for each x
POWER = tl.constexpr(1)  # s a power of two: times 1/s, which is exact, and so the product is
RECIPROCAL = tl.constexpr(2)  # x and s bfloat16: times 1/s, then rounded to bfloat16
CORRECTED = tl.constexpr(3)  # x of at most 11 bits: times 1/s, and one step of Newton's method


@triton.jit
def to_dtype(y, DTYPE: tl.constexpr):
    """``y``, float32, rounded to a working dtype of at most 32 bits, in float32."""
    if DTYPE == tl.bfloat16:
        if INTERPRETED:
            bits = y.to(tl.int32, bitcast=True)
            nearest = (bits + 0x7FFF + ((bits >> 16) & 1)) & -0x10000
            y = tl.where(y == y, nearest.to(tl.float32, bitcast=True), float("nan"))
        else:
            y = y.to(tl.bfloat16).to(tl.float32)
    elif DTYPE == tl.float16:
        y = y.to(tl.float16).to(tl.float32)
    return y


@triton.jit
def pairs_to_dtype(y, DTYPE: tl.constexpr):
    """As ``to_dtype``, of a tile whose threads have elements side by side: two are cast at once."""
    if DTYPE == tl.bfloat16 and not INTERPRETED:
        narrow_pairs = tl.inline_asm_elementwise(
            "cvt.rn.bf16x2.f32 $0, $2, $1;",
            "=r,r,r",
            [y],
            dtype=tl.bfloat16,
            is_pure=True,
            pack=2,
        )
        return narrow_pairs.to(tl.float32)
    else:
        return to_dtype(y, DTYPE)


@triton.jit
def widen(x):
    """Loaded numbers in float32, exactly."""
    if INTERPRETED and x.dtype == tl.bfloat16:
        wide = x.to(tl.int16, bitcast=True).to(tl.int32) << 16
        return wide.to(tl.float32, bitcast=True)
    else:
        return x.to(tl.float32)


@triton.jit
def narrow(y, DTYPE: tl.constexpr):
    """float32 values of a dtype, to be stored in it."""
    if INTERPRETED and DTYPE == tl.bfloat16:
        bits = (y.to(tl.int32, bitcast=True) >> 16).to(tl.int16)
        return bits.to(tl.bfloat16, bitcast=True)
    else:
        return y.to(DTYPE)


@triton.jit
def reciprocal(s):
    """1 / s in float32: the bits of the division, in fewer steps."""
    if INTERPRETED:
        return tl.div_rn(tl.full(s.shape, 1.0, tl.float32), s)
    else:
        return tl.inline_asm_elementwise(
            "rcp.rn.f32 $0, $1;", "=f,f", [s], dtype=tl.float32, is_pure=True, pack=1
        )


@triton.jit
def prepare_divisor(s, DIVISION: tl.constexpr):
    """``(k, s, r)`` with which ``quotient`` divides by ``s``: k a power of two, r = 1 / (k * s)."""
    k = tl.full(s.shape, 1.0, tl.float32)
    r = k
    if DIVISION == POWER:
        r = reciprocal(s)
    elif DIVISION != EXACT:
        # so that neither k * s nor its reciprocal leaves the normal numbers
        k = tl.where(s < 2.0**-60, 2.0**64, tl.where(s > 2.0**100, 2.0**-64, 1.0))
        infinite = s == float("inf")
        s = tl.where(infinite, 1.0, s * k)
        r = tl.where(infinite, 0.0, reciprocal(s))
    return k, s, r


@triton.jit
def quotient(x, k, s, r, DIVISION: tl.constexpr):
    """``x / s``, rounded to float32; with RECIPROCAL only once it is rounded to bfloat16."""
    if DIVISION == EXACT:
        y = tl.div_rn(x, s)
    elif DIVISION == POWER:
        y = x * r
    elif DIVISION == RECIPROCAL:
        y = (x * k) * r
    else:
        x = x * k
        y = x * r
        y = tl.fma(tl.fma(y, -s, x), r, y)
    return y


@triton.jit
def magnitude_bits(x):
    """The bits of |x| as int32, which are ordered as the magnitudes are, with NaN above inf."""
    return x.to(tl.int32, bitcast=True) & 0x7FFFFFFF
