"""The elements of a tensor one after the other in memory, for kernels that need no more."""

import functools

import torch

from ..torch_eager.dtypes import cast


def in_memory_order(x: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """``x``, and an unset result of its shape, whose elements lie in memory in one order.

    What is transposed stays so; what has gaps or overlaps is copied. 0-D becomes (1,).
    """
    x = x if x.ndim else x.reshape(1)
    out = torch.empty_like(x, dtype=dtype, requires_grad=False)
    if out.stride() != x.stride():
        x = x.contiguous()
        out = torch.empty(x.shape, dtype=dtype, device=x.device)
    return x, out


@functools.lru_cache(maxsize=1024)
def bound_in(dtype: torch.dtype, value: float) -> float:
    """A bound, rounded to the dtype of what it limits; it may become an infinity."""
    return float(cast(torch.tensor(value, dtype=torch.float64), dtype))


def raw(tensor: torch.Tensor) -> torch.Tensor:
    """Floats of 8 bits as bytes, which kernels read and write them as."""
    one_byte = tensor.dtype.is_floating_point and tensor.itemsize == 1
    return tensor.view(torch.uint8) if one_byte else tensor
