"""Scales that are read instead of made, and scales as a checkpoint holds them."""

import triton
import triton.language as tl

from .arithmetic import RECIPROCAL, narrow, prepare_divisor, to_dtype, widen
from .codes import encode_e4m3, loaded
from .scales import FLOAT_SCALE, MX_SCALE, mx_code


@triton.jit
def given_scale(
    scale_ptr, zp_ptr, at, within, X: tl.constexpr, HAS_ZP: tl.constexpr, ZP: tl.constexpr
):
    """Scale and zero-point of units, in float32; the zero-point as one of the dtype of x."""
    scale = widen(tl.load(scale_ptr + at, mask=within, other=1.0))
    zero_point = tl.zeros(scale.shape, tl.float32)
    if HAS_ZP:
        zero_point = to_dtype(loaded(tl.load(zp_ptr + at, mask=within, other=0), ZP), X)
    return scale, zero_point


@triton.jit
def prepare_given(s, DIVISION: tl.constexpr):
    """As ``prepare_divisor``, for EXACT and RECIPROCAL, of any s: negative, zero, infinite, NaN."""
    if DIVISION == RECIPROCAL:
        k, divisor, r = prepare_divisor(tl.abs(s), DIVISION)
        sign = s.to(tl.int32, bitcast=True) & -0x80000000
        r = (r.to(tl.int32, bitcast=True) | sign).to(tl.float32, bitcast=True)
        return k, divisor, r
    else:
        return prepare_divisor(s, DIVISION)


@triton.jit
def store_scale(
    scale_ptr,
    at,
    scale,
    mask,
    GIVEN: tl.constexpr,
    SCALE_MODE: tl.constexpr,
    SCALE: tl.constexpr,
    SCALE_MAX: tl.constexpr,
    STORE_CODE: tl.constexpr,
):
    """The scale as it lies on disk: a code in a byte, or a number; a given one is rounded here."""
    if STORE_CODE:
        if SCALE_MODE == MX_SCALE:
            tl.store(scale_ptr + at, mx_code(scale), mask=mask)
        else:
            tl.store(scale_ptr + at, encode_e4m3(scale), mask=mask)
    else:
        if GIVEN and SCALE_MODE == FLOAT_SCALE:
            finite = tl.minimum(tl.maximum(scale, -SCALE_MAX), SCALE_MAX)
            # to the dtype of the scale
            scale = tl.where(scale == scale, to_dtype(finite, SCALE), scale)
        tl.store(scale_ptr + at, narrow(scale, scale_ptr.dtype.element_ty), mask=mask)
