"""A row of values through a scheme whose range is given, for the pictures."""

import numpy as np

from qparity.reference import (
    QuantizationArgs,
    calculate_qparams,
    fake_quantize,
    quantize,
)

from ..bits import Array
from ..of_formats import global_scale_of


def qparams_of(
    low: float, high: float, args: QuantizationArgs, *, tensor: float = 0.0
) -> tuple[Array, Array | None, Array | None]:
    """Scale, zero-point and global scale of a range, float32, that any row broadcasts with.

    Args:
        low: the smallest number of the unit.
        high: the largest.
        args: the scheme.
        tensor: the largest magnitude of the tensor, if it is larger than that of the unit.
    """
    lo, hi = (np.array([[bound]], np.float32) for bound in (low, high))
    whole = global_scale_of(np.array([[low, high, tensor]], np.float32), args)
    scale, point = calculate_qparams(lo, hi, args, whole)
    return scale, None if args.symmetric else point, whole


def values_of(
    x: Array, low: float, high: float, args: QuantizationArgs, *, tensor: float = 0.0
) -> Array:
    """What numbers become, float32, if their unit has the range from ``low`` to ``high``."""
    scale, point, whole = qparams_of(low, high, args, tensor=tensor)
    return _row(fake_quantize, x, scale, point, whole, args)


def codes_of_row(x: Array, low: float, high: float, args: QuantizationArgs) -> Array:
    """The codes of numbers, likewise."""
    scale, point, whole = qparams_of(low, high, args)
    return _row(quantize, x, scale, point, whole, args)


def _row(
    function: object,
    x: Array,
    scale: Array,
    point: Array | None,
    whole: Array | None,
    args: QuantizationArgs,
) -> Array:
    size = args.group_size if args.group_size is not None and args.group_size > 0 else 1
    row = np.zeros((1, -(-x.size // size) * size), np.float32)
    row[0, : x.size] = x
    result = function(row, scale, point, args, global_scale=whole)  # type: ignore[operator]
    return np.asarray(result, np.float32)[0, : x.size]
