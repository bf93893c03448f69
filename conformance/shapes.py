"""Shapes of tensors and of their scales, for every strategy, at awkward sizes."""

from dataclasses import dataclass

import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array
from .values import Rng

TAILS = (1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)
LONG_TAILS = (1023, 1024, 1025, 1025, 2049, 4097)
MANY_ROWS = (31, 33, 65, 129, 257)
GROUP_SIZES = (1, 2, 3, 16, 32, 64, 128, 256)
BLOCKS = ((1, 1), (2, 3), (16, 16), (128, 128), (3, 64), (1, 128))
_LONG, _MANY, _EMPTY = 1 / 10, 1 / 10, 1 / 24
_LARGE_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shape of a tensor and that of its scale."""

    x: tuple[int, ...]
    scale: tuple[int, ...]


def rows_and_tail(rng: Rng, long: float = _LONG) -> tuple[int, int]:
    """A few rows of a length around a vector's width; some are long, or many."""
    form = rng.random()
    if form < long:
        return int(rng.integers(1, 3)), int(rng.choice(LONG_TAILS))
    if form < long + _MANY:
        return int(rng.choice(MANY_ROWS)), int(rng.choice(TAILS[:6]))
    return int(rng.choice([1, 2, 3, 5])), int(rng.choice(TAILS))


def extent_of_blocks(rng: Rng, size: int) -> int:
    """A length of one to four blocks, or of one or two where they are large, the last one short."""
    if size < _LARGE_BLOCK:
        return int(rng.integers(1, 5)) * size - int(rng.integers(0, size))
    few = int(rng.integers(1, 4))
    return int(rng.choice([few, few, size, size + few, size + few, 2 * size - few]))


def groups_of(rng: Rng, size: int, usual: tuple[int, ...], rows: int) -> int:
    """How many groups each of some rows has: a usual number, or enough for about 1024 columns."""
    if rows not in MANY_ROWS and rng.random() < _LONG:
        return 1024 // size + int(rng.integers(0, 2))
    return int(rng.choice(usual))


def shapes_for(rng: Rng, args: QuantizationArgs, *, empty: bool = False) -> Shapes:
    """A shape that fits the strategy, of rank 0 to 4, with a tail around a vector's width.

    Args:
        rng: source of the choices.
        args: names the strategy.
        empty: whether one in a few has no element.
    """
    if empty and rng.random() < _EMPTY:
        forms = _empty(args)
    elif args.strategy == "block":
        return _of_blocks(rng, args)
    else:
        forms = _forms(rng, args)
    return forms[int(rng.integers(len(forms)))]


def _forms(rng: Rng, args: QuantizationArgs) -> list[Shapes]:
    rows, tail = rows_and_tail(rng)
    lead = (int(rng.choice([1, 2, 3])) if tail not in LONG_TAILS else 1,)
    if args.strategy in ("group", "tensor_group"):
        groups = groups_of(rng, args.group_size or 1, (1, 2, 3, 5), rows)
        columns = groups * (args.group_size or 1)
        return [
            Shapes((rows, columns), (rows, groups)),
            Shapes((rows, columns), (rows, groups)),
            Shapes((rows, columns), (rows, 1)),
            Shapes((rows, columns), (rows,)),
            Shapes((*lead, rows, columns), (*lead, rows, groups)),
            Shapes((*lead, 2, rows, columns), (*lead, 2, rows, groups)),
            Shapes((columns,), (groups,)),
            Shapes((columns,), (1, groups)),
        ]
    if args.strategy == "attn_head":
        tail = min(tail, 65)
        length = int(rng.choice([1, 2, 2, 3, 17]))
        return [
            Shapes((*lead, rows, length, tail), (rows, 1, 1)),
            Shapes((*lead, rows, length, tail), (rows, 1, 1)),
            Shapes((rows, length, tail), (rows, 1, 1)),
        ]
    if args.strategy == "tensor":
        shapes = [(tail,), (rows, tail), (), (*lead, rows, tail), (*lead, 2, rows, tail)]
        scale = [(1,), (1,), (1,), ()][int(rng.integers(4))]
        return [Shapes(x, scale) for x in shapes]
    return [
        Shapes((rows, tail), (rows, 1)),
        Shapes((rows, tail), (rows, 1)),
        Shapes((*lead, rows, tail), (*lead, rows, 1)),
        Shapes((*lead, 2, rows, tail), (*lead, 2, rows, 1)),
        Shapes((tail,), (1,)),
    ]


def _empty(args: QuantizationArgs) -> list[Shapes]:
    if args.strategy == "block":
        rows, cols = args.block_structure or (1, 1)
        return [Shapes((0, cols), (0, 1)), Shapes((rows, 0), (1, 0))]
    if args.strategy in ("group", "tensor_group"):
        columns = 2 * (args.group_size or 1)
        return [
            Shapes((0, columns), (0, 2)),
            Shapes((0, columns), (0,)),
            Shapes((2, 0), (2, 0)),
            Shapes((0,), (0,)),
        ]
    if args.strategy == "attn_head":
        return [Shapes((0, 2, 1, 4), (2, 1, 1)), Shapes((1, 2, 0, 4), (2, 1, 1))]
    if args.strategy == "tensor":
        return [Shapes(x, (1,)) for x in ((0,), (0, 3), (3, 0), (2, 0, 3))]
    return [Shapes((0, 5), (0, 1)), Shapes((2, 0), (2, 1)), Shapes((2, 0, 3), (2, 0, 1))]


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
    x = extent_of_blocks(rng, rows), extent_of_blocks(rng, cols)
    high, wide = -(-x[0] // rows), -(-x[1] // cols)
    scales = [(high, wide), (high, wide), (high, wide), (wide,), (1, wide), (1,)]
    return Shapes(x, scales[int(rng.integers(len(scales)))])
