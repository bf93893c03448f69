"""The fused kernels: a tensor in; codes, scales and zero-points out, each element read once."""

import triton
import triton.language as tl

from .arithmetic import INTERPRETED, magnitude_bits, reciprocal, to_dtype, widen
from .codes import stored
from .encode_kernels import FINITE, INT, NEAR, NOTHING, SMALL_FLOAT, codes_of
from .given_kernels import given_scale, store_scale
from .pair_kernels import loaded_pairs, numbers_of_pairs, range_of_pairs, words_of_pairs
from .scales import (
    E4M3_SCALE,
    GIVEN_GLOBAL,
    MADE_GLOBAL,
    NO_GLOBAL,
    global_scale_of,
    quotient_of_e4m3,
    scale_and_zero_point,
)
from .word_kernels import (
    codes_within,
    joined_words,
    piece_of_eight,
    words_of_codes,
    words_of_rows,
    zeros_but,
)

WORDS = tl.constexpr(0)  # codes packed into int32 words
BYTES = tl.constexpr(1)  # a code in a byte
SCALES = tl.constexpr(2)  # no codes

PARTIALS = tl.constexpr(256)


@triton.jit
def partial_amax(x_ptr, partial_ptr, n, BLOCK: tl.constexpr, STEPS: tl.constexpr):
    """The bits of the largest magnitude of each program's share of ``n`` elements."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    largest = tl.zeros([BLOCK], tl.int32)
    # all programs go through the tensor together: its end is read last, and is found in the cache
    for _ in tl.range(STEPS, loop_unroll_factor=2):
        x = tl.load(x_ptr + index, mask=index < n, other=0.0)
        largest = tl.maximum(largest, magnitude_bits(widen(x)))
        index += PARTIALS * BLOCK
    tl.store(partial_ptr + tl.program_id(0), tl.max(largest, axis=0))


@triton.jit
def amax_of_partials(partial_ptr):
    """The largest of the partial maxima, as bits."""
    return tl.max(tl.load(partial_ptr + tl.arange(0, PARTIALS)), axis=0)


@triton.jit(do_not_specialize=["n_units", "units_per_row", "rows", "extent"])
def compress_units(
    x_ptr,
    codes_ptr,
    scale_ptr,
    zp_ptr,
    shape_ptr,
    global_ptr,
    partial_ptr,
    given_ptr,
    given_zp_ptr,
    n_units,
    units_per_row,
    rows,
    length,
    stride_row,
    pieces_per_row,
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
    PAIR_CODES: tl.constexpr,
    ONE_UNIT: tl.constexpr,
    GIVEN: tl.constexpr,
    HAS_ZP: tl.constexpr,
    S: tl.constexpr,
    Y: tl.constexpr,
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

    GIVEN scales are read, with zero-points if HAS_ZP, and not made. S is the dtype of the quotient
    of scale and global scale; Y the working dtype, which x / s is rounded to. With PAIR_CODES, the
    PTX that makes codes of usual numbers, x is bfloat16 in pairs, and all units are WHOLE.
    """
    paired: tl.constexpr = PAIR_CODES != ""
    program = tl.program_id(0).to(tl.int64)
    if (ONE_UNIT and not GIVEN) or GLOBAL == MADE_GLOBAL:
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
    lane = tl.arange(0, LANES) * (32 if JOINED else 8)
    step: tl.constexpr = 8 if JOINED else 8 * LANES
    parts: tl.constexpr = BLOCK // (8 * LANES)
    # eight codes fill as many pieces as they have bits, or fewer and wider ones
    pieces: tl.constexpr = 8 * BITS // PIECE
    held = tl.minimum(length, extent - first)
    xs = ()
    if paired:
        xs = loaded_pairs(x_ptr, start, within, LANES, JOINED, parts)
    else:
        for p in tl.static_range(parts):
            if JOINED:
                column = (lane[:, None] + tl.arange(0, 8)[None, :] + p * step)[None, :, :]
                mask = within[:, None, None]
                if not WHOLE:
                    mask = mask & (column < held[:, None, None])
                x = tl.load(x_ptr + start[:, None, None] + column, mask=mask, other=0.0)
            else:
                # as lanes that follow each other are loaded best
                column = (tl.arange(0, 8 * LANES) + p * step)[None, :]
                mask = within[:, None]
                if not WHOLE:
                    mask = mask & (column < held[:, None])
                x = tl.load(x_ptr + start[:, None] + column, mask=mask, other=0.0)
                x = tl.reshape(x, [UNITS, LANES, 8])
            xs = xs + (widen(x),)

    if GIVEN:
        amax_bits = tl.zeros([UNITS], tl.int32)
    elif paired:
        amax_bits, lo = range_of_pairs(xs, SYMMETRIC)
    elif ONE_UNIT:
        amax_bits = amax_of_partials(partial_ptr)
        amax_bits = tl.full([UNITS], 0, tl.int32) + amax_bits
    else:
        if SYMMETRIC:
            largest = magnitude_bits(xs[0])
            for p in tl.static_range(1, parts):
                largest = tl.maximum(largest, magnitude_bits(xs[p]))
        else:
            # a NaN is the largest
            most = xs[0]
            least = tl.minimum(xs[0], 0.0)
            for p in tl.static_range(1, parts):
                most = tl.maximum(most, xs[p], propagate_nan=tl.PropagateNan.ALL)
                least = tl.minimum(least, xs[p])
            largest = tl.maximum(most, 0.0, propagate_nan=tl.PropagateNan.ALL)
            largest = magnitude_bits(largest)
            lo = tl.min(tl.min(least, axis=2), axis=1)
        amax_bits = tl.max(tl.max(largest, axis=2), axis=1)
    whole = amax_bits
    if SYMMETRIC or GIVEN:
        lo, hi = amax_bits, amax_bits
    else:
        hi = amax_bits.to(tl.float32, bitcast=True)
    if GLOBAL == GIVEN_GLOBAL:
        whole = widen(tl.load(global_ptr))
    elif GLOBAL == MADE_GLOBAL:
        largest = amax_of_partials(partial_ptr)
        whole = global_scale_of(largest, X, NUMERATOR, TINY)
    if GIVEN:
        at_scale = unit * 0 if ONE_UNIT else unit
        scale, zero_point = given_scale(given_ptr, given_zp_ptr, at_scale, within, X, HAS_ZP, ZP)
    else:
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
    usual = True
    bounded: tl.constexpr = GLOBAL == MADE_GLOBAL and SCALE_MODE == E4M3_SCALE and X != tl.float32
    if bounded:
        # then s is between 2^-69 and 2^15, and no quotient underflows to a zero
        usual = (whole >= 2.0**-6) & (whole <= 2.0**60) & (largest < 0x7F800000)
        if usual:
            s = quotient_of_e4m3(scale, whole)
        else:
            s = tl.div_rn(scale, tl.zeros([UNITS], tl.float32) + whole)
    elif GLOBAL != NO_GLOBAL:
        # to the dtype of s
        s = to_dtype(tl.div_rn(scale, tl.zeros([UNITS], tl.float32) + whole), S)
    if HAS_ZP and not GIVEN:
        # to the dtype of x
        shift_by = to_dtype(zero_point, X)
    else:
        shift_by = zero_point
    int_zp: tl.constexpr = SYMMETRIC or ZP == tl.int8 or ZP == tl.uint8
    widest: tl.constexpr = MIN == -(1 << (BITS - 1)) and MAX == (1 << (BITS - 1)) - 1
    steps: tl.constexpr = KIND == INT and int_zp and widest and OUT != SCALES and not GIVEN
    if steps:
        # then no quotient is NaN, nor one of far more than the largest code
        size = tl.abs(s)
        tame = (
            (amax_bits < 0x7F800000)
            & (size >= 2.0**-100)
            & (size <= (2.0**15 if X == tl.float16 else 2.0**100))
        )
        usual = tl.min(tame.to(tl.int32), axis=0) > 0

    keeps = within
    if ONE_UNIT:
        keeps = within & (unit == 0)
    store_scale(scale_ptr, unit, scale, keeps, GIVEN, SCALE_MODE, SCALE, SCALE_MAX, STORE_CODE)
    if ZP_ROWS > 0:
        offset: tl.constexpr = 1 << (BITS - 1)
        word = words_of_rows(
            tl.where(within, zero_point.to(tl.int32) + offset, 0), BITS, ZP_ROWS, beside
        )
        group = (program % programs_per_row) * beside + tl.arange(0, beside)
        tl.store(zp_ptr + word_row * units_per_row + group, word, mask=group < units_per_row)
    elif not SYMMETRIC and not GIVEN:
        tl.store(zp_ptr + unit, stored(zero_point, ZP), mask=keeps)
    if GLOBAL == MADE_GLOBAL:
        tl.store(
            global_ptr + unit, whole + tl.zeros([UNITS], tl.float32), mask=within & (unit == 0)
        )
    if STORE_SHAPE:
        tl.store(shape_ptr + unit, rows + unit, mask=within & (unit == 0))
        tl.store(shape_ptr + 1 + unit, cols + unit, mask=within & (unit == 0))

    if OUT != SCALES:
        finite = magnitude_bits(s) < 0x7F800000
        known: tl.constexpr = NEAR if bounded else FINITE if steps else NOTHING
        if paired and known == NOTHING:
            usual = tl.min(finite.to(tl.int32), axis=0) > 0
        if paired and not INTERPRETED and usual:
            words = words_of_pairs(xs, reciprocal(s), -s if bounded else shift_by, BITS, PAIR_CODES)
        else:
            codes = codes_of(
                numbers_of_pairs(xs) if paired else xs,
                s,
                shift_by,
                usual,
                known,
                GIVEN,
                HAS_ZP,
                Y,
                DIVISION,
                POSITIVE_ZERO,
                KIND,
                BITS,
                MANTISSA,
                MIN_EXPONENT,
                MIN,
                MAX,
            )
            if paired:
                words = words_of_codes(codes, BITS)
                if KIND == SMALL_FLOAT and BITS == 4:
                    words = zeros_but(finite, words)

    if OUT == WORDS and KIND == INT and not WHOLE:
        codes = codes_within(codes, lane, step, held)
    if OUT == BYTES:
        for p in tl.static_range(parts):
            column = (tl.arange(0, 8 * LANES) + p * step)[None, :]
            mask = within[:, None]
            if not WHOLE:
                mask = mask & (column < held[:, None])
            at = (row * cols + first)[:, None] + column
            code = codes[p]
            if KIND == INT and OFFSET == 0:
                code = code - (1 << (BITS - 1))
            code = tl.reshape(code.to(tl.uint8), [UNITS, 8 * LANES])
            tl.store(codes_ptr + at, code, mask=mask)
    elif OUT == WORDS and JOINED:
        if not paired:
            words = words_of_codes(codes, BITS)
        # words of a lane, up to a power of two
        padded: tl.constexpr = 2 if BITS == 2 else 4 if BITS <= 4 else 8
        packed = joined_words(words, padded)
        w = tl.arange(0, padded)[None, None, :]
        word = tl.arange(0, LANES)[None, :, None] * BITS + w
        mask = within[:, None, None]
        if padded > BITS:
            mask = mask & (w < BITS)
        if not WHOLE:
            mask = mask & (word < ((held * BITS + 31) // 32)[:, None, None])
        at = (row * pieces_per_row + first * BITS // 32)[:, None, None] + word
        tl.store(codes_ptr + at, packed, mask=mask)
    elif OUT == WORDS:
        for p in tl.static_range(parts):
            lane_of = tl.arange(0, LANES)[None, :] + p * LANES
            base = (row * pieces_per_row + first * BITS // PIECE)[:, None] + lane_of * pieces
            keep = within[:, None] & (base < ((row + 1) * pieces_per_row)[:, None])
            if not ROW_TAIL:
                keep = keep & (lane_of * 8 < length)
            if paired:
                tl.store(codes_ptr + base, words[p], mask=keep)
            else:
                code = codes[p]
                for w in tl.static_range(pieces):
                    packed = piece_of_eight(code, w, BITS, PIECE)
                    if KIND == SMALL_FLOAT and BITS == 4 and not GIVEN:
                        packed = tl.where(finite[:, None], packed, 0)
                    if ROW_TAIL:
                        end = ((row + 1) * pieces_per_row)[:, None]
                        keep = within[:, None] & (base + w < end)
                    packed = packed.to(codes_ptr.dtype.element_ty)
                    tl.store(codes_ptr + base + w, packed, mask=keep)
