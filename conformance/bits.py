"""Numbers as bits: ulp steps, canonical bits, and how a number is shown (SPEC section 10)."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

_BYTE_FLOATS = ("float8_e4m3fn", "float8_e5m2", "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")


def is_float(dtype: np.dtype) -> bool:
    """Whether a numpy or ml_dtypes dtype is a float."""
    return dtype.kind == "f" or dtype.name == "bfloat16" or dtype.name in _BYTE_FLOATS


def bits_of(array: Array) -> Array:
    """The bits of an array as unsigned integers of its item size."""
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)


def nan_mask(array: Array) -> npt.NDArray[np.bool_]:
    """Where an array of any dtype is NaN."""
    if not is_float(array.dtype):
        return np.zeros(array.shape, np.bool_)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isnan(array))


def ordinals(array: Array) -> Array:
    """Floats as int64 in which neighbours differ by one; -0.0 and 0.0 are both 0."""
    width = 8 * array.dtype.itemsize
    raw = bits_of(array)
    magnitude = (raw & raw.dtype.type((1 << (width - 1)) - 1)).astype(np.int64)
    negative = (raw >> raw.dtype.type(width - 1)).astype(bool)
    return np.asarray(np.where(negative, -magnitude, magnitude))


def step(array: Array, ulps: Array | int) -> Array:
    """Floats moved by a number of ulps, at most to an infinity; NaN stays, a step of 0 too."""
    infinity = int(ordinals(np.array([np.inf], array.dtype))[0])
    moved = np.clip(ordinals(array) + ulps, -infinity, infinity)
    width = 8 * array.dtype.itemsize
    uint = np.dtype(f"u{array.dtype.itemsize}")
    sign = np.where(moved < 0, uint.type(1 << (width - 1)), uint.type(0)).astype(uint)
    stepped = (np.abs(moved).astype(uint) | sign).view(array.dtype)
    keep = nan_mask(array) | (np.broadcast_to(np.asarray(ulps), array.shape) == 0)
    return np.asarray(np.where(keep, array, stepped))


def hex_bits(value: np.generic) -> str:
    """The bits of one number in hexadecimal, ``0x3ff80000``."""
    raw = int(bits_of(np.atleast_1d(np.asarray(value)))[0])
    return f"0x{raw:0{2 * value.dtype.itemsize}x}"


def hex_float(value: np.generic) -> str:
    """One number as a C hexadecimal float, shortened: ``0x1.f00000p+0`` at float32's width."""
    number = float(np.asarray(value).astype(np.float64))
    if not np.isfinite(number) or number == 0:
        return repr(number)
    text = number.hex()
    digits = {8: 13, 4: 6, 2: 3}.get(value.dtype.itemsize, 1)
    head, exponent = text.split("p")
    whole, _, fraction = head.partition(".")
    return f"{whole}.{(fraction + '0' * digits)[:digits]}p{exponent}"


def decimal(value: np.generic) -> str:
    """One number in the shortest decimal that its dtype reads back."""
    if not is_float(value.dtype):
        return str(int(value))
    if isinstance(value, np.floating):
        return np.format_float_positional(value, trim="-") if _moderate(value) else str(value)
    return f"{float(np.asarray(value).astype(np.float64)):.9g}"


def _moderate(value: np.generic) -> bool:
    magnitude = abs(float(value))
    return magnitude == 0 or 1e-5 <= magnitude < 1e9
