"""Kernels that bring packed codes back, one in an element."""

import triton
import triton.language as tl

from .arithmetic import narrow
from .bit_fields import load_eight
from .codes import decode_float


@triton.jit(do_not_specialize=["n_eights", "eights_per_row"])
def unpack_eights(
    words_ptr,
    out_ptr,
    n_eights,
    eights_per_row,
    cols,
    words_per_row,
    BITS: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    OUT: tl.constexpr,
    ONE_ROW: tl.constexpr,
    WHOLE: tl.constexpr,
    EIGHTS: tl.constexpr,
):
    """Eights of codes of a row: integers if MANTISSA is -1, else values."""
    eight = tl.program_id(0).to(tl.int64) * EIGHTS + tl.arange(0, EIGHTS)
    held = eight < n_eights
    row = eight * 0
    if not ONE_ROW:
        row = eight // eights_per_row
    first = eight - row * eights_per_row
    bit = first * (8 * BITS)
    word = bit >> 5
    bits = load_eight(
        words_ptr,
        row * words_per_row + word,
        bit & 31,
        words_per_row - 1 - word,
        held,
        BITS,
    )
    code = (bits[:, None] >> (tl.arange(0, 8) * BITS)[None, :]).to(tl.int32) & ((1 << BITS) - 1)
    column = (first * 8)[:, None] + tl.arange(0, 8)[None, :]
    mask = held[:, None]
    if not WHOLE:
        mask = mask & (column < cols)
    at = out_ptr + (row * cols)[:, None] + column
    if MANTISSA < 0:
        tl.store(at, (code - (1 << (BITS - 1))).to(tl.int8), mask=mask)
    else:
        tl.store(at, narrow(decode_float(code, BITS, MANTISSA, MIN_EXPONENT), OUT), mask=mask)


@triton.jit(do_not_specialize=["rows", "units"])
def unpack_columns(
    words_ptr,
    out_ptr,
    rows,
    cols,
    units,
    words_per_column,
    BITS: tl.constexpr,
    COLS: tl.constexpr,
):
    """32 rows of COLS columns of a matrix, from BITS rows of words."""
    pid = tl.program_id(0).to(tl.int64)
    tiles = tl.cdiv(cols, COLS)
    # 32 rows may be more than 2^31 elements
    stride = tl.cast(cols, tl.int64)
    column = (pid % tiles) * COLS + tl.arange(0, COLS)
    unit = (pid // tiles) % units
    matrix = pid // tiles // units
    start = words_ptr + (matrix * words_per_column + unit * BITS) * cols + column
    end = out_ptr + (matrix * rows + unit * 32) * cols + column
    inside = column < cols
    words = ()
    for w in tl.static_range(BITS):
        held = inside & (unit * BITS + w < words_per_column)
        words = words + (tl.load(start + w * stride, mask=held, other=0),)
    for i in tl.static_range(32):
        code = words[i * BITS // 32] >> (i * BITS % 32)
        if i * BITS % 32 + BITS > 32:
            code = code & ((1 << (32 - i * BITS % 32)) - 1)
            code = code | (words[i * BITS // 32 + 1] << (32 - i * BITS % 32))
        code = (code & ((1 << BITS) - 1)) - (1 << (BITS - 1))
        keep = inside & (unit * 32 + i < rows)
        tl.store(end + i * stride, code.to(tl.int8), mask=keep)
