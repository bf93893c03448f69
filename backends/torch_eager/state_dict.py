"""The tensors of a state dict, checked; and errors that name them as it does."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from qparity.reference import QuantizationArgs, QuantizationScheme

from .dtypes import as_tensor
from .layout import GROUPS
from .packing import sizes_of

# what the arguments of quantize and dequantize are in a state dict
OPERANDS = {
    "x": "weight",
    "x_q": "weight",
    "scale": "weight_scale",
    "zero_point": "weight_zero_point",
    "g_idx": "weight_g_idx",
    "global_scale": "weight_global_scale",
}


@contextmanager
def naming(names: Mapping[str, str]) -> Iterator[None]:
    """Errors of what is called within, with other words for the names of its arguments."""
    try:
        yield
    except (TypeError, ValueError) as error:
        words = "|".join(map(re.escape, names))
        message = re.sub(rf"\b({words})\b", lambda found: names[found[0]], str(error))
        raise type(error)(message) from error


def check_arguments(state_dict: object, scheme: object) -> None:
    """Refuse what is no mapping, or no scheme.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"state_dict: {state_dict!r} is not allowed; allowed: a mapping of tensors")
    if not isinstance(scheme, QuantizationScheme):
        raise TypeError(f"scheme: {scheme!r} is not allowed; allowed: a QuantizationScheme")


def tensor(state_dict: Mapping[str, torch.Tensor], key: str) -> torch.Tensor:
    """The tensor of a key, of at least one dimension.

    Raises:
        TypeError: if it is no tensor.
        ValueError: if it is missing.
    """
    if key not in state_dict:
        raise ValueError(f"{key}: missing from the state dict; allowed: a tensor")
    value = state_dict[key]
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{key}: {value!r} is not allowed; allowed: a tensor")
    return value if value.ndim else value.reshape(1)


def weight_shape(state_dict: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
    """The shape that ``weight_shape`` tells, for which the host waits.

    Raises:
        TypeError: if it is no tensor.
        ValueError: if it is missing, or there is anything but integers of 0 or more.
    """
    return sizes_of(tensor(state_dict, "weight_shape"), "weight_shape")


def packed_floats(state_dict: Mapping[str, torch.Tensor], bits: int) -> tuple[torch.Tensor, int]:
    """The bytes of packed fp4 or fp6 codes, and the columns that are in them.

    Raises:
        TypeError: if they are not uint8.
        ValueError: if they are missing, not 2-D, or no whole number of codes fills their columns.
    """
    packed = as_tensor(tensor(state_dict, "weight_packed"), "weight_packed", (torch.uint8,))
    whole = 3 if bits == 6 else 1
    if packed.ndim != 2 or packed.shape[1] % whole:
        columns = ", its columns a multiple of 3" if bits == 6 else ""
        raise ValueError(
            f"weight_packed: shape {tuple(packed.shape)} is not allowed; allowed: 2-D{columns}"
        )
    return packed, packed.shape[1] * 8 // bits


def zero_point_shape(
    shape: tuple[int, ...], scale: torch.Tensor, args: QuantizationArgs
) -> tuple[int, ...]:
    """The shape of a packed zero-point of a weight: that of the scale.

    A scale of one dimension has not the rows that words are packed along: they are the weight's.
    """
    if scale.ndim > 1:
        return tuple(scale.shape)
    # in groups it is one value per row
    return (*shape[:-1], 1 if args.strategy in GROUPS else scale.numel())


def check_zero_point(zero_point: torch.Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a zero-point that is packed but would not be unpacked as it was.

    Raises:
        ValueError: if it has another shape.
    """
    if tuple(zero_point.shape) != shape:
        raise ValueError(
            f"weight_zero_point: shape {tuple(zero_point.shape)} is not allowed; "
            f"allowed: {shape}, as it is unpacked in the shape of weight_scale"
        )
