"""Codes of a few bits side by side in integers, and back, element i at bit i * BITS."""

import triton
import triton.language as tl


@triton.jit
def join_eights(codes, UNITS: tl.constexpr, BITS: tl.constexpr):
    """Codes (UNITS, 32), from 0 to 2^BITS - 1, as four int64 (UNITS,) of eight codes each."""
    pairs = tl.reshape(codes, [UNITS, 4, 2, 2, 2])
    even, odd = tl.split(pairs)
    even, odd = tl.split(even + (odd << BITS))
    low, high = tl.split((even + (odd << (2 * BITS))).to(tl.int64) & 0xFFFFFFFF)
    eights = tl.reshape(low + (high << (4 * BITS)), [UNITS, 2, 2])
    even, odd = tl.split(eights)
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    return first, second, third, fourth


@triton.jit
def word_of(eights, W: tl.constexpr, BITS: tl.constexpr):
    """Word W, int32, of the BITS words that four eights fill; 0 beyond them."""
    bits = eights[0] & 0
    for k in tl.static_range(4):
        # eight k has the bits from 8 * BITS * k on
        if 8 * BITS * k < 32 * (W + 1) and 8 * BITS * (k + 1) > 32 * W:
            if 8 * BITS * k >= 32 * W:
                bits = bits | (eights[k] << (8 * BITS * k - 32 * W))
            else:
                bits = bits | (eights[k] >> (32 * W - 8 * BITS * k))
    return bits.to(tl.int32)


@triton.jit
def words_of(eights, UNITS: tl.constexpr, BITS: tl.constexpr, WORDS: tl.constexpr):
    """The words of four eights, int32 (UNITS, WORDS), WORDS a power of two from BITS on."""
    if WORDS == 1:
        words = tl.reshape(word_of(eights, 0, BITS), [UNITS, 1])
    elif WORDS == 2:
        words = tl.join(word_of(eights, 0, BITS), word_of(eights, 1, BITS))
    elif WORDS == 4:
        even = tl.join(word_of(eights, 0, BITS), word_of(eights, 2, BITS))
        odd = tl.join(word_of(eights, 1, BITS), word_of(eights, 3, BITS))
        words = tl.reshape(tl.join(even, odd), [UNITS, 4])
    else:
        a = tl.join(word_of(eights, 0, BITS), word_of(eights, 4, BITS))
        b = tl.join(word_of(eights, 2, BITS), word_of(eights, 6, BITS))
        even = tl.reshape(tl.join(a, b), [UNITS, 4])
        a = tl.join(word_of(eights, 1, BITS), word_of(eights, 5, BITS))
        b = tl.join(word_of(eights, 3, BITS), word_of(eights, 7, BITS))
        odd = tl.reshape(tl.join(a, b), [UNITS, 4])
        words = tl.reshape(tl.join(even, odd), [UNITS, 8])
    return words


@triton.jit
def load_eight(words_ptr, word, shift, words_left, held, BITS: tl.constexpr):
    """The int64 whose low bits are the eight codes from bit ``shift`` of a word on.

    Words are int32 at ``words_ptr + word``; ``words_left`` of them follow it in the row.
    """
    bits = tl.load(words_ptr + word, mask=held, other=0).to(tl.int64) & 0xFFFFFFFF
    # eights of 1, 2 and 4 bits lie within a word
    if BITS != 1 and BITS != 2 and BITS != 4:
        more = tl.load(words_ptr + word + 1, mask=held & (words_left > 0), other=0)
        bits = bits | (more.to(tl.int64) << 32)
    if BITS % 4 != 0:
        bits = bits >> shift
    if BITS == 7:
        # 56 bits from bit 16 or 24 on end in a third word
        third = held & (shift > 8) & (words_left > 1)
        more = tl.load(words_ptr + word + 2, mask=third, other=0).to(tl.int64)
        up = 64 - tl.maximum(shift, 1)
        bits = tl.where(shift > 8, (bits & ((1 << up) - 1)) | (more << up), bits)
    return bits
