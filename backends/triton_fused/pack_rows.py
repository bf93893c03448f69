"""Zero-points packed along their rows into int32 words, and back."""

import torch
import triton
import triton.language as tl


def pack_rows(codes: torch.Tensor, num_bits: int) -> torch.Tensor:
    """``pack_to_int32`` along dim 0 of int8 codes that are in range, (rows, groups)."""
    rows, groups = codes.shape
    words = torch.empty(
        (triton.cdiv(rows * num_bits, 32), groups), dtype=torch.int32, device=codes.device
    )
    grid = (triton.cdiv(words.numel(), 128),)
    _pack[grid](codes, words, rows, groups, words.numel(), BITS=num_bits, BLOCK=128)
    return words


def unpack_rows(words: torch.Tensor, num_bits: int, shape: tuple[int, int]) -> torch.Tensor | None:
    """The inverse of ``pack_rows``; None if the words are not those of the shape."""
    rows, groups = shape
    if words.dtype != torch.int32 or words.shape != (triton.cdiv(rows * num_bits, 32), groups):
        return None
    words = words.contiguous()
    codes = torch.empty(shape, dtype=torch.int8, device=words.device)
    grid = (triton.cdiv(codes.numel(), 512),)
    _unpack[grid](words, codes, groups, codes.numel(), BITS=num_bits, BLOCK=512)
    return codes


@triton.jit(do_not_specialize=["rows", "groups", "n"])
def _pack(codes_ptr, words_ptr, rows, groups, n, BITS: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    word, group = at // groups, at % groups
    packed = tl.zeros([BLOCK], tl.int32)
    # the first code that has a bit in the word, and all that may follow it
    first = word * 32 // BITS
    for i in tl.static_range(32 // BITS + 2):
        row = first + i
        bit = (row * BITS - word * 32).to(tl.int32)
        inside = (at < n) & (row < rows) & (bit < 32)
        code = tl.load(codes_ptr + row * groups + group, mask=inside, other=0).to(tl.int32)
        code = code + (1 << (BITS - 1))
        up = code << tl.maximum(tl.minimum(bit, 31), 0)
        down = code >> tl.maximum(-bit, 0)
        packed = packed | tl.where(inside, tl.where(bit >= 0, up, down), 0)
    tl.store(words_ptr + at, packed, mask=at < n)


@triton.jit(do_not_specialize=["groups", "n"])
def _unpack(words_ptr, codes_ptr, groups, n, BITS: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    row, group = at // groups, at % groups
    bit = row * BITS
    shift = (bit & 31).to(tl.int32)
    crosses = shift + BITS > 32
    word = words_ptr + (bit >> 5) * groups + group
    low = tl.load(word, mask=at < n, other=0)
    high = tl.load(word + groups, mask=(at < n) & crosses, other=0)
    mask: tl.constexpr = (1 << BITS) - 1
    kept = tl.where(shift == 0, -1, (1 << (32 - tl.maximum(shift, 1))) - 1)
    code = ((low >> shift) & kept) | tl.where(crosses, high << (32 - tl.maximum(shift, 1)), 0)
    tl.store(codes_ptr + at, ((code & mask) - (1 << (BITS - 1))).to(tl.int8), mask=at < n)
