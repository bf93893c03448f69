"""A backend that multiplies by the reciprocal of the scale, for a picture of what that does."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qparity import reference
from qparity.backends.numpy_backend import from_numpy, to_numpy

__all__ = ["from_numpy", "quantize", "to_numpy"]

Array = npt.NDArray[Any]


def quantize(x: Array, scale: Array, zero_point: Array | None, args: Any, **options: Any) -> Array:  # noqa: ANN401 - as the reference's
    """One scale a row."""
    inverse = scale.dtype.type(1) / scale
    return reference.quantize(x * inverse, np.ones_like(scale), zero_point, args, **options)
