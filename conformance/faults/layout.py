"""Faults of which elements share a scale, and of strides, tails and block edges."""

from collections.abc import Callable

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .fault import Fault, Step, changing
from .steps_quantize import GROUPED
from .variant import Variant, exact

_USES = ("quantize", "dequantize", "fake_quantize", "compress", "decompress")
_CALLS = ("quantize", "dequantize", "fake_quantize")
_OF_X = ("quantize", "fake_quantize", "compute_dynamic_scales_and_zp", "minmax")
_VECTOR = 16


def _spread(change: Callable[[Array, Array, QuantizationArgs], Array]) -> Step:
    """Given the exact scales of all elements and the scales themselves, others."""

    def spread(
        v: Variant, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None
    ) -> Array:
        every: Array = exact(v, "spread")(value, x, args, g_idx)
        return every if g_idx is not None else change(every, value, args)

    return spread


def _stale(every: Array, value: Array, args: QuantizationArgs) -> Array:
    """The first element of a group uses the scale of the group before."""
    size = args.group_size or 1
    starts = np.arange(size, every.shape[-1], size)
    if args.strategy not in GROUPED or not starts.size:
        return every
    changed = every.copy()
    changed[..., starts] = every[..., starts - 1]
    return changed


def _dealt(every: Array, value: Array, args: QuantizationArgs) -> Array:
    size = args.group_size or 1
    if args.strategy not in GROUPED:
        return every
    columns = np.arange(every.shape[-1])
    return every[..., (columns % (every.shape[-1] // size)) * size]


def _first_row(every: Array, value: Array, args: QuantizationArgs) -> Array:
    """All rows use the scales of the first."""
    if args.strategy in ("tensor", "block", "attn_head") or every.ndim < 2:
        return every
    return np.broadcast_to(every[..., :1, :], every.shape)


def _row_behind(every: Array, value: Array, args: QuantizationArgs) -> Array:
    """A row uses the scale of the row before, the first one that of the last."""
    if args.strategy not in ("channel", "token") or every.ndim < 2:
        return every
    return np.roll(every, 1, axis=-2)


def _transposed_blocks(every: Array, value: Array, args: QuantizationArgs) -> Array:
    """The scales of blocks read column by column."""
    if args.strategy != "block" or args.block_structure is None or value.ndim != 2:
        return every
    rows, cols = args.block_structure
    blocks = -(-every.shape[0] // rows), -(-every.shape[1] // cols)
    turned = np.broadcast_to(value, blocks).T.reshape(blocks)
    return turned.repeat(rows, 0).repeat(cols, 1)[: every.shape[0], : every.shape[1]]


def _even_blocks(every: Array, value: Array, args: QuantizationArgs) -> Array:
    """The rows and columns that there are, cut evenly into blocks."""
    if args.strategy != "block" or value.ndim != every.ndim:
        return every
    rows, cols = (np.arange(n) * m // n for n, m in zip(every.shape, value.shape, strict=True))
    return value[np.ix_(rows, cols)]


def _g_idx_ignored(v: Variant, value: Array, g_idx: Array, x: Array) -> Array:
    groups = np.arange(x.shape[-1]) * value.shape[-1] // x.shape[-1]
    return np.broadcast_to(np.take(value, groups, axis=-1), x.shape)


def _g_idx_inverted(v: Variant, value: Array, g_idx: Array, x: Array) -> Array:
    """g_idx used as an order of columns."""
    place = np.argsort(np.argsort(g_idx, kind="stable"), kind="stable")
    return np.broadcast_to(np.take(value, place % value.shape[-1], axis=-1), x.shape)


def _g_idx_of_sorted(v: Variant, value: Array, g_idx: Array, x: Array) -> Array:
    """The columns taken as sorted by group."""
    return np.broadcast_to(np.take(value, np.sort(g_idx), axis=-1), x.shape)


def _negative_g_idx(
    v: Variant, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None
) -> Array:
    """A g_idx with negative entries is used; they count from the end."""
    if g_idx is None or args.strategy not in GROUPED or value.ndim < 2:
        every: Array = exact(v, "spread")(value, x, args, g_idx)
        return every
    return v.of_groups(value, g_idx, x)


def _tail_lost(result: Array) -> Array:
    """What follows the last whole vector is not written."""
    flat = result.reshape(-1).copy()
    rest = flat.size % _VECTOR
    if flat.size > _VECTOR and rest:
        flat[-rest:] = flat.dtype.type(0)
    return flat.reshape(result.shape)


def _misread(read: Callable[[Array], Array]) -> dict[str, Step]:
    """Operations that read the memory of x in their own way."""

    def operation(name: str) -> Step:
        return lambda v, x, *a, **k: exact(v, name)(read(x), *a, **k)

    return {name: operation(name) for name in _OF_X}


def _in_memory_order(x: Array) -> Array:
    """A transposed x is read as if it were not."""
    transposed = x.ndim > 1 and x.flags.f_contiguous and not x.flags.c_contiguous
    return x.T.reshape(-1).reshape(x.shape) if transposed else x


def _without_gaps(x: Array) -> Array:
    """An x with gaps between its elements, or its rows, is read without them."""
    plain = x.flags.c_contiguous or x.flags.f_contiguous or min(x.strides, default=0) <= 0
    if plain or list(x.strides) != sorted(x.strides, reverse=True):
        return x
    steps = np.empty(x.shape, x.dtype).strides
    return np.lib.stride_tricks.as_strided(x, x.shape, steps)


def _forwards(x: Array) -> Array:
    """A negative stride is taken for a positive one."""
    backwards = x.ndim > 0 and x.strides[-1] < 0
    return x[..., ::-1] if backwards else x


LAYOUT = (
    Fault("stale_scale", "a group begins with its neighbour's", _USES, {"spread": _spread(_stale)}),
    Fault("interleaved_groups", "columns dealt in turn", _USES, {"spread": _spread(_dealt)}),
    Fault("scale_of_first_row", "for all rows", _USES, {"spread": _spread(_first_row)}),
    Fault("scale_of_row_before", "off by one row", _USES, {"spread": _spread(_row_behind)}),
    Fault(
        "transposed_block_scales",
        "read column by column",
        _CALLS,
        {"spread": _spread(_transposed_blocks)},
    ),
    Fault("even_blocks", "the tensor cut evenly", _CALLS, {"spread": _spread(_even_blocks)}),
    Fault("g_idx_ignored", "columns in runs", _USES, {"of_groups": _g_idx_ignored}),
    Fault("g_idx_not_inverted", "g_idx used as an order", _USES, {"of_groups": _g_idx_inverted}),
    Fault("g_idx_sorted", "columns taken as sorted", _USES, {"of_groups": _g_idx_of_sorted}),
    Fault("g_idx_negative_used", "-1 is the last group", _CALLS, {"spread": _negative_g_idx}),
    Fault("tail_lost", "what follows whole vectors is 0", _CALLS, changing(_tail_lost, *_CALLS)),
    Fault("memory_order", "a transposed x read by rows", _OF_X, _misread(_in_memory_order)),
    Fault("gaps_ignored", "a strided x read without gaps", _OF_X, _misread(_without_gaps)),
    Fault("stride_unsigned", "a reversed x read forwards", _OF_X, _misread(_forwards)),
)
