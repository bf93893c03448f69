"""Kernels that pack codes, one in an element, into int32 words, element i at bit i * BITS."""

import triton
import triton.language as tl

from .arithmetic import widen
from .bit_fields import join_eights, words_of
from .codes import decode_float, encode_float


@triton.jit(do_not_specialize=["n_units", "units_per_row"])
def pack_units(
    x_ptr,
    words_ptr,
    wrong_ptr,
    n_units,
    units_per_row,
    cols,
    words_per_row,
    BITS: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    MAX: tl.constexpr,
    CHECK: tl.constexpr,
    ONE_ROW: tl.constexpr,
    WHOLE: tl.constexpr,
    UNITS: tl.constexpr,
    WORDS: tl.constexpr,
):
    """Units of 32 codes of a row, which fill BITS words; integers if MANTISSA is -1, else values.

    What is no code sets ``wrong_ptr``, if CHECK.
    """
    unit = tl.program_id(0).to(tl.int64) * UNITS + tl.arange(0, UNITS)
    row = unit * 0
    if not ONE_ROW:
        row = unit // units_per_row
    first = unit - row * units_per_row
    column = (first * 32)[:, None] + tl.arange(0, 32)[None, :]
    mask = (unit < n_units)[:, None]
    if not WHOLE:
        mask = mask & (column < cols)
    x = tl.load(x_ptr + (row * cols)[:, None] + column, mask=mask, other=0)
    if MANTISSA < 0:
        codes = x.to(tl.int32) + (1 << (BITS - 1))
        # negative codes are the largest without a sign
        beyond = tl.max(tl.max(codes.to(tl.uint32, bitcast=True), axis=1), axis=0) >= (1 << BITS)
        codes = codes & ((1 << BITS) - 1)
        if not WHOLE:
            codes = tl.where(mask, codes, 0)
    else:
        y = widen(x)
        codes = encode_float(tl.where(y == y, y, 0.0), BITS, MANTISSA, MIN_EXPONENT, MAX)
        value = decode_float(codes, BITS, MANTISSA, MIN_EXPONENT)
        differs = value.to(tl.int32, bitcast=True) ^ y.to(tl.int32, bitcast=True)
        beyond = tl.max(tl.max(differs.to(tl.uint32, bitcast=True), axis=1), axis=0) > 0
    words = words_of(join_eights(codes, UNITS, BITS), UNITS, BITS, WORDS)
    lane = tl.arange(0, WORDS)[None, :]
    word = (first * BITS)[:, None] + lane
    keep = (unit < n_units)[:, None] & (lane < BITS)
    if not WHOLE:
        keep = keep & (word < words_per_row)
    tl.store(words_ptr + (row * words_per_row)[:, None] + word, words, mask=keep)
    if CHECK:
        tl.store(wrong_ptr, 1, mask=beyond)


@triton.jit(do_not_specialize=["rows", "units"])
def pack_columns(
    x_ptr,
    words_ptr,
    wrong_ptr,
    rows,
    cols,
    units,
    words_per_column,
    BITS: tl.constexpr,
    CHECK: tl.constexpr,
    COLS: tl.constexpr,
):
    """32 rows of COLS columns of a matrix, whose codes fill BITS rows of words."""
    pid = tl.program_id(0).to(tl.int64)
    tiles = tl.cdiv(cols, COLS)
    # 32 rows may be more than 2^31 elements
    stride = tl.cast(cols, tl.int64)
    column = (pid % tiles) * COLS + tl.arange(0, COLS)
    unit = (pid // tiles) % units
    matrix = pid // tiles // units
    first = unit * 32
    start = x_ptr + (matrix * rows + first) * cols + column
    end = words_ptr + (matrix * words_per_column + unit * BITS) * cols + column
    inside = column < cols
    beyond = tl.zeros([COLS], tl.int32)
    word = tl.zeros([COLS], tl.int32)
    for i in tl.static_range(32):
        held = inside & (first + i < rows)
        code = tl.load(start + i * stride, mask=held, other=0).to(tl.int32) + (1 << (BITS - 1))
        beyond = beyond | (code >> BITS)
        code = tl.where(held, code & ((1 << BITS) - 1), 0)
        word = word | (code << (i * BITS % 32))
        if (i + 1) * BITS // 32 > i * BITS // 32:
            keep = inside & (unit * BITS + i * BITS // 32 < words_per_column)
            tl.store(end + (i * BITS // 32) * stride, word, mask=keep)
            word = code & 0
            if (i + 1) * BITS % 32 > 0:
                word = code >> (BITS - (i + 1) * BITS % 32)
    if CHECK:
        tl.store(wrong_ptr, 1, mask=tl.max((beyond != 0).to(tl.int32), axis=0) > 0)
