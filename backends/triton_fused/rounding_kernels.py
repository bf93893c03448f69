"""Kernels that round each element, to a dtype or to the codes of a format."""

import triton
import triton.language as tl

from .arithmetic import narrow, to_dtype, widen
from .codes import decode_e4m3, decode_float, encode_e4m3, encode_float, encode_int
from .elementwise_kernels import rounded
from .encode_kernels import E4M3, INT, SMALL_FLOAT

WIDE = tl.constexpr(3)  # float16, bfloat16 or a wider float


@triton.jit
def limited(y, low, high):
    """``y`` limited to ``[low, high]``; NaN and -0.0 stay."""
    y = tl.where(y < low, low, y)
    return tl.where(y > high, high, y)


@triton.jit
def value_or_code(
    y,
    KIND: tl.constexpr,
    BITS: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    TO: tl.constexpr,
    VALUE: tl.constexpr,
):
    """``y``, in range, rounded to a dtype: the value in float32, or what is stored of it."""
    known = y == y
    if KIND == INT:
        # NaN becomes 0; to nearest integer, ties to even
        result = encode_int(tl.where(known, y, 0.0), MIN, MAX)
        if VALUE:
            result = result.to(tl.float32)
        else:
            result = result.to(TO)
    elif KIND == E4M3:
        result = encode_e4m3(y)
        if VALUE:
            result = tl.where(known, decode_e4m3(result), float("nan"))
    elif KIND == SMALL_FLOAT:
        result = encode_float(tl.where(known, y, 0.0), BITS, MANTISSA, MIN_EXPONENT, MAX)
        if VALUE:
            result = decode_float(result, BITS, MANTISSA, MIN_EXPONENT)
            if BITS == 8:
                result = tl.where(known, result, float("nan"))
        else:
            result = tl.where(known, result, 0x7F).to(tl.uint8)
    else:
        result = y
        if TO != tl.float64:
            result = to_dtype(y, TO)
        if not VALUE:
            result = narrow(result, TO)
    return result


@triton.jit
def round_to_dtype(
    x_ptr,
    out_ptr,
    n,
    low,
    high,
    KIND: tl.constexpr,
    BITS: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    TO: tl.constexpr,
    BACK: tl.constexpr,
    X: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK elements, limited and rounded to a dtype; as values of their own dtype if BACK."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    y = limited(widen(tl.load(x_ptr + at, mask=at < n, other=0)), low, high)
    y = value_or_code(y, KIND, BITS, MANTISSA, MIN_EXPONENT, MIN, MAX, TO, BACK)
    if BACK:
        y = narrow(to_dtype(y, X), X)
    tl.store(out_ptr + at, y, mask=at < n)


@triton.jit
def round_to_codes(
    x_ptr,
    out_ptr,
    n,
    low,
    high,
    KIND: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    SUBNORMALS: tl.constexpr,
    SIGNED: tl.constexpr,
    HAS_NAN: tl.constexpr,
    PLUS_ZERO: tl.constexpr,
    AS_CODES: tl.constexpr,
    X: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK elements, limited and rounded to the codes of a format; as bytes if AS_CODES."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    y = limited(widen(tl.load(x_ptr + at, mask=at < n, other=0)), low, high)
    if AS_CODES:
        tl.store(out_ptr + at, encode_e4m3(y), mask=at < n)
    else:
        y = rounded(
            y,
            KIND,
            MIN,
            MAX,
            MANTISSA,
            MIN_EXPONENT,
            SUBNORMALS,
            SIGNED,
            HAS_NAN,
            PLUS_ZERO,
        )
        tl.store(out_ptr + at, narrow(y, X), mask=at < n)
