"""Which scale an element has."""

from dataclasses import dataclass

import torch

from qparity.reference import QuantizationArgs

from ..torch_eager.layout import GROUPS


@dataclass(frozen=True, slots=True)
class Units:
    """The scale of an element is that of its row and column, divided by these, by the strides.

    Attributes:
        row_block: rows that share a scale.
        col_block: columns that do.
        strides: of the rows and columns of the scale, and of the zero-point.
    """

    row_block: int
    col_block: int
    strides: tuple[int, int]


def units_of(
    shape: tuple[int, ...],
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
) -> Units | None:
    """The units of a tensor by the strategy of ``args``; None if a shape is an unusual one."""
    cols = shape[-1]
    rows: tuple[int, ...] = shape[:-1]
    row_block, col_block = 1, cols
    if args.strategy in GROUPS:
        if not args.group_size or cols % args.group_size:
            return None
        col_block = int(args.group_size)
    elif args.strategy == "block":
        if len(shape) != 2 or args.block_structure is None:
            return None
        row_block, col_block = args.block_structure
        rows = (-(-shape[0] // row_block),)
    counts = (*rows, -(-cols // col_block))
    if zero_point is not None and zero_point.shape != scale.shape:
        return None
    of_scale = tuple(scale.shape)
    if scale.numel() == 1:
        strides = (0, 0)
    elif of_scale == counts or (len(shape) == 1 and of_scale == (1, *counts)):
        strides = (counts[-1], 1)
    elif args.strategy in GROUPS and of_scale in _one_per_row(shape):
        strides = (1, 0)
    else:
        return None
    return Units(row_block, col_block, strides)


def _one_per_row(shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    whole = (*shape[:-1], 1)
    return (whole, shape[:1]) if len(shape) == 2 else (whole,)
