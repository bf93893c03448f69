"""Codes packed densely into words, as a step of the kernels that make them."""

import triton
import triton.language as tl


@triton.jit
def piece_of_eight(codes, w, BITS: tl.constexpr, PIECE: tl.constexpr):
    """Piece ``w`` of the pieces of PIECE bits that eight codes fill; codes (units, lanes, 8)."""
    bit = tl.arange(0, 8) * BITS - PIECE * w
    up = codes << tl.minimum(tl.maximum(bit, 0), 31)[None, None, :]
    down = codes >> tl.minimum(tl.maximum(-bit, 0), 31)[None, None, :]
    inside = ((bit > -BITS) & (bit < PIECE))[None, None, :]
    share = tl.where(inside, tl.where(bit[None, None, :] >= 0, up, down), 0)
    return tl.sum(share, axis=2)


@triton.jit
def words_of_32(
    codes, BITS: tl.constexpr, UNITS: tl.constexpr, LANES: tl.constexpr, WORDS: tl.constexpr
):
    """The BITS words that 32 codes of a lane fill, (units, lanes, WORDS), with zeros after them.

    ``codes`` are four tensors of (units, lanes, 8). Each thread has all codes of its lanes, so that
    nothing moves until the words are stored.
    """
    fours = ()
    shift = (tl.arange(0, 4) * BITS)[None, None, None, :]
    for p in tl.static_range(4):
        four = tl.sum(tl.reshape(codes[p], [UNITS, LANES, 2, 4]) << shift, axis=3)
        fours = fours + tl.split(four)
    words = ()
    for w in tl.static_range(WORDS):
        # where a four begins in the word
        word = tl.zeros([UNITS, LANES], tl.int32)
        for f in tl.static_range(8):
            if 32 * w <= 4 * BITS * f and 4 * BITS * f < 32 * (w + 1):
                word = word | (fours[f] << (4 * BITS * f - 32 * w))
            elif 4 * BITS * f < 32 * w and 32 * w < 4 * BITS * (f + 1):
                word = word | (fours[f] >> (32 * w - 4 * BITS * f))
        words = words + (word,)
    if WORDS == 2:
        joined = tl.join(words[0], words[1])
    elif WORDS == 4:
        joined = tl.join(tl.join(words[0], words[2]), tl.join(words[1], words[3]))
    else:
        joined = side_by_side(words)
    return tl.reshape(joined, [UNITS, LANES, WORDS])


@triton.jit
def codes_of_words(words, BITS: tl.constexpr):
    """The 32 codes that BITS words hold, in the order of a last axis of (2, 2, 2, 4)."""
    fours = ()
    for f in tl.static_range(8):
        four = words[4 * BITS * f // 32] >> (4 * BITS * f % 32)
        if 4 * BITS * f % 32 + 4 * BITS > 32:
            # the bits that a word has above the first of the four
            more = words[4 * BITS * f // 32 + 1] << (32 - 4 * BITS * f % 32)
            four = (four & ((1 << (32 - 4 * BITS * f % 32)) - 1)) | more
        fours = fours + (four,)
    joined = side_by_side(fours)
    return (tl.expand_dims(joined, -1) >> (tl.arange(0, 4) * BITS)) & ((1 << BITS) - 1)


@triton.jit
def side_by_side(x):
    """Eight tensors as one, with a last axis of (2, 2, 2)."""
    even = tl.join(tl.join(x[0], x[4]), tl.join(x[2], x[6]))
    odd = tl.join(tl.join(x[1], x[5]), tl.join(x[3], x[7]))
    return tl.join(even, odd)


@triton.jit
def words_of_rows(codes, BITS: tl.constexpr, ROWS: tl.constexpr, GROUPS: tl.constexpr):
    """The words of codes of (ROWS * GROUPS,), row by row, that are packed along the rows."""
    shift = (tl.arange(0, ROWS) * BITS)[:, None]
    return tl.sum(tl.reshape(codes, [ROWS, GROUPS]) << shift, axis=0)
