"""Pairs of bfloat16 in int32, as they lie in memory: their range, their codes, and the numbers."""

import triton
import triton.language as tl

from .arithmetic import INTERPRETED
from .pair_codes import FOURS, LARGEST, LEAST, MOST, OF_TWO, WORD
from .word_kernels import words_of_fours

_LARGEST, _MOST, _LEAST = tl.constexpr(LARGEST), tl.constexpr(MOST), tl.constexpr(LEAST)
_OF_TWO, _WORD, _FOURS = tl.constexpr(OF_TWO), tl.constexpr(WORD), tl.constexpr(FOURS)


@triton.jit
def loaded_pairs(
    x_ptr, start, within, LANES: tl.constexpr, JOINED: tl.constexpr, PARTS: tl.constexpr
):
    """Four tiles (units, lanes) for each part, whose words are the eight numbers of a lane."""
    pairs = ()
    # distances in pairs are half of those in numbers
    at = start >> 1
    for p in tl.static_range(PARTS):
        if JOINED:
            column = (tl.arange(0, LANES) * 16)[:, None] + tl.arange(0, 4)[None, :] + p * 4
            mask = within[:, None, None]
            quad = tl.load(x_ptr + at[:, None, None] + column[None, :, :], mask=mask, other=0)
        else:
            column = tl.arange(0, 4 * LANES) + p * (4 * LANES)
            quad = tl.load(x_ptr + at[:, None] + column[None, :], mask=within[:, None], other=0)
        even, odd = tl.split(tl.reshape(quad, [quad.shape[0], LANES, 2, 2]))
        pairs = pairs + _in_order(tl.split(even), tl.split(odd))
    return pairs


@triton.jit
def _in_order(even, odd):
    return even[0], odd[0], even[1], odd[1]


@triton.jit
def numbers_of_pairs(pairs):
    """The float32 of pairs: a tile (units, lanes, 8) for four of them."""
    numbers = ()
    for i in tl.static_range(0, len(pairs), 4):
        even, odd = tl.join(pairs[i], pairs[i + 2]), tl.join(pairs[i + 1], pairs[i + 3])
        quad = tl.join(even, odd)
        first = (quad << 16).to(tl.float32, bitcast=True)
        second = (quad & -65536).to(tl.float32, bitcast=True)
        eight = tl.join(first, second)
        numbers = numbers + (tl.reshape(eight, [eight.shape[0], eight.shape[1], 8]),)
    return numbers


@triton.jit
def range_of_pairs(pairs, SYMMETRIC: tl.constexpr):
    """Of each unit the bits of the largest magnitude; or of its largest number, and its least.

    The latter two are at least and at most 0; a NaN is the largest.
    """
    if SYMMETRIC:
        largest = pairs[0]
        for i in tl.static_range(1, len(pairs)):
            largest = _larger_magnitude(largest, pairs[i])
        bits = _upper(largest & 0x7FFF7FFF)
        return bits, bits
    else:
        most = pairs[0] & 0
        least = most
        for i in tl.static_range(len(pairs)):
            most = _larger(most, pairs[i])
            least = _smaller(least, pairs[i])
        # of numbers with one sign the bits are ordered as the magnitudes are
        return _upper(most), (_upper(least & 0x7FFF7FFF) | -0x80000000).to(tl.float32, bitcast=True)


@triton.jit
def _upper(pairs):
    """The larger half of each pair of positive numbers, of all pairs of a unit, as float32 bits."""
    return tl.max(tl.maximum(pairs << 16, pairs & -65536), axis=1)


@triton.jit
def _larger_magnitude(largest, pairs):
    if INTERPRETED:
        largest, pairs = largest & 0x7FFF7FFF, pairs & 0x7FFF7FFF
        upper = tl.maximum(largest & -65536, pairs & -65536)
        return upper | tl.maximum(largest & 65535, pairs & 65535)
    else:
        return _of_two(largest, pairs, _LARGEST)


@triton.jit
def _larger(most, pairs):
    if INTERPRETED:
        first = _larger_half(most << 16, pairs << 16)
        return _larger_half(most & -65536, pairs & -65536) | ((first >> 16) & 65535)
    else:
        return _of_two(most, pairs, _MOST)


@triton.jit
def _larger_half(most, x):
    """The bits of the larger, of which the first is no negative number; a NaN is the largest."""
    nan = (x & 0x7FFFFFFF) > 0x7F800000
    return tl.maximum(most, tl.where(nan, 0x7FFF0000, x))


@triton.jit
def _smaller(least, pairs):
    if INTERPRETED:
        first = _smaller_half(least << 16, pairs << 16)
        return _smaller_half(least & -65536, pairs & -65536) | ((first >> 16) & 65535)
    else:
        return _of_two(least, pairs, _LEAST)


@triton.jit
def _smaller_half(least, x):
    """The bits of the smaller, of which the first is no positive number; a NaN is passed by."""
    size = tl.where((x < 0) & ((x & 0x7FFFFFFF) <= 0x7F800000), x & 0x7FFFFFFF, 0)
    return tl.maximum(least & 0x7FFFFFFF, size) | -0x80000000


@triton.jit
def _of_two(x, y, TEXT: tl.constexpr):
    return tl.inline_asm_elementwise(TEXT, _OF_TWO, [x, y], dtype=tl.int32, is_pure=True, pack=1)


@triton.jit
def words_of_pairs(pairs, r, more, BITS: tl.constexpr, TEXT: tl.constexpr):
    """The words that the codes of usual numbers fill, four pairs after the other."""
    r, more = r[:, None], more[:, None]
    fours = ()
    for i in tl.static_range(0, len(pairs), 4):
        operands = [pairs[i], pairs[i + 1], pairs[i + 2], pairs[i + 3], r, more]
        if BITS == 4:
            word = tl.inline_asm_elementwise(
                TEXT, _WORD, operands, dtype=tl.int32, is_pure=True, pack=1
            )
            fours = fours + (word,)
        else:
            fours = fours + tl.inline_asm_elementwise(
                TEXT, _FOURS, operands, dtype=(tl.int32, tl.int32), is_pure=True, pack=1
            )
    return fours if BITS == 4 else words_of_fours(fours, BITS)
