"""Smallest and largest values over axes; a zero is +0, and any NaN makes NaN (SPEC section 5)."""

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .arithmetic import bits, positive_zero
from .dtypes import Array
from .rows import by_rows

Axes = int | tuple[int, ...] | None
_SHORT_AXIS = 128


def extremes(x: Array, axis: Axes, keepdims: bool = False) -> tuple[Array, Array]:
    """The smallest and the largest value of ``x`` over the axes, exactly, in its dtype."""
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if 0 in axes:
        low, high = _extremes(x, axes, keepdims)
    else:
        both = by_rows(lambda block: np.stack(_extremes(x[block], axes, keepdims), axis=1), x)
        low, high = (np.ascontiguousarray(both[:, i]) for i in (0, 1))
    return positive_zero(low), positive_zero(high)


def _extremes(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, Array]:
    short = x.ndim > 1 and axes == (x.ndim - 1,) and x.shape[-1] <= _SHORT_AXIS
    if short and not keepdims:
        # numpy reduces many short rows faster as columns
        x, axes = np.ascontiguousarray(np.moveaxis(bits(x), -1, 0)).view(x.dtype), (0,)
    return (_extremes_of_bits if x.dtype.itemsize == 2 else _reduce)(x, axes, keepdims)


def _extremes_of_bits(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, Array]:
    """Of 16-bit floats, by their bits: those of positives rise with the value, of negatives fall.

    As int16 all negatives are below the positives, as uint16 above them.
    """
    (i_min, i_max), (u_min, u_max) = (
        _reduce(x.view(integers), axes, keepdims) for integers in (np.int16, np.uint16)
    )
    low = np.where(i_min < 0, u_max, u_min).view(x.dtype)
    high = np.where(i_max < 0, i_min, i_max).view(x.dtype)
    # a NaN is beyond an infinity, on the side of its sign
    is_nan = np.isnan(low) | np.isnan(high)
    nan = x.dtype.type(np.nan)
    return np.where(is_nan, nan, low), np.where(is_nan, nan, high)


def _reduce(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, Array]:
    low, high = (np.asarray(f(x, axis=axes, keepdims=keepdims)) for f in (np.min, np.max))
    return low, high
