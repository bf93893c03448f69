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
def words_of_codes(codes, BITS: tl.constexpr):
    """The words, tiles (units, lanes), that codes of a lane fill: tiles (units, lanes, 8).

    Each thread has all codes of its lanes, so that nothing moves until the words are stored.
    """
    fours = ()
    shift = (tl.arange(0, 4) * BITS)[None, None, None, :]
    for p in tl.static_range(len(codes)):
        code = codes[p]
        four = tl.sum(tl.reshape(code, [code.shape[0], code.shape[1], 2, 4]) << shift, axis=3)
        fours = fours + tl.split(four)
    return words_of_fours(fours, BITS)


@triton.jit
def words_of_fours(fours, BITS: tl.constexpr):
    """The words that fours fill, each four codes side by side."""
    words = ()
    for w in tl.static_range(len(fours) * BITS // 8):
        word = fours[0] & 0
        for f in tl.static_range(len(fours)):
            # where a four begins in the word
            if 32 * w <= 4 * BITS * f and 4 * BITS * f < 32 * (w + 1):
                word = word | (fours[f] << (4 * BITS * f - 32 * w))
            elif 4 * BITS * f < 32 * w and 32 * w < 4 * BITS * (f + 1):
                word = word | (fours[f] >> (32 * w - 4 * BITS * f))
        words = words + (word,)
    return words


@triton.jit
def joined_words(words, WORDS: tl.constexpr):
    """The words of lanes side by side; beyond them the first one again."""
    for _ in tl.static_range(len(words), WORDS):
        words = words + (words[0],)
    if WORDS == 2:
        joined = tl.join(words[0], words[1])
    elif WORDS == 4:
        joined = tl.join(tl.join(words[0], words[2]), tl.join(words[1], words[3]))
    else:
        joined = side_by_side(words)
    return tl.reshape(joined, [joined.shape[0], joined.shape[1], WORDS])


@triton.jit
def codes_within(codes, lane, STEP: tl.constexpr, held):
    """The codes of units that hold fewer, with zeros after them; a lane's begin at ``lane``."""
    kept = ()
    column = (lane[:, None] + tl.arange(0, 8)[None, :])[None, :, :]
    for p in tl.static_range(len(codes)):
        within = column + p * STEP < held[:, None, None]
        kept = kept + (tl.where(within, codes[p], 0),)
    return kept


@triton.jit
def zeros_but(kept, words):
    """The words of units, or zeros where a unit is not kept."""
    found = ()
    for i in tl.static_range(len(words)):
        found = found + (tl.where(kept[:, None], words[i], 0),)
    return found


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
