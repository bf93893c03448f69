"""Codes of a few bits end to end, little-endian: code i at bit i * width (SPEC section 8)."""

from math import gcd

import numpy as np

from .dtypes import UINT8, Array


def join_bits(codes: Array, width: int, word_bytes: int = 1) -> Array:
    """Codes below 2^width along the last axis, as bytes; zeros fill the last word.

    Two neighbours are merged, then two pairs, until a word's codes fill whole bytes.
    """
    count = codes.shape[-1]
    words = _resized(codes, -(-count // 8) * 8)
    while width * words.itemsize % 8:
        unit, pairs = 8 * words.itemsize, words.view(f"<u{2 * words.itemsize}")
        low, high = pairs & ((1 << unit) - 1), pairs >> unit
        words = low | (high << (width * words.itemsize))
    size = width * words.itemsize // 8
    data = np.empty((*words.shape, size), UINT8)
    for i in range(size):
        data[..., i] = words >> (8 * i)
    filled = -(-count * width // (8 * word_bytes)) * word_bytes
    return _resized(data.reshape(*words.shape[:-1], words.shape[-1] * size), filled)


def split_bits(data: Array, width: int) -> Array:
    """Bytes along the last axis, as the codes below 2^width in them; what is left over is cut.

    The inverse of ``join_bits``: words of as many codes as fill whole bytes are halved.
    """
    per_word = 8 // gcd(8, width)
    size = width * per_word // 8
    data = _resized(data, -(-data.shape[-1] // size) * size)
    words = np.zeros((*data.shape[:-1], data.shape[-1] // size), f"<u{per_word}")
    for i in range(size):
        words |= data[..., i::size].astype(words.dtype) << (8 * i)
    while words.itemsize > 1:
        unit, half = 4 * words.itemsize, width * words.itemsize // 2
        low, high = words & ((1 << half) - 1), words >> half
        words = (low | (high << unit)).view(f"<u{words.itemsize // 2}")
    return words


def _resized(data: Array, size: int) -> Array:
    """The last axis, cut or filled with zeros to a size; contiguous."""
    if data.shape[-1] >= size:
        return np.ascontiguousarray(data[..., :size])
    result = np.zeros((*data.shape[:-1], size), data.dtype)
    result[..., : data.shape[-1]] = data
    return result
