"""The fused kernels: a tensor in; codes, scales and zero-points out, each element read once."""

import triton
import triton.language as tl

from .arithmetic import (
    CORRECTED,
    INTERPRETED,
    magnitude_bits,
    pairs_to_dtype,
    prepare_divisor,
    quotient,
    to_dtype,
    widen,
)
from .codes import encode_e2, encode_e4m3, encode_float, encode_int, encode_steps, stored
from .given_kernels import given_scale, prepare_given, store_scale
from .scales import (
    E4M3_SCALE,
    GIVEN_GLOBAL,
    MADE_GLOBAL,
    NO_GLOBAL,
    global_scale_of,
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
FAR = tl.constexpr(2.0**26)  # beyond all codes, as ``encode_steps`` wants it


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
def tamed(x, s, k, zero_point):
    """k * x, of which the code is made with k * s; or with 1, of an s that is inf or NaN.

    What has no quotient becomes what is 0 once the zero-point is added; what is infinite, a number
    whose quotient is beyond all codes.
    """
    nan = (x - x != 0.0) | (s != s)
    far = tl.abs(s * k) * FAR
    near = tl.minimum(tl.maximum(x * k, -far), far)
    near = tl.where(x == x, near, -zero_point * (s * k))
    return tl.where(tl.abs(s) < float("inf"), near, tl.where(nan, -zero_point, 0.0))


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
    given_ptr,
    given_zp_ptr,
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
    of scale and global scale; Y the working dtype, which x / s is rounded to.
    """
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

    if GIVEN:
        amax_bits = tl.zeros([UNITS], tl.int32)
    elif ONE_UNIT:
        amax_bits = amax_of_partials(partial_ptr, n_partials, MOST_PARTIALS)
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
        largest = amax_of_partials(partial_ptr, n_partials, MOST_PARTIALS)
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
        if tl.min(tame.to(tl.int32), axis=0) == 0:
            finite = size < float("inf")
            k, _, _ = prepare_divisor(size, CORRECTED)
            for p in tl.static_range(parts):
                x = tamed(xs[p], s[:, None, None], k[:, None, None], shift_by[:, None, None])
                xs = xs[:p] + (x,) + xs[p + 1 :]
            s = tl.where(finite, s * k, 1.0)

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
        if GIVEN:
            k, divisor, r = prepare_given(s, DIVISION)
        elif bounded or steps:
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
            # to the working dtype, which may be too coarse for a quotient below the normal numbers
            y = pairs_to_dtype(y, Y)
            if HAS_ZP:
                # to the working dtype
                y = pairs_to_dtype(y + shift_by[:, None, None], Y)
            if steps:
                code = encode_steps(y, BITS)
            elif KIND == INT:
                code = tl.where(y == y, encode_int(y, MIN, MAX), 0) + (1 << (BITS - 1))
            elif KIND == SMALL_FLOAT:
                # with a step of Newton's method a zero comes out positive
                if POSITIVE_ZERO and not (bounded and DIVISION == CORRECTED):
                    y = y + 0.0
                known = y == y
                if BITS != 4 or GIVEN:
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
                if KIND == INT and OFFSET == 0:
                    code = code - (1 << (BITS - 1))
                tl.store(codes_ptr + at, code.to(tl.uint8), mask=mask)
            else:
                if KIND == INT and not WHOLE:
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
                        if KIND == SMALL_FLOAT and BITS == 4 and not GIVEN:
                            packed = tl.where(finite[:, None], packed, 0)
                        packed = packed.to(codes_ptr.dtype.element_ty)
                        if ROW_TAIL:
                            end = ((row + 1) * pieces_per_row)[:, None]
                            keep = within[:, None] & (base + w < end)
                        tl.store(codes_ptr + base + w, packed, mask=keep)
        if OUT == WORDS and JOINED:
            padded: tl.constexpr = 2 if BITS == 2 else 4 if BITS <= 4 else 8
            packed = words_of_32(codes, BITS, UNITS, LANES, padded)
            w = tl.arange(0, padded)[None, None, :]
            word = tl.arange(0, LANES)[None, :, None] * BITS + w
            mask = within[:, None, None]
            if padded > BITS:
                mask = mask & (w < BITS)
            if not WHOLE:
                held = tl.minimum(length, extent - first)
                mask = mask & (word < ((held * BITS + 31) // 32)[:, None, None])
            at = (row * pieces_per_row + first * BITS // 32)[:, None, None] + word
            tl.store(codes_ptr + at, packed, mask=mask)
