"""Scale, zero-point and x, shaped so that they broadcast (SPEC section 7)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .args import GROUP_STRATEGIES, QuantizationArgs, as_args
from .dtypes import CODE_DTYPES, WORKING_DTYPES, ZP_DTYPES, Array, as_array
from .layout import block_counts, per_block, per_column, split_groups
from .rows import by_rows, rows_of


@dataclass(frozen=True, slots=True)
class Operands:
    """What the formulas are evaluated on; ``scale`` and ``zero_point`` broadcast to ``x``."""

    x: Array
    scale: Array
    zero_point: Array | None
    global_scale: Array | None
    shape: tuple[int, ...]
    grouped: bool

    def rows(self, block: slice) -> "Operands":
        """The operands of a block of rows of ``x``."""
        x, ndim, zero_point = self.x[block], self.x.ndim, self.zero_point
        scale = rows_of(self.scale, block, ndim)
        zero_point = None if zero_point is None else rows_of(zero_point, block, ndim)
        return replace(self, x=x, scale=scale, zero_point=zero_point)

    def evaluate(self, formula: "Callable[[Operands], Array]") -> Array:
        """An elementwise formula, evaluated by blocks, in the shape of the caller's ``x``."""
        return by_rows(lambda block: formula(self.rows(block)), self.x).reshape(self.shape)


def operands(
    x: Array,
    scale: Array,
    zero_point: Array | None,
    args: QuantizationArgs,
    *,
    g_idx: Array | None,
    global_scale: Array | None,
    name: str,
) -> Operands:
    """Check the arrays of a call and lay them out by the strategy of ``args``.

    Raises:
        TypeError: if an array has a dtype that its field may not have.
        ValueError: if shapes do not fit; the message names the field.
    """
    as_args(args)
    x = as_array(x, name, CODE_DTYPES if name == "x_q" else WORKING_DTYPES)
    scale = as_array(scale, "scale")
    zero_point = None if zero_point is None else as_array(zero_point, "zero_point", ZP_DTYPES)
    shape, grouped, scale_ndim = x.shape, args.strategy in GROUP_STRATEGIES, scale.ndim
    columns_to_groups = _columns_to_groups(g_idx, x.shape[-1])

    def lay_out(value: Array, field: str) -> Array:
        if args.strategy == "block":
            return _blocks(value, field, x, args)
        if not grouped:
            return value
        rows = _rows_of_groups(value, len(shape), per_row=scale_ndim == 1)
        if columns_to_groups is None:
            return rows[..., np.newaxis]
        if columns_to_groups.size and columns_to_groups.max() >= rows.shape[-1]:
            raise ValueError(
                f"g_idx: {int(columns_to_groups.max())} is not a group; "
                f"allowed: 0 to {rows.shape[-1] - 1}, the groups of {field}"
            )
        return per_column(rows, columns_to_groups)

    if grouped:
        split = split_groups(x, args.group_size)
        x = split if columns_to_groups is None else x
    scale = lay_out(scale, "scale")
    _check_broadcast(scale, "scale", x)
    if zero_point is not None:
        zero_point = lay_out(zero_point, "zero_point")
        _check_broadcast(zero_point, "zero_point", x)
    if global_scale is not None:
        global_scale = _one_number(global_scale)
    return Operands(x, scale, zero_point, global_scale, shape, grouped)


def _columns_to_groups(g_idx: Array | None, columns: int) -> Array | None:
    """``g_idx``, checked; a negative entry means that it is not given."""
    if g_idx is None:
        return None
    if not isinstance(g_idx, np.ndarray) or g_idx.dtype.kind not in "iu":
        found = getattr(g_idx, "dtype", type(g_idx).__name__)
        raise TypeError(f"g_idx: {found} is not allowed; allowed: an integer array")
    if g_idx.shape != (columns,):
        raise ValueError(f"g_idx: shape {g_idx.shape} is not allowed; allowed: ({columns},)")
    return None if (g_idx < 0).any() else g_idx


def _rows_of_groups(value: Array, x_ndim: int, per_row: bool) -> Array:
    """A 1-D scale is one value per row, or the groups of a 1-D ``x``, which is one row."""
    if x_ndim == 1:
        return value.reshape(value.shape[-1:]) if value.size == value.shape[-1] else value
    return value[:, np.newaxis] if value.ndim == 1 and per_row else value


def _blocks(value: Array, field: str, x: Array, args: QuantizationArgs) -> Array:
    counts = block_counts(x, args)
    try:
        return per_block(np.broadcast_to(value, counts), x.shape, args)
    except ValueError:
        raise ValueError(
            f"{field}: shape {value.shape} is not allowed; allowed: {counts}, the blocks"
        ) from None


def _check_broadcast(value: Array, field: str, x: Array) -> None:
    extra = value.ndim - x.ndim
    if extra > 0 and set(value.shape[:extra]) == {1}:
        value = value.reshape(value.shape[extra:])
    fits = value.ndim <= x.ndim and all(
        have in (1, n) for have, n in zip(value.shape[::-1], x.shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"{field}: its values, shaped {value.shape}, do not broadcast to x, shaped {x.shape}; "
            "allowed: one value, or one per unit of the strategy"
        )


def _one_number(global_scale: Array) -> Array:
    value = as_array(global_scale, "global_scale")
    if value.size != 1:
        raise ValueError(f"global_scale: shape {value.shape} is not allowed; allowed: (1,)")
    return value.reshape(1)
