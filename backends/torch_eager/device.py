"""Where a backend of torch tensors has them, and the way to and from there."""

from typing import Any

import numpy.typing as npt
import torch

from ..torch_bridge import to_array, to_tensor

_DEVICES = ("cpu", "cuda")


class TorchDevice:
    """A device, and the bridge of bits to it.

    Args:
        device: ``"cpu"`` or ``"cuda"``, or such a ``torch.device``, with or without an index.

    Raises:
        ValueError: if the device is of another kind, or there is none.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        if self.device.type not in _DEVICES:
            raise ValueError(f"device: {str(device)!r} is not allowed; allowed: {list(_DEVICES)}")
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"device: {str(device)!r} is not available, torch {torch.__version__} finds no "
                "CUDA device; allowed: 'cpu'"
            )

    def from_numpy(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """A tensor on the device with the bits, shape, dtype and strides of ``array``."""
        return to_tensor(array, self.device)

    def to_numpy(self, tensor: torch.Tensor) -> npt.NDArray[Any]:
        """A contiguous array with the bits, shape and dtype of ``tensor``."""
        return to_array(tensor)
