"""The kernel of minima and maxima, and of the state of an observer."""

import triton
import triton.language as tl

from .arithmetic import magnitude_bits, narrow, to_dtype, widen

NO_STATE = tl.constexpr(0)
RUNNING = tl.constexpr(1)  # the smaller and the larger, and NaN once it is there
AVERAGE = tl.constexpr(2)  # state * kept + range * new


@triton.jit(do_not_specialize=["n_units", "out_stride"])
def ranges_of_blocks(
    x_ptr,
    lo_ptr,
    hi_ptr,
    before_lo_ptr,
    before_hi_ptr,
    rows,
    cols,
    stride_row,
    tall,
    wide,
    blocks_per_row,
    n_units,
    out_stride,
    kept,
    new,
    STATE: tl.constexpr,
    X: tl.constexpr,
    PADDED: tl.constexpr,
    WHOLE: tl.constexpr,
    FLAT: tl.constexpr,
    UNITS: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
):
    """The ranges of UNITS blocks, by tiles of (ROWS, COLS); what lies beyond a block is left out.

    PADDED: what lies beyond the matrix is 0.
    """
    unit = tl.program_id(0).to(tl.int64) * UNITS + tl.arange(0, UNITS)
    within = (unit < n_units)[:, None, None]
    block_row = unit // blocks_per_row
    block_col = unit - block_row * blocks_per_row
    first_row = (block_row * tall)[:, None, None]
    first_col = (block_col * wide)[:, None, None]
    start = first_row * stride_row + first_col
    if FLAT:
        start = (unit * wide)[:, None, None]
    least = tl.full([UNITS, ROWS, COLS], float("inf"), tl.float32)
    most = tl.full([UNITS, ROWS, COLS], float("-inf"), tl.float32)
    largest = tl.zeros([UNITS, ROWS, COLS], tl.int32)
    for r in range(0, tall, ROWS):
        row = r + tl.arange(0, ROWS)[None, :, None]
        for c in range(0, wide, COLS):
            col = c + tl.arange(0, COLS)[None, None, :]
            at = x_ptr + start + row.to(tl.int64) * stride_row + col
            if WHOLE:
                x = widen(tl.load(at, mask=within, other=0.0))
                least = tl.minimum(least, x)
                most = tl.maximum(most, x)
            else:
                in_matrix = (first_row + row < rows) & (first_col + col < cols) & within
                in_unit = (row < tall) & (col < wide) & within
                x = widen(tl.load(at, mask=in_matrix & in_unit, other=0.0))
                counts = in_unit
                if not PADDED:
                    counts = in_matrix & in_unit
                least = tl.where(counts, tl.minimum(least, x), least)
                most = tl.where(counts, tl.maximum(most, x), most)
            largest = tl.maximum(largest, magnitude_bits(x))
    nan = tl.max(tl.max(largest, axis=2), axis=1) > 0x7F800000
    lo = without_sign_of_zero(tl.min(tl.min(least, axis=2), axis=1), nan)
    hi = without_sign_of_zero(tl.max(tl.max(most, axis=2), axis=1), nan)
    keeps = unit < n_units
    at_unit = block_row * out_stride + block_col
    if STATE != NO_STATE:
        before_lo = widen(tl.load(before_lo_ptr + at_unit, mask=keeps, other=0.0))
        before_hi = widen(tl.load(before_hi_ptr + at_unit, mask=keeps, other=0.0))
        if STATE == RUNNING:
            lo = tl.where((before_lo < lo) | (before_lo != before_lo), before_lo, lo)
            hi = tl.where((before_hi > hi) | (before_hi != before_hi), before_hi, hi)
        else:
            # the two products and the sum, each to the dtype of the range
            lo = to_dtype(to_dtype(before_lo * kept, X) + to_dtype(lo * new, X), X)
            hi = to_dtype(to_dtype(before_hi * kept, X) + to_dtype(hi * new, X), X)
    tl.store(lo_ptr + at_unit, narrow(lo, X), mask=keeps)
    tl.store(hi_ptr + at_unit, narrow(hi, X), mask=keeps)


@triton.jit
def without_sign_of_zero(value, nan):
    """A minimum or maximum: a zero is +0, and NaN if there was one."""
    return tl.where(nan, float("nan"), tl.where(value == 0.0, 0.0, value))
