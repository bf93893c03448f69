"""Elementary operations, each rounded once to the working dtype (SPEC section 4).

Every operation is evaluated in float32 (float64 for float64) and rounded once, to nearest even.
Nothing is contracted, no reciprocal replaces a division, subnormals are kept. NaN and infinities
follow IEEE 754 and raise no warning.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

from .dtypes import FLOAT32, FLOAT64, Array, promote

P = ParamSpec("P")
R = TypeVar("R")


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in which division by zero, overflow and NaN are defined, not exceptional."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return run


def evaluation_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype in which an operation on ``dtype`` is evaluated before it is rounded."""
    return FLOAT64 if dtype == FLOAT64 else FLOAT32


def cast(x: Array, dtype: np.dtype) -> Array:
    """``x`` rounded once to ``dtype``; float64 reaches the 8- and 16-bit dtypes via float32."""
    if x.dtype == dtype:
        return x
    if x.dtype == FLOAT64 and dtype.itemsize < 4:
        x = x.astype(FLOAT32)
    return x.astype(dtype)


def _operate(operation: np.ufunc, a: Array, b: Array) -> Array:
    working = promote(a.dtype, b.dtype)
    wide = evaluation_dtype(working)
    exact_operands = cast(a, wide), cast(b, wide)
    return cast(operation(*exact_operands), working)


def add(a: Array, b: Array) -> Array:
    """``a + b``, rounded once to the working dtype; adding zeros only turns -0.0 into +0.0."""
    enlarges = np.broadcast_shapes(a.shape, b.shape) != a.shape
    if a.dtype == b.dtype and not enlarges and not bits(b).any():
        return positive_zero(a)
    return _operate(np.add, a, b)


def subtract(a: Array, b: Array) -> Array:
    """``a - b``, rounded once to the working dtype."""
    return _operate(np.subtract, a, b)


def multiply(a: Array, b: Array) -> Array:
    """``a * b``, rounded once to the working dtype."""
    return _operate(np.multiply, a, b)


def divide(a: Array, b: Array) -> Array:
    """``a / b``, rounded once to the working dtype."""
    return _operate(np.divide, a, b)


def scalar(value: float, x: Array) -> Array:
    """A Python scalar as an operand of ``+`` and ``-``: first rounded to the dtype of ``x``."""
    return cast(np.array([value], FLOAT64), x.dtype)


def multiply_scalar(x: Array, value: float) -> Array:
    """``x * value``: the Python scalar stays in float32, the product is rounded once."""
    wide = evaluation_dtype(x.dtype)
    return cast(np.multiply(cast(x, wide), wide.type(value)), x.dtype)


def scalar_divide(value: float, x: Array) -> Array:
    """``value / x`` as torch defines it: the rounded reciprocal of ``x`` times ``value``."""
    wide = evaluation_dtype(x.dtype)
    reciprocal = cast(np.divide(wide.type(1), cast(x, wide)), x.dtype)
    return multiply_scalar(reciprocal, value)


def clamp(x: Array, low: float, high: float) -> Array:
    """``x`` limited to ``[low, high]``; the bounds are rounded to its dtype, NaN and -0.0 stay."""
    wide = evaluation_dtype(x.dtype)
    lowest, highest = (cast(scalar(bound, x), wide) for bound in (low, high))
    values = cast(x, wide)
    values = np.where(values < lowest, lowest, values)
    return cast(np.where(values > highest, highest, values), x.dtype)


def positive_zero(x: Array) -> Array:
    """``x + 0``: -0.0 becomes +0.0, and no other value changes; ``x`` itself if it has none."""
    x_bits = bits(x)
    negative_zero = x_bits == x_bits.dtype.type(1 << (8 * x.itemsize - 1))
    return np.where(negative_zero, x.dtype.type(0), x) if negative_zero.any() else x


def bits(x: Array) -> Array:
    """The bits of ``x`` as unsigned integers of the same size."""
    return x.view(f"u{x.itemsize}")
