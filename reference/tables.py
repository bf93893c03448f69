"""Functions of a 16-bit float have 65536 values: computed once, then looked up by their bits."""

from collections.abc import Callable, Hashable
from functools import lru_cache

import numpy as np

from .arithmetic import quiet
from .dtypes import Array

_UINT16 = np.dtype(np.uint16)


def tabulated(function: Callable[..., Array], x: Array, *parameters: Hashable) -> Array:
    """``function(x, *parameters)`` of an elementwise function, by table where ``x`` has 16 bits.

    Parameters that compare equal must mean the same: 0.0 and -0.0 do not.
    """
    if x.dtype.itemsize != 2:
        return function(x, *parameters)
    table = _table(function, x.dtype, *parameters)
    return table.view(f"u{table.itemsize}").take(x.view(_UINT16)).view(table.dtype)


@lru_cache(maxsize=256)
def _table(function: Callable[..., Array], dtype: np.dtype, *parameters: Hashable) -> Array:
    """``function`` of every value of a 16-bit dtype, indexed by its bits."""
    table = quiet(function)(np.arange(1 << 16, dtype=_UINT16).view(dtype), *parameters)
    table.flags.writeable = False
    return table
