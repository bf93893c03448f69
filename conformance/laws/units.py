"""Which part of a tensor shares a scale, and tensors cut along such parts."""

from dataclasses import replace

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .law import Sample

__all__ = ["counts_of", "main_of", "per_element", "scale_shape", "take", "unit_sizes"]

_MAIN = ("x", "min_vals", "codes")
_ALONG = ("scale", "zero_point", "max_vals")


def main_of(sample: Sample) -> str:
    """The name of the array that is cut."""
    return next(name for name in _MAIN if name in sample.arrays)


def unit_sizes(args: QuantizationArgs, ndim: int) -> tuple[int, ...]:
    """How many elements along each axis of x go together: whole groups, whole blocks."""
    sizes = [1] * ndim
    if args.strategy in ("group", "tensor_group"):
        sizes[-1] = args.group_size or 1
    if args.strategy == "block" and args.block_structure is not None:
        sizes[-2:] = args.block_structure
    return tuple(sizes)


def counts_of(shape: tuple[int, ...], args: QuantizationArgs) -> tuple[int, ...]:
    """How many groups, blocks or elements there are along each axis."""
    sizes = unit_sizes(args, len(shape))
    return tuple(-(-n // size) for n, size in zip(shape, sizes, strict=True))


def scale_shape(shape: tuple[int, ...], args: QuantizationArgs) -> tuple[int, ...]:
    """The shape of the scale of a tensor of rank 2 (of rank 3 for ``attn_head``)."""
    if args.strategy == "tensor":
        return (1,)
    if args.strategy == "attn_head":
        return (shape[0], 1, 1)
    if args.strategy in ("channel", "token"):
        return (*shape[:-1], 1)
    return counts_of(shape, args)


def per_element(scale: Array, shape: tuple[int, ...], args: QuantizationArgs) -> Array:
    """The scale of every element of a tensor, in the scale's dtype."""
    for axis, size in enumerate(unit_sizes(args, len(shape))):
        if size > 1:
            scale = scale.repeat(size, axis)
    cut = tuple(slice(0, n) for n in shape[-scale.ndim :])
    return np.broadcast_to(scale[cut], shape)


def take(sample: Sample, axis: int, start: int, stop: int) -> Sample:
    """Only the units from ``start`` to ``stop`` along an axis, with their scales."""
    name = main_of(sample)
    main = sample.arrays[name]
    units, size = main.shape[axis], 1
    if name == "x":
        units = counts_of(main.shape, sample.args)[axis]
        size = unit_sizes(sample.args, main.ndim)[axis]
    from_the_right = axis - main.ndim
    arrays = dict(sample.arrays)
    arrays[name] = _slice(main, from_the_right, start * size, stop * size)
    for key in _ALONG:
        array = arrays.get(key)
        if array is None or array.ndim < -from_the_right or array.shape[from_the_right] != units:
            continue
        arrays[key] = _slice(array, from_the_right, start, stop)
    return replace(sample, arrays=arrays)


def _slice(array: Array, axis: int, start: int, stop: int) -> Array:
    index = [slice(None)] * array.ndim
    index[axis] = slice(start, stop)
    return array[tuple(index)].copy()
