"""Kernels that make scales, zero-points and global scales of ranges."""

import triton
import triton.language as tl

from .arithmetic import magnitude_bits, narrow, widen
from .codes import stored
from .scales import global_scale_of, scale_and_zero_point


@triton.jit
def load_range(min_ptr, max_ptr, at, mask):
    """Least and largest of ranges and zero, in float32, and the larger magnitude as bits."""
    lo = widen(tl.load(min_ptr + at, mask=mask, other=0.0))
    hi = widen(tl.load(max_ptr + at, mask=mask, other=0.0))
    # NaN stays
    lo = tl.where(lo > 0.0, 0.0, lo)
    hi = tl.where(hi < 0.0, 0.0, hi)
    return lo, hi, tl.maximum(magnitude_bits(lo), magnitude_bits(hi))


@triton.jit
def qparams_of_ranges(
    min_ptr,
    max_ptr,
    global_ptr,
    scale_ptr,
    zp_ptr,
    n,
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
    BLOCK: tl.constexpr,
):
    """Scale and zero-point of BLOCK ranges; see ``scales.scale_and_zero_point``."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    lo, hi, amax_bits = load_range(min_ptr, max_ptr, at, at < n)
    whole = tl.full([BLOCK], 1.0, tl.float32)
    if HAS_GLOBAL:
        whole = whole * widen(tl.load(global_ptr))
    scale, zero_point = scale_and_zero_point(
        amax_bits,
        lo,
        hi,
        whole,
        X,
        HAS_GLOBAL,
        SYMMETRIC,
        MIN,
        MAX,
        WORKING,
        SCALE_MODE,
        SCALE,
        SCALE_MIN,
        SCALE_MAX,
        SCALE_MANTISSA,
        SCALE_MIN_EXPONENT,
        SCALE_SUBNORMALS,
        SCALE_NAN,
        DIRECTION,
        AMAX_MANTISSA,
        EMAX,
        EPS,
        ZP,
        ZP_MIN,
        ZP_MAX,
    )
    tl.store(scale_ptr + at, narrow(scale, WORKING), mask=at < n)
    tl.store(zp_ptr + at, stored(zero_point, ZP), mask=at < n)


@triton.jit
def global_scale_of_range(
    min_ptr,
    max_ptr,
    out_ptr,
    X: tl.constexpr,
    NUMERATOR: tl.constexpr,
    TINY: tl.constexpr,
):
    """The global scale of one range."""
    at = tl.arange(0, 1)
    _, _, amax_bits = load_range(min_ptr, max_ptr, at, at < 1)
    tl.store(out_ptr + at, global_scale_of(amax_bits, X, NUMERATOR, TINY))
