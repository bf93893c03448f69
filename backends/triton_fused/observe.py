"""Ranges of tensors, with the state of an observer; None for what no kernel covers."""

from dataclasses import dataclass
from math import prod

import torch
import triton

from qparity.reference import QuantizationArgs

from ..torch_eager.layout import GROUPS
from .plan import TRITON_DTYPES
from .range_kernels import AVERAGE, NO_STATE, RUNNING, ranges_of_blocks

Range = tuple[torch.Tensor, torch.Tensor]
_TILE = 4096
# elements of a unit that one program may read
_LONGEST = 1 << 16
_PART = 1 << 14
_MOST_PARTS = 1 << 12


@dataclass(frozen=True, slots=True)
class Blocks:
    """Units of a matrix: blocks of ``tall`` rows and ``wide`` columns, zero-padded if ``padded``.

    ``shape`` is that of their ranges.
    """

    x: torch.Tensor
    tall: int
    wide: int
    shape: tuple[int, ...]
    padded: bool = False


def memoryless_minmax(
    x: torch.Tensor, args: QuantizationArgs, state: Range | None = None
) -> Range | None:
    """As ``torch_eager.memoryless_minmax``."""
    del state
    return _observed(x, args, None, NO_STATE)


def static_minmax(
    x: torch.Tensor, args: QuantizationArgs, state: Range | None = None
) -> Range | None:
    """As ``torch_eager.static_minmax``."""
    return _observed(x, args, state, RUNNING)


def minmax(x: torch.Tensor, args: QuantizationArgs, state: Range | None = None) -> Range | None:
    """As ``torch_eager.minmax``."""
    return _observed(x, args, state, AVERAGE)


def _observed(
    x: torch.Tensor, args: QuantizationArgs, state: Range | None, rule: object
) -> Range | None:
    if x.dtype not in TRITON_DTYPES or x.numel() == 0:
        return None
    blocks = _blocks(x, args)
    if blocks is None:
        return None
    before = None
    if state is not None:
        before_lo, before_hi = state
        for part in (before_lo, before_hi):
            if part.dtype != x.dtype or tuple(part.shape or (1,)) != blocks.shape:
                return None
        before = before_lo.contiguous(), before_hi.contiguous()
    weight = float(args.observer_kwargs.get("averaging_constant", 0.01))
    rule = NO_STATE if before is None else rule
    length = blocks.tall * blocks.wide
    if length > _LONGEST and not blocks.padded:
        # the ranges of parts of rows, then those of them
        rows, cols = blocks.x.shape
        part = max(_PART, triton.next_power_of_2(triton.cdiv(blocks.wide, _MOST_PARTS)))
        parts = triton.cdiv(blocks.wide, part)
        halves = torch.empty((rows * cols // blocks.wide, 2, parts), dtype=x.dtype, device=x.device)
        of_rows = Blocks(blocks.x.reshape(-1, blocks.wide), 1, part, ())
        _launch(of_rows, (halves, halves[:, 1]), 2 * parts, None, NO_STATE, weight)
        ranges = halves.view(rows, -1)
        blocks = Blocks(ranges, blocks.tall, 2 * parts, blocks.shape)
    found = tuple(torch.empty(blocks.shape, dtype=x.dtype, device=x.device) for _ in range(2))
    _launch(blocks, found, 0, before, rule, weight)
    return found[0], found[1]


def _blocks(x: torch.Tensor, args: QuantizationArgs) -> Blocks | None:
    """Which elements have a range together; None if the strategy does not suit the shape."""
    x = x if x.ndim else x.reshape(1)
    strategy, lead = args.strategy, tuple(x.shape[:-1]) or (1,)
    if strategy == "tensor":
        return Blocks(x.contiguous().view(1, -1), 1, x.numel(), (1,))
    if strategy == "block" and x.ndim == 2 and args.block_structure is not None:
        tall, wide = args.block_structure
        counts = triton.cdiv(x.shape[0], tall), triton.cdiv(x.shape[1], wide)
        return Blocks(_in_rows(x), tall, wide, counts, padded=True)
    if strategy == "attn_head" and x.ndim > 2:
        heads, inner = x.shape[-3], x.shape[-2] * x.shape[-1]
        tall = prod(x.shape[:-3])
        return Blocks(x.contiguous().view(tall, heads * inner), tall, inner, (heads, 1, 1))
    size = x.shape[-1] if strategy == "channel" else args.group_size
    if strategy not in ("channel", *GROUPS) or not size or x.shape[-1] % size:
        return None
    rows = _in_rows(x if x.ndim == 2 else x.contiguous().view(-1, x.shape[-1]))
    return Blocks(rows, 1, size, (*lead, x.shape[-1] // size))


def _in_rows(x: torch.Tensor) -> torch.Tensor:
    """A matrix whose rows lie in memory without gaps, each by itself."""
    return x if x.stride(1) == 1 else x.contiguous()


def _launch(
    blocks: Blocks,
    out: tuple[torch.Tensor, ...],
    out_stride: int,
    before: Range | None,
    rule: object,
    weight: float,
) -> None:
    """Ranges to ``out``, whose rows of them are ``out_stride`` apart, or follow each other if 0."""
    x, tall, wide = blocks.x, blocks.tall, blocks.wide
    rows, cols = x.shape
    per_row, per_column = triton.cdiv(cols, wide), triton.cdiv(rows, tall)
    col_tile = min(triton.next_power_of_2(wide), _TILE)
    row_tile = min(triton.next_power_of_2(tall), _TILE // col_tile)
    units = max(1, _TILE // (row_tile * col_tile))
    state = out if before is None else before
    ranges_of_blocks[(triton.cdiv(per_row * per_column, units),)](
        x,
        out[0],
        out[1],
        state[0],
        state[1],
        rows,
        cols,
        x.stride(0),
        tall,
        wide,
        per_row,
        per_row * per_column,
        out_stride or per_row,
        1 - weight,
        weight,
        STATE=rule,
        X=TRITON_DTYPES[x.dtype],
        PADDED=blocks.padded,
        WHOLE=wide % col_tile == 0 and tall % row_tile == 0 and cols % wide == 0 == rows % tall,
        FLAT=tall == 1 and x.is_contiguous() and cols % wide == 0,
        UNITS=units,
        ROWS=row_tile,
        COLS=col_tile,
        num_warps=4,
        enable_fp_fusion=False,
    )
