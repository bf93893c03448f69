"""Which elements share a scale: views of tensors as units (SPEC sections 5 and 7)."""

import numpy as np

from .args import QuantizationArgs
from .dtypes import Array


def split_groups(x: Array, group_size: int | None) -> Array:
    """``(..., columns)`` as ``(..., groups, group_size)``.

    Raises:
        ValueError: if the columns are not a multiple of ``group_size``.
    """
    columns = x.shape[-1]
    if group_size is None or columns % group_size != 0:
        raise ValueError(
            f"x: {columns} columns are not divisible by group_size {group_size}; "
            f"allowed: a multiple of {group_size}"
        )
    return x.reshape(*x.shape[:-1], columns // group_size, group_size)


def block_counts(x: Array, args: QuantizationArgs) -> tuple[int, int]:
    """The number of block rows and block columns that cover a 2-D ``x``.

    Raises:
        ValueError: if ``x`` is not 2-D.
    """
    if x.ndim != 2 or args.block_structure is None:
        raise ValueError(f"x: shape {x.shape} is not allowed for strategy 'block'; allowed: 2-D")
    rows, cols = args.block_structure
    return -(-x.shape[0] // rows), -(-x.shape[1] // cols)


def split_blocks(x: Array, args: QuantizationArgs) -> Array:
    """A 2-D ``x``, zero-padded, as ``(block rows, rows, block columns, columns)``."""
    block_rows, block_cols = block_counts(x, args)
    rows, cols = args.block_structure or (1, 1)
    missing = block_rows * rows - x.shape[0], block_cols * cols - x.shape[1]
    if any(missing):
        padded = np.zeros((block_rows * rows, block_cols * cols), x.dtype)
        padded[: x.shape[0], : x.shape[1]] = x
        x = padded
    return x.reshape(block_rows, rows, block_cols, cols)


def per_column(scale: Array, g_idx: Array) -> Array:
    """``(..., groups)`` as ``(..., columns)``: column j has the value of group ``g_idx[j]``."""
    return np.take(scale, g_idx, axis=-1)


def per_block(scale: Array, shape: tuple[int, ...], args: QuantizationArgs) -> Array:
    """``(block rows, block columns)`` as ``(rows, columns)``: to each element its block's value."""
    rows, cols = args.block_structure or (1, 1)
    return scale.repeat(rows, axis=0).repeat(cols, axis=1)[: shape[0], : shape[1]]
