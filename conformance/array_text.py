"""An array as text: ``float32:2x1:3f800000,bf800000`` (docs/any-language.md)."""

from math import prod

import ml_dtypes
import numpy as np

from .bits import Array, bits_of

__all__ = ["decode_array", "encode_array", "is_array"]

_DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"),
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)


def encode_array(array: Array) -> str:
    """``float32:2x1:3f800000,bf800000``: the dtype, the shape, the bits in C order."""
    shape = "x".join(str(n) for n in array.shape)
    width = array.dtype.itemsize
    words = bits_of(array).astype(f">u{width}").tobytes().hex(",", width) if array.size else ""
    return f"{array.dtype.name}:{shape}:{words}"


def decode_array(field: str, text: str) -> Array:
    """The inverse of ``encode_array``.

    Raises:
        ValueError: if the text is no array; the message names the field.
    """
    name, shape_text, words = _array_parts(field, text)
    if name not in _DTYPES:
        raise ValueError(f"{field}: {name!r} is no dtype; allowed: {list(_DTYPES)}")
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    sizes = shape_text.split("x") if shape_text else []
    if not all(size.isascii() and size.isdigit() for size in sizes):
        raise ValueError(f"{field}: {shape_text!r} is no shape; allowed: sizes such as 3x5")
    shape = tuple(int(size) for size in sizes)
    bits = _words(field, words, dtype.itemsize)
    if bits.size != prod(shape):
        found = f"{bits.size} numbers; the shape {shape_text[:40]!r} has {prod(shape)}"
        raise ValueError(f"{field}: {found}")
    try:
        return bits.view(dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{field}: {shape_text[:40]!r} is too large a shape") from error


def is_array(text: str) -> bool:
    """Whether a text is meant as an array."""
    head = text[:80]
    return head.count(":") == 2 and head[0] not in '"[{'


def _array_parts(field: str, text: str) -> list[str]:
    parts = text.split(":")
    if len(parts) != 3:
        raise ValueError(f"{field}: {text[:40]!r} is no array; allowed: dtype:shape:bits")
    return parts


def _words(field: str, text: str, width: int) -> Array:
    """Comma-separated hexadecimal words as unsigned integers."""
    pitch = 2 * width + 1
    if text.isascii() and set(text[2 * width :: pitch]) <= {","} and (len(text) + 1) % pitch == 0:
        digits = text.replace(",", "")
        if len(digits) * pitch == (len(text) + 1) * 2 * width and digits.isalnum():
            try:
                raw = bytes.fromhex(digits)
            except ValueError as error:
                raise ValueError(f"{field}: {_wrong_word(text, width)}") from error
            return np.frombuffer(raw, f">u{width}").astype(f"u{width}")
    if not text:
        return np.zeros(0, f"u{width}")
    wrong = _wrong_word(text, width)
    if wrong:
        raise ValueError(f"{field}: {wrong}")
    return np.array([int(word, 16) for word in text.split(",")], f"u{width}")


def _wrong_word(text: str, width: int) -> str:
    """What is wrong with the first word that is not of 1 to ``2 * width`` digits; or nothing."""
    for word in text.split(","):
        if not (0 < len(word) <= 2 * width and set(word) <= set("0123456789abcdefABCDEF")):
            return f"{word[:40]!r} is no word; allowed: 1 to {2 * width} hexadecimal digits"
    return ""
