"""Arrays between processes: those with gaps arrive with their strides, so that reports agree."""

from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from .bits import Array
from .layouts import with_strides

__all__ = ["send_strides"]


def send_strides() -> None:
    """From now on, what this process sends to another keeps the strides of its arrays."""
    ForkingPickler.register(np.ndarray, _reduced)


def _reduced(array: Array) -> Any:  # noqa: ANN401 - as pickle's
    if array.ndim == 0 or array.flags.c_contiguous or array.dtype.hasobject:
        return array.__reduce__()
    return with_strides, (np.ascontiguousarray(array), array.strides)
