"""Smallest and largest values over axes; a zero is +0, and any NaN makes NaN (SPEC section 5)."""

import numpy as np

from .dtypes import Array
from .rows import by_rows

Axes = int | tuple[int, ...] | None


def extremes(x: Array, axis: Axes, keepdims: bool = False) -> tuple[Array, Array]:
    """The smallest and the largest value of ``x`` over the axes, exactly, in its dtype."""
    if x.dtype.itemsize == 2:
        return _extremes_of_bits(x, axis, keepdims)
    low, high = (np.asarray(f(x, axis=axis, keepdims=keepdims)) for f in (np.min, np.max))
    return _positive_zero(low), _positive_zero(high)


def _extremes_of_bits(x: Array, axis: Axes, keepdims: bool) -> tuple[Array, Array]:
    """16-bit floats compare like integers once the magnitude of negatives is complemented."""
    ordered = _complement_negatives(np.ascontiguousarray(x).view(np.int16).reshape(x.shape))
    low, high = (np.asarray(f(ordered, axis=axis, keepdims=keepdims)) for f in (np.min, np.max))
    low, high = (_complement_negatives(v).view(x.dtype) for v in (low, high))
    # a NaN is beyond an infinity, on the side of its sign
    is_nan = np.isnan(low) | np.isnan(high)
    nan = x.dtype.type(np.nan)
    low, high = (_positive_zero(np.where(is_nan, nan, v)) for v in (low, high))
    return low, high


def _complement_negatives(bits: Array) -> Array:
    return bits ^ ((bits >> np.int16(15)) & np.int16(0x7FFF))


def _positive_zero(x: Array) -> Array:
    return np.where(x == 0, x.dtype.type(0), x)
