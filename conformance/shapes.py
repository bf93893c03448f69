"""Shapes of tensors and of their scales, for every strategy, at awkward sizes."""

from dataclasses import dataclass

import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array
from .values import Rng

TAILS = (1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)
GROUP_SIZES = (1, 2, 3, 16, 32, 128)
BLOCKS = ((1, 1), (2, 3), (16, 16), (128, 128), (3, 64))


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shape of a tensor and that of its scale."""

    x: tuple[int, ...]
    scale: tuple[int, ...]


def shapes_for(rng: Rng, args: QuantizationArgs) -> Shapes:
    """A shape that fits the strategy, of rank 0 to 4, with a tail around a vector's width."""
    tail = int(rng.choice(TAILS))
    rows = int(rng.choice([1, 2, 3, 5]))
    lead = (int(rng.choice([1, 2, 3])),)
    if args.strategy == "block":
        return _of_blocks(rng, args)
    if args.strategy in ("group", "tensor_group"):
        groups = int(rng.choice([1, 2, 3, 5]))
        columns = groups * (args.group_size or 1)
        forms = [
            Shapes((rows, columns), (rows, groups)),
            Shapes((rows, columns), (rows, groups)),
            Shapes((rows, columns), (rows, 1)),
            Shapes((rows, columns), (rows,)),
            Shapes((*lead, rows, columns), (*lead, rows, groups)),
            Shapes((columns,), (groups,)),
            Shapes((columns,), (1, groups)),
        ]
    elif args.strategy == "attn_head":
        forms = [Shapes((*lead, rows, 2, min(tail, 64)), (rows, 1, 1))]
    elif args.strategy == "tensor":
        one = (1,)
        forms = [Shapes((tail,), one), Shapes((rows, tail), one), Shapes((), one)]
        forms += [Shapes((*lead, rows, tail), one), Shapes((*lead, 2, rows, tail), one)]
    else:
        forms = [Shapes((rows, tail), (rows, 1)), Shapes((*lead, rows, tail), (*lead, rows, 1))]
    return forms[int(rng.integers(len(forms)))]


def per_element(scale: Array, shapes: Shapes, args: QuantizationArgs) -> Array:
    """The scale of every element of x, in float64."""
    values = scale.astype(np.float64)
    x = shapes.x or (1,)
    if args.strategy == "block" and args.block_structure is not None:
        rows, cols = args.block_structure
        values = np.broadcast_to(values, (-(-x[0] // rows), -(-x[1] // cols)))
        return values.repeat(rows, 0).repeat(cols, 1)[: x[0], : x[1]]
    if args.strategy in ("group", "tensor_group"):
        groups = x[-1] // (args.group_size or 1)
        if len(x) == 1:
            values = values.reshape(-1)
        elif values.ndim == 1:
            values = values[:, None]
        values = np.broadcast_to(values, (*x[:-1], groups))
        return values.repeat(args.group_size or 1, -1)
    return np.broadcast_to(values, x).copy()


def _of_blocks(rng: Rng, args: QuantizationArgs) -> Shapes:
    rows, cols = args.block_structure or (1, 1)
    high, wide = (int(rng.integers(1, max(2, min(3, 160 // n + 1)))) for n in (rows, cols))
    short = int(rng.integers(0, rows)), int(rng.integers(0, cols))
    x = high * rows - short[0], wide * cols - short[1]
    scales = [(high, wide), (high, wide), (high, wide), (wide,), (1, wide), (1,)]
    return Shapes(x, scales[int(rng.integers(len(scales)))])
