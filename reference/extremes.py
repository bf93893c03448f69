"""Smallest and largest values over axes; a zero is +0, and any NaN makes NaN (SPEC section 5)."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .arithmetic import positive_zero
from .dtypes import Array
from .rows import by_rows

Axes = int | tuple[int, ...] | None
_SHORT_AXIS = 64


def extremes(x: Array, axis: Axes, keepdims: bool = False) -> tuple[Array, Array]:
    """The smallest and the largest value of ``x`` over the axes, exactly, in its dtype."""
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    of_rows = _extremes_of_bits if x.dtype.itemsize == 2 else _extremes
    if 0 in axes:
        low, high = of_rows(x, axes, keepdims)
    else:
        both = by_rows(lambda block: np.stack(of_rows(x[block], axes, keepdims), axis=1), x)
        low, high = both[:, 0], both[:, 1]
    return positive_zero(low), positive_zero(high)


def _extremes_of_bits(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, Array]:
    """16-bit floats compare like integers once the magnitude of negatives is complemented."""
    low, high = _extremes(_complement_negatives(x.view(np.int16)), axes, keepdims)
    low, high = (_complement_negatives(v).view(x.dtype) for v in (low, high))
    # a NaN is beyond an infinity, on the side of its sign
    is_nan = np.isnan(low) | np.isnan(high)
    nan = x.dtype.type(np.nan)
    return np.where(is_nan, nan, low), np.where(is_nan, nan, high)


def _extremes(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, Array]:
    if axes == (x.ndim - 1,) and x.shape[-1] <= _SHORT_AXIS and not keepdims:
        # numpy reduces many short rows faster as columns
        x, axes = np.ascontiguousarray(np.moveaxis(x, -1, 0)), (0,)
    low, high = (np.asarray(f(x, axis=axes, keepdims=keepdims)) for f in (np.min, np.max))
    return low, high


def _complement_negatives(bits: Array) -> Array:
    if_negative: Array = (bits >> np.int16(15)) & np.int16(0x7FFF)
    return bits ^ if_negative
