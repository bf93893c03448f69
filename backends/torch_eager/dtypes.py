"""Which args, tensors and dtypes a field may have, and value casts with their one rounding."""

from collections.abc import Collection
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from qparity.reference import QuantizationArgs

from ..torch_bridge import numpy_dtype, torch_dtype

DTypeLike: TypeAlias = npt.DTypeLike

WORKING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)
CODES = (torch.int8, *FLOAT8, *WORKING)
ZERO_POINTS = (torch.uint8, *CODES)


def as_args(value: object) -> QuantizationArgs:
    """The args of a call.

    Raises:
        TypeError: if they are none.
    """
    if not isinstance(value, QuantizationArgs):
        raise TypeError(f"args: {value!r} is not allowed; allowed: QuantizationArgs")
    return value


def as_tensor(
    value: object, field: str, allowed: Collection[torch.dtype] = WORKING
) -> torch.Tensor:
    """A tensor of at least one dimension (so that it promotes as one), of an allowed dtype.

    Raises:
        TypeError: if the value is no tensor, or its dtype is not allowed.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"{field}: {type(value).__name__} is not a tensor; "
            f"allowed: a tensor of {_names(allowed)}"
        )
    if value.dtype not in allowed:
        raise TypeError(f"{field}: dtype {value.dtype} is not allowed; allowed: {_names(allowed)}")
    return value.detach() if value.ndim else value.detach().reshape(1)


def as_dtype(dtype: npt.DTypeLike, field: str, allowed: Collection[torch.dtype]) -> torch.dtype:
    """The torch dtype of a numpy or ml_dtypes dtype.

    Raises:
        TypeError: if it is no dtype.
        ValueError: if the field may not have it.
    """
    try:
        if dtype is None:
            raise TypeError("numpy reads it as float64")
        known = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{field}: {dtype!r} is no dtype; allowed: {_names(allowed)}") from None
    names = _names(allowed)
    if known.name not in names:
        raise ValueError(f"{field}: dtype {known.name} is not allowed; allowed: {names}")
    return torch_dtype(known)


def one_number(global_scale: torch.Tensor | None) -> torch.Tensor | None:
    """A global scale of shape (1,), or None."""
    if global_scale is None:
        return None
    value = as_tensor(global_scale, "global_scale")
    if value.numel() != 1:
        raise ValueError(f"global_scale: shape {tuple(value.shape)} is not allowed; allowed: (1,)")
    return value.reshape(1)


def cast(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """``x`` rounded once to ``dtype``, to nearest even; it may be ``x`` itself.

    float64 reaches 8 and 16 bits by way of float32. Integers must be in range and not NaN.
    """
    if x.dtype == torch.float64 and dtype.itemsize < 4:
        x = x.to(torch.float32)
    return x.to(dtype)


def evaluation_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which an operation on ``dtype`` is evaluated before it is rounded."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def constant(value: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """``value`` rounded to ``dtype``, of shape (1,), on the device.

    A Python number as a divisor, or a 0-D tensor of the host, becomes a multiplication by its
    reciprocal on CUDA; a tensor of the device does not.
    """
    return cast(torch.full((1,), value, dtype=torch.float64, device=device), dtype)


def _names(dtypes: Collection[torch.dtype]) -> list[str]:
    return [numpy_dtype(d).name for d in dtypes]
