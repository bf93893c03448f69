"""Which scale an element belongs to, and the ranges that scales are made from."""

from collections.abc import Mapping

from .args import GROUPS, Args
from .number import ZERO, Number, maximum, minimum

Index = tuple[int, ...]


def position(args: Args, shape: Index, index: Index) -> Index:
    """The index of the scale that the element at `index` of an array of `shape` uses."""
    if args.strategy == "tensor":
        return (0,)
    if args.strategy == "attn_head":
        return (index[-3], 0, 0)
    if args.strategy == "block" and args.block_structure is not None:
        height, width = args.block_structure
        return (index[0] // height, index[1] // width)
    if args.strategy == "channel":
        return (0, 0) if len(shape) == 1 else (*index[:-1], 0)
    if args.strategy == "token":
        if len(shape) <= 2:
            return (0,) if len(shape) == 1 else (index[0], 0)
        return (*index[:2], *(0 for _ in shape[2:]))
    if args.strategy in GROUPS and args.group_size is not None:
        return (*index[:-1], index[-1] // args.group_size)
    raise ValueError(f"strategy: {args.strategy!r}")


def ranges(
    args: Args, shape: Index, elements: Mapping[Index, Number]
) -> dict[Index, tuple[Number, Number]]:
    """(min, max) at each position; a block that juts out over the edge holds a zero."""
    found: dict[Index, tuple[Number, Number]] = {}
    for index, x in elements.items():
        at = position(args, shape, index)
        low, high = found.get(at, (x, x))
        found[at] = minimum(low, x), maximum(high, x)
    if args.strategy == "block" and args.block_structure is not None:
        for at, (low, high) in found.items():
            ends = [(k + 1) * size for k, size in zip(at, args.block_structure, strict=True)]
            if any(end > length for end, length in zip(ends, shape, strict=True)):
                found[at] = minimum(low, ZERO), maximum(high, ZERO)
    return found
