"""Weights of more than two axes, as those of experts, as one matrix of all their rows."""

from dataclasses import replace

import torch

from qparity.reference import QuantizationArgs

from ..torch_eager.layout import GROUPS
from .given import Given


def packs_apart(shape: tuple[int, ...], args: QuantizationArgs) -> bool:
    """Whether words of zero-points of one matrix of all rows would have those of two matrices."""
    per_word, rest = divmod(32, args.num_bits)
    shared = not args.symmetric and args.strategy in GROUPS and rest == 0
    return shared and shape[-2] % per_word > 0


def given_of_matrix(given: Given, shape: tuple[int, ...]) -> Given | None:
    """The given scales of a weight as those of its matrix; None if they are not one a unit."""
    scale, zero_point = given.scale, given.zero_point
    if zero_point is not None and zero_point.shape != scale.shape:
        return None
    if scale.ndim == 1:
        return given
    if scale.shape[:-1] != shape[:-1]:
        return None
    zero_point = None if zero_point is None else zero_point.flatten(0, -2)
    return replace(given, scale=scale.flatten(0, -2), zero_point=zero_point)


def stacked(made: dict[str, torch.Tensor], shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """What was made of the matrix of a weight, in the shapes that it has for the weight."""
    found = {
        name: value.view(*shape[:-2], -1, value.shape[-1]) if value.ndim == 2 else value
        for name, value in made.items()
    }
    if "shape" in made:
        found["shape"] = made["shape"].new_empty(len(shape))
        for i, n in enumerate(shape):
            # a tensor of them would be copied to the device, which the host waits for
            found["shape"][i].fill_(n)
    return found
