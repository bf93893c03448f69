"""The fused kernel of blocks: a matrix in, codes and scales out, each element read once."""

import triton
import triton.language as tl

from .arithmetic import magnitude_bits, pairs_to_dtype, prepare_divisor, quotient, widen
from .codes import encode_e4m3, encode_int
from .encode_kernels import INT
from .given_kernels import given_scale, prepare_given, store_scale
from .scales import scale_and_zero_point


@triton.jit(do_not_specialize=["rows", "blocks_per_row"])
def compress_blocks(
    x_ptr,
    codes_ptr,
    scale_ptr,
    given_ptr,
    given_zp_ptr,
    rows,
    cols,
    blocks_per_row,
    stride_row,
    X: tl.constexpr,
    GIVEN: tl.constexpr,
    HAS_ZP: tl.constexpr,
    Y: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    TALL: tl.constexpr,
    WIDE: tl.constexpr,
    KIND: tl.constexpr,
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
    DIVISION: tl.constexpr,
    STORE_CODE: tl.constexpr,
):
    """One block of (ROWS, COLS), codes of a byte; TALL and WIDE are powers of two.

    Its scale is made, symmetric; or GIVEN, with a zero-point if HAS_ZP. Y is the working dtype.
    """
    block = tl.program_id(0).to(tl.int64)
    row = tl.arange(0, TALL)
    column = tl.arange(0, WIDE)
    mask = ((row < ROWS)[:, None]) & ((column < COLS)[None, :])
    row = row + (block // blocks_per_row) * ROWS
    column = column + (block % blocks_per_row) * COLS
    mask = mask & (row < rows)[:, None] & (column < cols)[None, :]
    x = widen(tl.load(x_ptr + row[:, None] * stride_row + column[None, :], mask=mask, other=0.0))
    at = block + tl.arange(0, 1)
    if GIVEN:
        scale, zero_point = given_scale(given_ptr, given_zp_ptr, at, at >= 0, X, HAS_ZP, ZP)
    else:
        amax_bits = tl.full([1], 0, tl.int32) + tl.max(tl.max(magnitude_bits(x), axis=1), axis=0)
        scale, _ = scale_and_zero_point(
            amax_bits,
            amax_bits,
            amax_bits,
            amax_bits,
            X,
            False,
            True,
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
    store_scale(scale_ptr, at, scale, at >= 0, GIVEN, SCALE_MODE, SCALE, SCALE_MAX, STORE_CODE)
    if GIVEN:
        k, divisor, r = prepare_given(scale, DIVISION)
    else:
        k, divisor, r = prepare_divisor(scale, DIVISION)
    y = quotient(x, k[:, None], tl.broadcast_to(divisor[:, None], x.shape), r[:, None], DIVISION)
    # to the working dtype
    y = pairs_to_dtype(y, Y)
    if HAS_ZP:
        # to the working dtype
        y = pairs_to_dtype(y + zero_point[:, None], Y)
    if not GIVEN:
        # the zero-point is added to -0.0 too
        y = y + 0.0
    if KIND == INT:
        code = tl.where(y == y, encode_int(y, MIN, MAX), 0).to(tl.uint8)
    else:
        code = encode_e4m3(y)
    tl.store(codes_ptr + row[:, None] * cols + column[None, :], code, mask=mask)
