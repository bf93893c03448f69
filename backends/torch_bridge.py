"""Arrays to tensors and back, as raw bits with a dtype tag, never by a value cast (SPEC 10)."""

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch

from .memory import copy_memory

__all__ = ["numpy_dtype", "to_array", "to_tensor", "torch_dtype", "torch_versions"]

_TORCH_DTYPES: dict[np.dtype[Any], torch.dtype] = {
    np.dtype(np.bool_): torch.bool,
    np.dtype(np.int8): torch.int8,
    np.dtype(np.int16): torch.int16,
    np.dtype(np.int32): torch.int32,
    np.dtype(np.int64): torch.int64,
    np.dtype(np.uint8): torch.uint8,
    np.dtype(np.float16): torch.float16,
    np.dtype(ml_dtypes.bfloat16): torch.bfloat16,
    np.dtype(np.float32): torch.float32,
    np.dtype(np.float64): torch.float64,
    np.dtype(ml_dtypes.float8_e4m3fn): torch.float8_e4m3fn,
    np.dtype(ml_dtypes.float8_e5m2): torch.float8_e5m2,
}
_NUMPY_DTYPES = {tensor: array for array, tensor in _TORCH_DTYPES.items()}
_RAW = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def torch_dtype(dtype: npt.DTypeLike) -> torch.dtype:
    """The torch dtype of a numpy or ml_dtypes dtype.

    Raises:
        TypeError: if torch has none, or it is not one that crosses.

    >>> torch_dtype(np.float16)
    torch.float16
    """
    found = _TORCH_DTYPES.get(np.dtype(dtype))
    if found is None:
        raise TypeError(
            f"dtype: {np.dtype(dtype).name} does not cross to torch; "
            f"allowed: {[d.name for d in _TORCH_DTYPES]}"
        )
    return found


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """The numpy or ml_dtypes dtype of a torch dtype.

    Raises:
        TypeError: if it is not one that crosses.

    >>> numpy_dtype(torch.bfloat16).name
    'bfloat16'
    """
    found = _NUMPY_DTYPES.get(dtype)
    if found is None:
        raise TypeError(f"dtype: {dtype} does not cross to numpy; allowed: {list(_NUMPY_DTYPES)}")
    return found


def to_tensor(array: npt.NDArray[Any], device: torch.device | str = "cpu") -> torch.Tensor:
    """A tensor with the bits, shape, dtype and strides of ``array``, in memory of its own.

    Args:
        array: any shape, 0-D and empty included; sliced, transposed, stepped and broadcast arrays
            arrive with their strides. Negative strides and misaligned data arrive contiguous.
        device: where the tensor is to be.

    Raises:
        TypeError: if ``array`` is no array, or its dtype does not cross.
    """
    if not isinstance(array, (np.ndarray, np.generic)):
        raise TypeError(f"array: {type(array).__name__} is not allowed; allowed: a numpy array")
    array = np.asarray(array)
    dtype = torch_dtype(array.dtype)
    memory, strides = copy_memory(array)
    raw = torch.from_numpy(memory).to(device)
    return raw.view(dtype).as_strided(array.shape, strides)


def to_array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A contiguous array with the bits, shape and dtype of ``tensor``, in memory of its own.

    Args:
        tensor: any shape, strides and device.

    Raises:
        TypeError: if ``tensor`` is no tensor, or its dtype does not cross.
    """
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"tensor: {type(tensor).__name__} is not allowed; allowed: torch.Tensor")
    dtype = numpy_dtype(tensor.dtype)
    bits = tensor.detach().view(_RAW[tensor.itemsize])
    array: npt.NDArray[Any] = bits.clone(memory_format=torch.contiguous_format).cpu().numpy()
    return array.view(dtype)


def torch_versions(device: torch.device) -> dict[str, str]:
    """The version of torch, and of a CUDA device its name."""
    versions = {"torch": str(torch.__version__)}
    if device.type == "cuda":
        versions["device"] = torch.cuda.get_device_name(device)
    return versions
