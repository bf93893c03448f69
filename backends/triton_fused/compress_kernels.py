"""The fused kernels: a tensor in; codes, scales and zero-points out, each element read once."""

import triton
import triton.language as tl

from .arithmetic import (
    CORRECTED,
    INTERPRETED,
    POWER,
    magnitude_bits,
    narrow,
    prepare_divisor,
    quotient,
    to_dtype,
    widen,
)
from .codes import encode_e2, encode_e4m3, encode_float, encode_int, stored
from .scales import (
    E4M3_SCALE,
    GIVEN_GLOBAL,
    MADE_GLOBAL,
    MX_SCALE,
    NO_GLOBAL,
    global_scale_of,
    mx_code,
    scale_and_zero_point,
)
from .word_kernels import piece_of_eight, words_of_32, words_of_rows

INT = tl.constexpr(0)
SMALL_FLOAT = tl.constexpr(1)
E4M3 = tl.constexpr(2)

WORDS = tl.constexpr(0)  # codes packed into int32 words
BYTES = tl.constexpr(1)  # a code in a byte
SCALES = tl.constexpr(2)  # no codes

MOST_PARTIALS = tl.constexpr(512)
LARGEST = tl.constexpr(3.4028234663852886e38)


@triton.jit
def partial_amax(x_ptr, partial_ptr, n, BLOCK: tl.constexpr, STEPS: tl.constexpr):
    """The bits of the largest magnitude of each program's share of ``n`` elements."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    largest = tl.zeros([BLOCK], tl.int32)
    # all programs go through the tensor together: its end is read last, and is found in the cache
    for _ in range(STEPS):
        x = tl.load(x_ptr + index, mask=index < n, other=0.0)
        largest = tl.maximum(largest, magnitude_bits(widen(x)))
        index += tl.num_programs(0).to(tl.int64) * BLOCK
    tl.store(partial_ptr + tl.program_id(0), tl.max(largest, axis=0))


@triton.jit
def quotient_of_e4m3(scale, whole):
    """``scale / whole``, a number of 4 bits over one from 2^-60 to 2^100."""
    if INTERPRETED:
        s = tl.div_rn(scale, tl.zeros(scale.shape, tl.float32) + whole)
    else:
        r = tl.div_rn(tl.full([], 1.0, tl.float32), whole)
        y = scale * r
        s = tl.fma(tl.fma(y, -whole, scale), r, y)
    return s


@triton.jit
def brought_near(x, s, k):
    """k * x, for the codes of x / s: what is too small for any is 0, infinite is the largest."""
    x = tl.minimum(tl.maximum(x, -LARGEST), LARGEST)
    # |x| / s <= 2^-150, which rounds to 0; of all numbers that are compared with x, s is exact
    return tl.where(tl.abs(x) * 2.0**60 <= s * 2.0**-90, 0.0, x) * k


@triton.jit
def amax_of_partials(partial_ptr, count, MOST: tl.constexpr):
    """The largest of the partial maxima, as bits."""
    lane = tl.arange(0, MOST)
    return tl.max(tl.load(partial_ptr + lane, mask=lane < count, other=0), axis=0)


@triton.jit(do_not_specialize=["n_units", "units_per_row", "rows", "n_partials", "extent"])
def compress_units(
    x_ptr,
    codes_ptr,
    scale_ptr,
    zp_ptr,
    shape_ptr,
    global_ptr,
    partial_ptr,
    n_units,
    units_per_row,
    rows,
    length,
    stride_row,
    pieces_per_row,
    n_partials,
    cols,
    extent,
    X: tl.constexpr,
    UNITS: tl.constexpr,
    BLOCK: tl.constexpr,
    LANES: tl.constexpr,
    PIECE: tl.constexpr,
    JOINED: tl.constexpr,
    ZP_ROWS: tl.constexpr,
    FLAT: tl.constexpr,
    ROW_TAIL: tl.constexpr,
    WHOLE: tl.constexpr,
    ONE_UNIT: tl.constexpr,
    KIND: tl.constexpr,
    BITS: tl.constexpr,
    MANTISSA: tl.constexpr,
    MIN_EXPONENT: tl.constexpr,
    MIN: tl.constexpr,
    MAX: tl.constexpr,
    SYMMETRIC: tl.constexpr,
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
    GLOBAL: tl.constexpr,
    NUMERATOR: tl.constexpr,
    TINY: tl.constexpr,
    DIVISION: tl.constexpr,
    POSITIVE_ZERO: tl.constexpr,
    OFFSET: tl.constexpr,
    OUT: tl.constexpr,
    STORE_CODE: tl.constexpr,
    STORE_SHAPE: tl.constexpr,
):
    """``UNITS`` units, each ``length`` elements in a row with a scale of their own.

    With ONE_UNIT all have the scale of the partial maxima. Rows are ``stride_row`` apart. A unit is
    of LANES threads, if they suffice; each has 8 elements of every part. With ROW_TAIL it is a row,
    whose last word is filled up with zeros. With JOINED each lane has 32 elements in a row, and its
    codes whole words. With ZP_ROWS units are those of so many rows, whose zero-points are a word.
    """
    program = tl.program_id(0).to(tl.int64)
    if ONE_UNIT or GLOBAL == MADE_GLOBAL:
        # what was read last is in the cache
        program = tl.num_programs(0) - 1 - program
    if ZP_ROWS > 0:
        beside: tl.constexpr = UNITS // ZP_ROWS
        programs_per_row = tl.cdiv(units_per_row, beside)
        word_row = program // programs_per_row
        group = (program % programs_per_row) * beside + tl.arange(0, UNITS) % beside
        row = word_row * ZP_ROWS + tl.arange(0, UNITS) // beside
        within = (row < rows) & (group < units_per_row)
        unit = row * units_per_row + group
        first = group * (BLOCK if WHOLE else length)
    else:
        unit = program * UNITS + tl.arange(0, UNITS)
        within = unit < n_units
    if ZP_ROWS > 0:
        pass
    elif FLAT:
        # rows follow each other without a gap, in the tensor as in its codes
        row = tl.zeros([UNITS], tl.int64)
        first = unit * (BLOCK if WHOLE else length)
    else:
        row = unit // units_per_row
        first = (unit - row * units_per_row) * (BLOCK if WHOLE else length)
    start = row * stride_row + first
    # part p has, of each lane, 8 elements in a row: what a thread loads at once
    lane = tl.arange(0, LANES)[:, None] * (32 if JOINED else 8) + tl.arange(0, 8)[None, :]
    step: tl.constexpr = 8 if JOINED else 8 * LANES
    parts: tl.constexpr = BLOCK // (8 * LANES)
    # eight codes fill as many pieces as they have bits, or fewer and wider ones
    pieces: tl.constexpr = 8 * BITS // PIECE
    xs = ()
    for p in tl.static_range(parts):
        column = (lane + p * step)[None, :, :]
        mask = within[:, None, None]
        if not WHOLE:
            mask = mask & (column < length) & (first[:, None, None] + column < extent)
        xs = xs + (widen(tl.load(x_ptr + start[:, None, None] + column, mask=mask, other=0.0)),)

    if ONE_UNIT:
        amax_bits = amax_of_partials(partial_ptr, n_partials, MOST_PARTIALS)
        amax_bits = tl.full([UNITS], 0, tl.int32) + amax_bits
    else:
        largest = magnitude_bits(xs[0])
        for p in tl.static_range(1, parts):
            largest = tl.maximum(largest, magnitude_bits(xs[p]))
        amax_bits = tl.max(tl.max(largest, axis=2), axis=1)
    lo, hi, whole = amax_bits, amax_bits, amax_bits
    if not SYMMETRIC:
        least = tl.minimum(xs[0], 0.0)
        most = tl.maximum(xs[0], 0.0)
        for p in tl.static_range(1, parts):
            least = tl.minimum(least, xs[p])
            most = tl.maximum(most, xs[p])
        lo = tl.min(tl.min(least, axis=2), axis=1)
        hi = tl.max(tl.max(most, axis=2), axis=1)
    if GLOBAL == GIVEN_GLOBAL:
        whole = tl.load(global_ptr)
    elif GLOBAL == MADE_GLOBAL:
        largest = amax_of_partials(partial_ptr, n_partials, MOST_PARTIALS)
        whole = global_scale_of(largest, X, NUMERATOR, TINY)
    scale, zero_point = scale_and_zero_point(
        amax_bits,
        lo,
        hi,
        whole,
        X,
        GLOBAL != NO_GLOBAL,
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
    s = scale
    bounded: tl.constexpr = GLOBAL == MADE_GLOBAL and SCALE_MODE == E4M3_SCALE and X != tl.float32
    if bounded:
        # then s is between 2^-69 and 2^15, and no quotient underflows to a zero
        if (whole >= 2.0**-6) & (whole <= 2.0**60) & (largest < 0x7F800000):
            s = quotient_of_e4m3(scale, whole)
        else:
            s = tl.div_rn(scale, tl.zeros([UNITS], tl.float32) + whole)
            k, _, _ = prepare_divisor(s, CORRECTED)
            for p in tl.static_range(parts):
                near_1 = brought_near(xs[p], s[:, None, None], k[:, None, None])
                xs = xs[:p] + (near_1,) + xs[p + 1 :]
            s = tl.where(magnitude_bits(s) < 0x7F800000, s * k, s)
    elif GLOBAL != NO_GLOBAL:
        s = tl.div_rn(scale, tl.zeros([UNITS], tl.float32) + whole)

    keeps = within
    if ONE_UNIT:
        keeps = within & (unit == 0)
    if not STORE_CODE:
        tl.store(scale_ptr + unit, narrow(scale, scale_ptr.dtype.element_ty), mask=keeps)
    elif SCALE_MODE == MX_SCALE:
        tl.store(scale_ptr + unit, mx_code(scale), mask=keeps)
    else:
        tl.store(scale_ptr + unit, encode_e4m3(scale), mask=keeps)
    if ZP_ROWS > 0:
        offset: tl.constexpr = 1 << (BITS - 1)
        word = words_of_rows(
            tl.where(within, zero_point.to(tl.int32) + offset, 0), BITS, ZP_ROWS, beside
        )
        group = (program % programs_per_row) * beside + tl.arange(0, beside)
        tl.store(zp_ptr + word_row * units_per_row + group, word, mask=group < units_per_row)
    elif not SYMMETRIC:
        tl.store(zp_ptr + unit, stored(zero_point, ZP), mask=keeps)
    if GLOBAL == MADE_GLOBAL:
        tl.store(
            global_ptr + unit, whole + tl.zeros([UNITS], tl.float32), mask=within & (unit == 0)
        )
    if STORE_SHAPE:
        tl.store(shape_ptr + unit, rows + unit, mask=within & (unit == 0))
        tl.store(shape_ptr + 1 + unit, cols + unit, mask=within & (unit == 0))

    if OUT != SCALES:
        if bounded:
            k = tl.full([UNITS], 1.0, tl.float32)
            divisor = s
            r = tl.div_rn(k, s)
        else:
            k, divisor, r = prepare_divisor(s, DIVISION)
        finite = magnitude_bits(s) < 0x7F800000
        codes = ()
        for p in tl.static_range(parts):
            x = xs[p]
            y = quotient(
                x,
                k[:, None, None],
                tl.broadcast_to(divisor[:, None, None], x.shape),
                r[:, None, None],
                DIVISION,
            )
            if GLOBAL == NO_GLOBAL and DIVISION != POWER:
                # to the dtype of x
                y = to_dtype(y, X)
            if not SYMMETRIC:
                shift_by = zero_point
                if ZP != tl.int8 and ZP != tl.uint8:
                    shift_by = to_dtype(zero_point, X)
                y = y + shift_by[:, None, None]
                if GLOBAL == NO_GLOBAL:
                    # to the dtype of x
                    y = to_dtype(y, X)
            if KIND == INT:
                if SYMMETRIC and SCALE_NAN:
                    # of a scale that is inf or NaN all codes are those of +0
                    code = tl.where(finite[:, None, None], encode_int(y, MIN, MAX), 0)
                else:
                    code = tl.where(y == y, encode_int(y, MIN, MAX), 0)
            elif KIND == SMALL_FLOAT:
                # with a step of Newton's method a zero comes out positive
                if POSITIVE_ZERO and not (bounded and DIVISION == CORRECTED):
                    y = y + 0.0
                known = y == y
                if BITS != 4:
                    y = tl.where(known, y, 0.0)
                if BITS == 8:
                    # of these formats those whose codes are stored have NaN
                    code = encode_float(y, BITS, MANTISSA, MIN_EXPONENT, MAX)
                    code = tl.where(known, code, 0x7F)
                else:
                    code = encode_e2(y, BITS, MANTISSA, MIN_EXPONENT, MAX)
            else:
                if POSITIVE_ZERO:
                    y = y + 0.0
                code = encode_e4m3(y)

            column = (lane + p * step)[None, :, :]
            mask = within[:, None, None]
            if not WHOLE:
                mask = mask & (column < length) & (first[:, None, None] + column < extent)
            if OUT == BYTES:
                at = (row * cols + first)[:, None, None] + column
                if OFFSET > 0:
                    code = code + OFFSET
                tl.store(codes_ptr + at, code.to(tl.uint8), mask=mask)
            else:
                if KIND == INT:
                    code = code + (1 << (BITS - 1))
                    if not WHOLE:
                        code = tl.where(mask, code, 0)
                if JOINED:
                    codes = codes + (code,)
                else:
                    lane_of = tl.arange(0, LANES)[None, :]
                    piece = (lane_of + p * LANES) * pieces
                    base = (row * pieces_per_row + first * BITS // PIECE)[:, None] + piece
                    keep = within[:, None] & (base < ((row + 1) * pieces_per_row)[:, None])
                    if not ROW_TAIL:
                        keep = keep & ((lane_of + p * LANES) * 8 < length)
                    for w in tl.static_range(pieces):
                        packed = piece_of_eight(code, w, BITS, PIECE)
                        if KIND == SMALL_FLOAT and BITS == 4:
                            packed = tl.where(finite[:, None], packed, 0)
                        packed = packed.to(codes_ptr.dtype.element_ty)
                        if ROW_TAIL:
                            end = ((row + 1) * pieces_per_row)[:, None]
                            keep = within[:, None] & (base + w < end)
                        tl.store(codes_ptr + base + w, packed, mask=keep)
        if OUT == WORDS and JOINED:
            packed = words_of_32(codes, BITS, UNITS, LANES)
            w = tl.arange(0, 8)[None, None, :]
            word = tl.arange(0, LANES)[None, :, None] * BITS + w
            mask = within[:, None, None] & (w < BITS)
            if not WHOLE:
                held = tl.minimum(length, extent - first)
                mask = mask & (word < ((held * BITS + 31) // 32)[:, None, None])
            at = (row * pieces_per_row + first * BITS // 32)[:, None, None] + word
            tl.store(codes_ptr + at, packed, mask=mask)


@triton.jit(do_not_specialize=["rows", "blocks_per_row"])
def compress_blocks(
    x_ptr,
    codes_ptr,
    scale_ptr,
    rows,
    cols,
    blocks_per_row,
    stride_row,
    X: tl.constexpr,
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
    """One block of (ROWS, COLS), symmetric codes of a byte; TALL and WIDE are powers of two."""
    block = tl.program_id(0).to(tl.int64)
    row = tl.arange(0, TALL)
    column = tl.arange(0, WIDE)
    mask = ((row < ROWS)[:, None]) & ((column < COLS)[None, :])
    row = row + (block // blocks_per_row) * ROWS
    column = column + (block % blocks_per_row) * COLS
    mask = mask & (row < rows)[:, None] & (column < cols)[None, :]
    x = widen(tl.load(x_ptr + row[:, None] * stride_row + column[None, :], mask=mask, other=0.0))
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
    at = scale_ptr + block + tl.arange(0, 1)
    if STORE_CODE:
        tl.store(at, encode_e4m3(scale))
    else:
        tl.store(at, narrow(scale, scale_ptr.dtype.element_ty))
    k, divisor, r = prepare_divisor(scale, DIVISION)
    y = quotient(x, k[:, None], tl.broadcast_to(divisor[:, None], x.shape), r[:, None], DIVISION)
    # to the dtype of x; -0.0 and the zero-point give +0
    y = to_dtype(y, X) + 0.0
    if KIND == INT:
        finite = (magnitude_bits(scale) < 0x7F800000)[:, None]
        code = tl.where(finite, encode_int(y, MIN, MAX), 0).to(tl.uint8)
    else:
        code = encode_e4m3(y)
    tl.store(codes_ptr + row[:, None] * cols + column[None, :], code, mask=mask)
