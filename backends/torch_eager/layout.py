"""Which elements share a scale, and in which pieces work is done (SPEC sections 5 and 7)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from qparity.reference import QuantizationArgs

GROUPS = ("group", "tensor_group")

# Elements of one piece on the CPU: few enough that its float32 copies stay in the cache, and enough
# that threads seldom wait for each other.
PIECE = {"cpu": 1 << 20}
# Shorter groups are spread over their elements first: a broadcast inner loop would be as short.
_SHORT = 64


@dataclass(frozen=True, slots=True)
class Units:
    """``x`` and its parameters, shaped so that each parameter broadcasts to ``x``.

    ``x`` may be larger than the caller's: blocks are zero-padded, and cut back by ``restore``.
    """

    x: torch.Tensor
    parameters: tuple[torch.Tensor, ...]
    shape: tuple[int, ...]
    padded: tuple[int, ...]

    def empty(self, dtype: torch.dtype) -> torch.Tensor:
        """An unset result of the shape of ``x``."""
        return torch.empty(self.x.shape, dtype=dtype, device=self.x.device)

    def restore(self, result: torch.Tensor) -> torch.Tensor:
        """A result of the shape of ``x``, in the shape of the caller's."""
        result = result.reshape(self.padded)
        if self.padded != self.shape:
            result = result[: self.shape[0], : self.shape[1]].contiguous()
        return result

    def pieces(
        self, out: torch.Tensor, axis: int | None = None
    ) -> Iterator[tuple[torch.Tensor, ...]]:
        """``(x, out, *parameters)`` in slices along an axis; no data move.

        The axis is by default the first that is not 1; ``out`` is as long as ``x`` there.
        """
        if axis is None:
            axis = next((i for i, n in enumerate(self.x.shape) if n != 1), 0)
        for start, count in row_slices(self.x, axis):
            yield (
                self.x.narrow(axis, start, count),
                out.narrow(axis, start, count),
                *(
                    p if p.shape[axis] == 1 else p.narrow(axis, start, count)
                    for p in self.parameters
                ),
            )


def row_slices(x: torch.Tensor, axis: int = 0) -> Iterator[tuple[int, int]]:
    """Start and length of the slices along an axis that are worked on one after the other."""
    rows = x.shape[axis]
    limit = PIECE.get(x.device.type, x.numel())
    step = max(1, limit * rows // max(1, x.numel()))
    for start in range(0, rows, step):
        yield start, min(step, rows - start)


def units(
    x: torch.Tensor,
    args: QuantizationArgs,
    g_idx: torch.Tensor | None,
    parameters: Sequence[tuple[str, torch.Tensor | None]],
) -> Units:
    """Lay ``x`` and its parameters, each with its field's name, out by the strategy of ``args``.

    A parameter that is None is left out.

    Raises:
        TypeError: if ``g_idx`` is not an integer tensor.
        ValueError: if shapes do not fit; the message names the field.
    """
    columns = _columns_to_groups(g_idx, x.shape[-1])
    shape = padded = tuple(x.shape)
    if args.strategy == "block":
        x = split_blocks(x, args)
        padded = (x.shape[0] * x.shape[1], x.shape[2] * x.shape[3])
    elif args.strategy in GROUPS:
        groups = split_groups(x, args.group_size)
        rank, x = x.ndim, groups if columns is None else x
    # a scale of one value per row brings a zero-point of one value per row
    per_row = any(field == "scale" and v is not None and v.ndim == 1 for field, v in parameters)
    laid_out = []
    for field, value in parameters:
        if value is None:
            continue
        if args.strategy == "block":
            value = _per_block(value, field, x)
        elif args.strategy in GROUPS:
            value = _per_group(value, field, rank, columns, per_row=per_row)
        laid_out.append(_broadcastable(value, field, x))
    return Units(x, tuple(laid_out), shape, padded)


def split_groups(x: torch.Tensor, group_size: int | None) -> torch.Tensor:
    """``(..., columns)`` as ``(..., groups, group_size)``, a view.

    Raises:
        ValueError: if the columns are not a multiple of ``group_size``.
    """
    if group_size is None or x.shape[-1] % group_size:
        raise ValueError(
            f"x: {x.shape[-1]} columns are not divisible by group_size {group_size}; "
            f"allowed: a multiple of {group_size}"
        )
    return x.view(*x.shape[:-1], x.shape[-1] // group_size, group_size)


def split_blocks(x: torch.Tensor, args: QuantizationArgs) -> torch.Tensor:
    """A 2-D ``x``, zero-padded, as ``(block rows, rows, block columns, columns)``.

    Raises:
        ValueError: if ``x`` is not 2-D.
    """
    if x.ndim != 2 or args.block_structure is None:
        raise ValueError(
            f"x: shape {tuple(x.shape)} is not allowed for strategy 'block'; allowed: 2-D"
        )
    rows, cols = args.block_structure
    row_count, col_count = -(-x.shape[0] // rows), -(-x.shape[1] // cols)
    if x.shape != (row_count * rows, col_count * cols):
        whole = torch.zeros((row_count * rows, col_count * cols), dtype=x.dtype, device=x.device)
        whole[: x.shape[0], : x.shape[1]] = x
        x = whole
    return x.view(row_count, rows, col_count, cols)


def spread(value: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A parameter, copied over the last axis of ``x`` where that is short; its values stay."""
    last = x.shape[-1]
    if value.shape[-1] != 1 or not 1 < last < _SHORT or x.ndim == 1:
        return value
    return value.expand(*value.shape[:-1], last).contiguous()


def _columns_to_groups(g_idx: torch.Tensor | None, columns: int) -> torch.Tensor | None:
    """``g_idx``, checked; a negative entry means that it is not given."""
    if g_idx is None:
        return None
    if (
        not isinstance(g_idx, torch.Tensor)
        or g_idx.is_floating_point()
        or g_idx.dtype == torch.bool
    ):
        raise TypeError(f"g_idx: {type(g_idx).__name__} is not allowed; allowed: an integer tensor")
    if g_idx.shape != (columns,):
        raise ValueError(f"g_idx: shape {tuple(g_idx.shape)} is not allowed; allowed: ({columns},)")
    return None if (g_idx < 0).any() else g_idx


def _per_group(
    value: torch.Tensor, field: str, rank: int, columns: torch.Tensor | None, *, per_row: bool
) -> torch.Tensor:
    """``(..., groups)`` as ``(..., groups, 1)``, or as ``(..., columns)`` by ``g_idx``."""
    if rank == 1 and value.numel() == value.shape[-1]:
        value = value.reshape(-1)
    elif rank > 1 and value.ndim == 1 and per_row:
        value = value.unsqueeze(-1)
    if columns is None:
        return value.unsqueeze(-1)
    groups = value.shape[-1]
    if columns.numel() and int(columns.max()) >= groups:
        raise ValueError(
            f"g_idx: {int(columns.max())} is not a group; "
            f"allowed: 0 to {groups - 1}, the groups of {field}"
        )
    return value.index_select(-1, columns.to(value.device, torch.int64))


def _per_block(value: torch.Tensor, field: str, x: torch.Tensor) -> torch.Tensor:
    """``(block rows, block columns)`` as ``(block rows, 1, block columns, 1)``."""
    blocks = (x.shape[0], x.shape[2])
    fits = value.ndim <= 2 and all(
        have in (1, n) for have, n in zip(reversed(value.shape), reversed(blocks), strict=False)
    )
    if not fits:
        raise ValueError(
            f"{field}: shape {tuple(value.shape)} is not allowed; allowed: {blocks}, the blocks"
        )
    return value.expand(blocks)[:, None, :, None]


def _broadcastable(value: torch.Tensor, field: str, x: torch.Tensor) -> torch.Tensor:
    shape = tuple(value.shape)
    while value.ndim > x.ndim and value.shape[0] == 1:
        value = value[0]
    pairs = zip(reversed(value.shape), reversed(x.shape), strict=False)
    if value.ndim > x.ndim or any(have not in (1, n) for have, n in pairs):
        raise ValueError(
            f"{field}: its values, shaped {shape}, do not broadcast to x, shaped {tuple(x.shape)}; "
            "allowed: one value, or one per unit of the strategy"
        )
    return value[(None,) * (x.ndim - value.ndim)]
