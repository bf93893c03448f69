"""Faults of codes packed into words and bytes."""

from collections.abc import Callable

import numpy as np

from qparity import reference

from ..bits import Array
from .fault import Fault, Step, changing
from .variant import Variant

_WORDS = "pack_to_int32"
_OPERATIONS = (_WORDS, "compress")


def swapped_nibbles(packed: Array) -> Array:
    """The first value in the high nibble."""
    return (packed << 4) | (packed >> 4)


def reversed_threes(packed: Array) -> Array:
    """Three bytes in the other order."""
    shaped = packed.reshape(packed.shape[0], -1, 3)
    return np.ascontiguousarray(shaped[..., ::-1]).reshape(packed.shape)


def _packing(change: Callable[[Array, int], Array]) -> dict[str, Callable[..., Array]]:
    """Words along the last axis, changed."""

    def operation(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
        words = reference.pack_to_int32(value, num_bits, packed_dim)
        turned = words.swapaxes(-1, -2) if packed_dim == 0 else words
        made = change(np.ascontiguousarray(turned), num_bits)
        return np.ascontiguousarray(made.swapaxes(-1, -2)) if packed_dim == 0 else made

    return {_WORDS: operation}


def _not_offset(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    half = 1 << (num_bits - 1)
    wide = value.astype(np.int64)
    flipped = np.where(wide < 0, wide + half, wide - half).astype(np.int8)
    return reference.pack_to_int32(flipped, num_bits, packed_dim)


def _not_crossing(words: Array, num_bits: int) -> Array:
    """The bits of an element that cross into the next word are lost."""
    lost = np.array(words).view(np.uint32)
    for word in range(1, lost.shape[-1]):
        spill = (word * 32) % num_bits
        if spill:
            lost[..., word] &= ~np.uint32((1 << (num_bits - spill)) - 1)
    return lost.view(np.int32)


def _reversed_bits(words: Array, num_bits: int) -> Array:
    bits = np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")
    turned = bits.reshape(*words.shape, 32)[..., ::-1].reshape(bits.shape)
    return np.packbits(turned, axis=-1, bitorder="little").view(np.int32).reshape(words.shape)


def _reversed_elements(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """The first of the elements of a word in its highest bits."""
    per = 32 // num_bits
    turned = np.array(value.swapaxes(-1, -2) if packed_dim == 0 else value)
    for start in range(0, turned.shape[-1] - per + 1, per):
        turned[..., start : start + per] = turned[..., start : start + per][..., ::-1].copy()
    back = turned.swapaxes(-1, -2) if packed_dim == 0 else turned
    return reference.pack_to_int32(np.ascontiguousarray(back), num_bits, packed_dim)


def _borrowed(words: Array, num_bits: int) -> Array:
    """Words that are sums: a negative lane borrows from the next."""
    borrowed = (words.astype(np.int64) + (1 << num_bits)).astype(np.int32)
    return np.where(words < 0, borrowed, words)


def _ones_at_the_end(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """The last word is filled up with codes of 0, not with bits of 0."""
    axis = value.ndim - 2 + packed_dim
    missing = -value.shape[axis] % 32
    pads = [(0, missing if i == axis else 0) for i in range(value.ndim)]
    words = reference.pack_to_int32(np.pad(value, pads), num_bits, packed_dim)
    needed = -(-value.shape[axis] * num_bits // 32)
    return np.ascontiguousarray(np.take(words, np.arange(needed), axis=axis))


def _per_word(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """32 // b whole elements a word, the other bits left out."""
    per = 32 // num_bits
    turned = value.swapaxes(-1, -2) if packed_dim == 0 else value
    codes = (turned.astype(np.int64) + (1 << (num_bits - 1))).astype(np.uint64)
    whole = np.pad(codes, [(0, 0)] * (codes.ndim - 1) + [(0, -codes.shape[-1] % per)])
    lanes = whole.reshape(*whole.shape[:-1], -1, per)
    shifts = np.arange(per, dtype=np.uint64) * np.uint64(num_bits)
    words = (lanes << shifts).sum(-1).astype(np.uint32).view(np.int32)
    return np.ascontiguousarray(words.swapaxes(-1, -2)) if packed_dim == 0 else words


def _packed_dim_ignored(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    return reference.pack_to_int32(value, num_bits, 1)


def _leading_flattened(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """3-D codes as one 2-D matrix."""
    words = reference.pack_to_int32(value.reshape(-1, value.shape[-1]), num_bits, packed_dim)
    return words.reshape(*value.shape[:-2], -1, words.shape[-1])


def _unsigned_zero(packed: Array) -> Array:
    low, high = packed & 0xF, packed >> 4
    low, high = np.where(low == 8, 0, low), np.where(high == 8, 0, high)
    return np.asarray((low | (high << 4)).astype(np.uint8))


def _sign_is_last(packed: Array) -> Array:
    """Sign in the lowest bit of each nibble."""
    low, high = packed & 0xF, packed >> 4
    return ((((low & 7) << 1) | (low >> 3)) | ((((high & 7) << 1) | (high >> 3)) << 4)).astype(
        np.uint8
    )


def _words(name: str, description: str, steps: dict[str, Step]) -> Fault:
    return Fault(name, description, _OPERATIONS, steps)


PACKING = (
    _words("word_bytes_swapped", "big-endian words", _packing(lambda w, bits: w.byteswap())),
    _words("word_bits_reversed", "the first bit is the highest", _packing(_reversed_bits)),
    _words("word_elements_reversed", "the first element is highest", {_WORDS: _reversed_elements}),
    _words("code_not_offset", "two's complement codes", {_WORDS: _not_offset}),
    _words("crossing_bits_lost", "bits beyond a word are lost", _packing(_not_crossing)),
    _words("whole_elements_per_word", "elements do not cross words", {_WORDS: _per_word}),
    _words("borrow_across_lanes", "a negative code borrows", _packing(_borrowed)),
    _words("last_word_filled", "with codes of 0", {_WORDS: _ones_at_the_end}),
    Fault("packed_dim_ignored", "along the columns", (_WORDS,), {_WORDS: _packed_dim_ignored}),
    Fault("slices_flattened", "3-D as one matrix", (_WORDS,), {_WORDS: _leading_flattened}),
    Fault(
        "fp4_nibbles_swapped",
        "the first value in the high nibble",
        ("pack_fp4_to_uint8", "compress"),
        changing(swapped_nibbles, "pack_fp4_to_uint8"),
    ),
    Fault(
        "fp4_sign_is_last",
        "the sign in the lowest bit",
        ("pack_fp4_to_uint8", "compress"),
        changing(_sign_is_last, "pack_fp4_to_uint8"),
    ),
    Fault(
        "fp4_sign_of_zero_lost",
        "-0 packed as 0",
        ("pack_fp4_to_uint8",),
        changing(_unsigned_zero, "pack_fp4_to_uint8"),
    ),
    Fault(
        "fp6_bytes_reversed",
        "three bytes in big-endian order",
        ("pack_fp6_to_uint8", "compress"),
        changing(reversed_threes, "pack_fp6_to_uint8"),
    ),
)
