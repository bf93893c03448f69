"""Kernels that quantize, dequantize, or both, with given scales: each element is read once."""

import triton
import triton.language as tl

from .arithmetic import (
    narrow,
    pairs_to_dtype,
    quotient,
    to_dtype,
    widen,
)
from .codes import (
    NEAREST,
    decode_float,
    loaded,
    round_to_e4m3,
    round_to_row,
    stored,
    with_sign_of,
)
from .encode_kernels import E4M3, INT
from .given_kernels import prepare_given
from .word_kernels import codes_of_words

QUANTIZE = tl.constexpr(0)
DEQUANTIZE = tl.constexpr(1)
FAKE_QUANTIZE = tl.constexpr(2)

# which columns have one scale
ROW_UNIT = tl.constexpr(0)  # all of a row
SAME_UNIT = tl.constexpr(1)  # as many as the kernel takes together
ANY_UNIT = tl.constexpr(2)  # a multiple of them

VALUES = tl.constexpr(0)  # an element is a number of its dtype, one of float8 a byte
PACKED_CODES = tl.constexpr(1)  # an element is some bits of the int32 words of its row


@triton.jit
def rounded(
    y,
    KIND: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    SUBNORMALS: tl.constexpr,
    SIGNED: tl.constexpr,
    HAS_NAN: tl.constexpr,
    PLUS_ZERO: tl.constexpr,
):
    """The value, in float32, of the code nearest to ``y``, saturated.

    NaN is that where the format has it, else +0. A zero keeps the sign of y; it is +0 in a format
    without a sign, and with PLUS_ZERO where y is a zero.
    """
    if KIND == E4M3:
        value = round_to_e4m3(y)
    else:
        known = y == y
        y = tl.where(known, y, 0.0)
        if PLUS_ZERO:
            y = y + 0.0
        within = tl.minimum(tl.maximum(y, MIN), MAX)
        if KIND == INT:
            # to nearest integer, ties to even, by the addition
            value = with_sign_of((within + 12582912.0) - 12582912.0, y)
        else:
            value = round_to_row(within, MANTISSA, MIN_EXPONENT, SUBNORMALS, NEAREST)
        if not SIGNED:
            value = tl.abs(value)
        if HAS_NAN:
            value = tl.where(known, value, float("nan"))
    return value


@triton.jit(do_not_specialize=["rows", "scale_row", "scale_col", "row_block", "col_block"])
def apply_scales(
    x_ptr,
    scale_ptr,
    zp_ptr,
    global_ptr,
    loaded_ptr,
    out_ptr,
    rows,
    cols,
    stride_row,
    pieces_per_row,
    scale_row,
    scale_col,
    row_block,
    col_block,
    OP: tl.constexpr,
    IN: tl.constexpr,
    X: tl.constexpr,
    SCALE: tl.constexpr,
    ZP: tl.constexpr,
    S: tl.constexpr,
    WORKING: tl.constexpr,
    OUT: tl.constexpr,
    HAS_ZP: tl.constexpr,
    STORE_SCALE: tl.constexpr,
    HAS_GLOBAL: tl.constexpr,
    IN_FLOAT32: tl.constexpr,
    DIVISION: tl.constexpr,
    KIND: tl.constexpr,
    BITS: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    SUBNORMALS: tl.constexpr,
    SIGNED: tl.constexpr,
    HAS_NAN: tl.constexpr,
    PLUS_ZERO: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    SAME: tl.constexpr,
    IN_BLOCKS: tl.constexpr,
    UNIT: tl.constexpr,
    PIECE: tl.constexpr,
    OFFSET: tl.constexpr,
):
    """A tile of (ROWS, COLS); SAME columns in a row have one scale.

    X, SCALE, ZP and OUT are the dtypes of what is read and written, S that of scale / global scale,
    WORKING that of the quotient. Row r, column c has the scale at
    (r // row_block) * scale_row + (c // col_block) * scale_col, and the zero-point so too; rows are
    divided IN_BLOCKS alone, and columns as UNIT says. DIVISION is how a quotient is evaluated.
    """
    tiles = tl.cdiv(cols, COLS)
    pid = tl.program_id(0)
    row = (pid // tiles).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    part = (pid % tiles) * COLS + tl.arange(0, COLS // SAME) * SAME
    unit_mask = (row < rows)[:, None] & (part < cols)[None, :]
    unit_row = row[:, None]
    if IN_BLOCKS:
        unit_row = unit_row // row_block
    unit_col = part[None, :]
    if UNIT == ROW_UNIT:
        unit_col = unit_col * 0
    elif UNIT == SAME_UNIT:
        unit_col = unit_col // SAME
    else:
        unit_col = unit_col // col_block
    at_unit = unit_row * scale_row + unit_col * scale_col
    scale = tl.load(scale_ptr + at_unit, mask=unit_mask, other=1)
    if SCALE == tl.uint8:
        # E8M0
        scale = tl.maximum(scale.to(tl.int32) << 23, 1 << 22).to(tl.float32, bitcast=True)
    else:
        scale = loaded(scale, SCALE)
    if STORE_SCALE:
        once = unit_mask
        if UNIT == ANY_UNIT:
            once = once & (part % col_block == 0)[None, :]
        elif UNIT == ROW_UNIT:
            once = once & (part == 0)[None, :]
        tl.store(loaded_ptr + at_unit, narrow(scale, loaded_ptr.dtype.element_ty), mask=once)
    factor = scale
    divisor = scale
    if HAS_GLOBAL:
        whole = tl.zeros([ROWS, COLS // SAME], tl.float32) + widen(tl.load(global_ptr))
        divisor = tl.div_rn(scale, whole)
        # to the dtype of s
        factor = to_dtype(divisor, S)
        if not IN_FLOAT32:
            divisor = factor
    if HAS_ZP:
        zero_point = loaded(tl.load(zp_ptr + at_unit, mask=unit_mask, other=1), ZP)
    col = part[:, None] + tl.arange(0, SAME)[None, :]
    mask = (row < rows)[:, None, None] & (col < cols)[None, :, :]
    at = row[:, None, None] * cols + col[None, :, :]

    if IN == PACKED_CODES:
        if PIECE == 32 and BITS != 4:
            lane = tl.arange(0, SAME // 32)[None, :] + (part // 32)[:, None]
            words = ()
            for w in tl.static_range(BITS):
                word = (lane * BITS + w)[None, :, :]
                held = unit_mask[:, :, None] & (word < pieces_per_row)
                at_word = x_ptr + (row * pieces_per_row)[:, None, None] + word
                words = words + (tl.load(at_word, mask=held, other=0),)
            code = codes_of_words(words, BITS)
        else:
            # eight codes fill as many pieces as they have bits, or fewer and wider ones
            pieces: tl.constexpr = 8 * BITS // PIECE
            eight = tl.arange(0, SAME // 8)[None, :] + (part // 8)[:, None]
            first = (row * pieces_per_row)[:, None, None] + (eight * pieces)[None, :, :]
            held = unit_mask[:, :, None] & (eight * 8 < cols)[None, :, :]
            # int32 pieces hold all bits of eight codes of 4 bits; else 64 bits hold those of any
            bits = tl.load(x_ptr + first, mask=held, other=0)
            if PIECE < 32:
                bits = bits.to(tl.int64) & ((1 << PIECE) - 1)
                for w in tl.static_range(1, pieces):
                    more = tl.load(x_ptr + first + w, mask=held, other=0)
                    bits = bits | ((more.to(tl.int64) & ((1 << PIECE) - 1)) << (w * PIECE))
            within_eight = tl.arange(0, 8)[None, None, None, :] * BITS
            code = ((bits[:, :, :, None] >> within_eight) & ((1 << BITS) - 1)).to(tl.int32)
        code = tl.reshape(code, [ROWS, COLS // SAME, SAME])
        if KIND == INT:
            x = (code - (1 << (BITS - 1))).to(tl.float32)
        else:
            x = decode_float(code, BITS, MANTISSA, MIN_EXPONENT)
    else:
        start = row[:, None, None] * stride_row + col[None, :, :]
        x = tl.load(x_ptr + start, mask=mask, other=0)
        x = loaded(x, X)
        if OFFSET > 0:
            x = x - OFFSET

    if OP != DEQUANTIZE:
        # each operation to the working dtype
        k, by, r = prepare_given(divisor, DIVISION)
        by = tl.broadcast_to(by[:, :, None], x.shape)
        x = pairs_to_dtype(quotient(x, k[:, :, None], by, r[:, :, None], DIVISION), WORKING)
        if HAS_ZP:
            shift_by = zero_point
            if not IN_FLOAT32:
                shift_by = to_dtype(zero_point, X)
            x = pairs_to_dtype(x + shift_by[:, :, None], WORKING)
        # the cast to float8 is the rounding
        if OP != QUANTIZE or OUT != tl.float8e4nv or KIND != E4M3:
            x = rounded(
                x,
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
    if OP != QUANTIZE:
        # each operation to the dtype of s
        x = to_dtype(x, S)
        if HAS_ZP:
            x = to_dtype(x - to_dtype(zero_point, S)[:, :, None], S)
        x = to_dtype(x * factor[:, :, None], S)
    tl.store(out_ptr + at, stored(to_dtype(x, OUT), OUT), mask=mask)
