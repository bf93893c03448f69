"""Evaluation by blocks of rows small enough to stay in the cache.

Where no row depends on another, blocks change no bit; they only spare the temporaries of a formula
the way to memory and back.
"""

from collections.abc import Callable

import numpy as np

from .dtypes import Array

_ELEMENTS = 1 << 17


def by_rows(function: Callable[[slice], Array], x: Array) -> Array:
    """The results of ``function`` on slices of the first axis of ``x``, one below the other."""
    rows = max(1, _ELEMENTS * len(x) // max(1, x.size))
    first = function(slice(0, rows))
    if len(x) <= rows:
        return first
    result = np.empty((len(x), *first.shape[1:]), first.dtype)
    result[:rows] = first
    for start in range(rows, len(x), rows):
        block = slice(start, start + rows)
        result[block] = function(block)
    return result


def rows_of(operand: Array, block: slice, ndim: int) -> Array:
    """The part of an operand that broadcasts to a block of an array of ``ndim`` dimensions."""
    operand = operand[(0,) * (operand.ndim - ndim)]
    return operand if operand.ndim < ndim or len(operand) == 1 else operand[block]
