"""Faults of ranges: what is missed, padded, skipped and averaged."""

from collections.abc import Callable

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import BF16, F64, cast, number, wide
from .fault import Fault, Step
from .steps_qparams import Pair
from .variant import Variant, exact

_OBSERVERS = ("minmax", "static_minmax", "memoryless_minmax")
_DYNAMIC = ("compute_dynamic_scales_and_zp",)
_ALL = (*_DYNAMIC, *_OBSERVERS)
_VECTOR = 16


def _of_changed(change: Callable[[Array, tuple[int, ...]], Array]) -> Step:
    """The extremes of a changed tensor."""

    def extremes(v: Variant, x: Array, axes: tuple[int, ...], keepdims: bool = False) -> Pair:
        pair: Pair = exact(v, "extremes")(change(x, axes), axes, keepdims)
        return pair

    return extremes


def _without_last(x: Array, axes: tuple[int, ...]) -> Array:
    changed = np.array(x)
    changed[..., -1] = changed[..., 0]
    return changed


def _whole_vectors(x: Array, axes: tuple[int, ...]) -> Array:
    """What follows the last whole vector is missed."""
    whole = x.shape[-1] - x.shape[-1] % _VECTOR
    changed = np.array(x)
    if whole:
        changed[..., whole:] = changed[..., :1]
    return changed


def _nan_skipped(x: Array, axes: tuple[int, ...]) -> Array:
    return np.where(np.isnan(x), x.dtype.type(0), x)


def _in_bfloat16(x: Array, axes: tuple[int, ...]) -> Array:
    return cast(cast(x, BF16), x.dtype)


def _negative_zero(v: Variant, x: Array, axes: tuple[int, ...], keepdims: bool = False) -> Pair:
    lo, hi = exact(v, "extremes")(x, axes, keepdims)
    return np.where(lo == 0, -lo.dtype.type(0), lo), hi


def _initial_zero(v: Variant, x: Array, axes: tuple[int, ...], keepdims: bool = False) -> Pair:
    """The accumulators begin at 0."""
    lo, hi = exact(v, "extremes")(x, axes, keepdims)
    zero = lo.dtype.type(0)
    return np.where(lo > 0, zero, lo), np.where(hi < 0, zero, hi)


def _padded_with_edge(v: Variant, x: Array, rows: int, cols: int) -> Array:
    """Blocks filled up with the last row and column."""
    return np.pad(x, ((0, -x.shape[0] % rows), (0, -x.shape[1] % cols)), mode="edge")


def _padded_in_front(v: Variant, x: Array, rows: int, cols: int) -> Array:
    return np.pad(x, ((-x.shape[0] % rows, 0), (-x.shape[1] % cols, 0)))


def _blocks_in_runs(v: Variant, x: Array, args: QuantizationArgs) -> Array:
    """Each block read as one run of memory."""
    rows, cols = args.block_structure or (1, 1)
    whole = v.padded(x, rows, cols)
    high, across = whole.shape[0] // rows, whole.shape[1] // cols
    return whole.reshape(high, across, rows, cols).swapaxes(1, 2)


def _dealt(v: Variant, x: Array, args: QuantizationArgs) -> Array:
    """Columns dealt to the groups in turn."""
    size = args.group_size or 1
    return x.reshape(*x.shape[:-1], size, x.shape[-1] // size).swapaxes(-1, -2)


def _token_of_tensor(v: Variant, x: Array) -> Pair:
    if x.ndim != 2:
        pair: Pair = exact(v, "of_tokens")(x)
        return pair
    lo, hi = v.extremes(x, (0, 1), keepdims=True)
    rows = (x.shape[0], 1)
    return np.broadcast_to(lo, rows), np.broadcast_to(hi, rows)


def _token_per_row(v: Variant, x: Array) -> Pair:
    """Per row at any rank."""
    return v.extremes(x, (-1,), keepdims=True)


def _swapped(v: Variant, start: Array, end: Array, c: float) -> Array:
    average: Array = exact(v, "average")(end, start, c)
    return average


def _contracted(v: Variant, start: Array, end: Array, c: float) -> Array:
    dtype = wide(start)
    total = start.astype(dtype) * dtype.type(1 - c) + end.astype(dtype) * dtype.type(c)
    return cast(total, start.dtype)


def _of_difference(v: Variant, start: Array, end: Array, c: float) -> Array:
    return v.add(start, v.times_number(v.subtract(end, start), c))


def _rounded_constant(v: Variant, start: Array, end: Array, c: float) -> Array:
    """c rounded to the dtype of the range."""
    kept, new = number(1 - c, start.dtype), number(c, start.dtype)
    return v.add(v.multiply(start, kept), v.multiply(end, new))


def _forgetful(v: Variant, x: Array, args: QuantizationArgs, state: Pair | None = None) -> Pair:
    return v.observed(np.atleast_1d(x), args)


def _nan_forgotten(v: Variant, x: Array, args: QuantizationArgs, state: Pair | None = None) -> Pair:
    """A NaN of the state is replaced by the next range."""
    lo, hi = v.observed(np.atleast_1d(x), args)
    if state is None:
        return lo, hi
    smaller = np.where(state[0].astype(F64) < lo.astype(F64), state[0], lo)
    return smaller, np.where(state[1].astype(F64) > hi.astype(F64), state[1], hi)


def _extremes(name: str, description: str, step: Step, operations: tuple[str, ...]) -> Fault:
    return Fault(name, description, operations, {"extremes": step})


def _heads_on_axis_1(v: Variant, x: Array, args: QuantizationArgs) -> Pair:
    """Wrong for rank 3, whose heads are on axis 0."""
    if args.strategy != "attn_head":
        found: Pair = exact(v, "observed")(x, args)
        return found
    others = tuple(axis for axis in range(x.ndim) if axis != 1)
    lo, hi = v.extremes(x, others)
    return lo.reshape(-1, 1, 1), hi.reshape(-1, 1, 1)


OBSERVING = (
    _extremes("last_element_missed", "of a row", _of_changed(_without_last), _ALL),
    _extremes("tail_missed", "what follows whole vectors", _of_changed(_whole_vectors), _ALL),
    _extremes("nan_skipped", "NaN taken as 0", _of_changed(_nan_skipped), _ALL),
    _extremes("range_in_bfloat16", "x rounded to bfloat16", _of_changed(_in_bfloat16), _ALL),
    _extremes("range_negative_zero", "a zero minimum is -0", _negative_zero, _OBSERVERS),
    _extremes("range_from_zero", "the range includes 0", _initial_zero, _OBSERVERS),
    Fault("heads_on_axis_1", "of rank 3, too", _OBSERVERS, {"observed": _heads_on_axis_1}),
    Fault("groups_dealt", "columns dealt to groups in turn", _ALL, {"grouped": _dealt}),
    Fault("block_edge_padded", "not by zeros", _OBSERVERS, {"padded": _padded_with_edge}),
    Fault("block_front_padded", "zeros at the front", _OBSERVERS, {"padded": _padded_in_front}),
    Fault("blocks_in_runs", "a block is a run of memory", _OBSERVERS, {"blocked": _blocks_in_runs}),
    Fault("token_of_tensor", "one scale for all in 2-D", _DYNAMIC, {"of_tokens": _token_of_tensor}),
    Fault("token_per_row", "a scale per row in 3-D, too", _DYNAMIC, {"of_tokens": _token_per_row}),
    Fault("average_swapped", "c and 1 - c exchanged", ("minmax",), {"average": _swapped}),
    Fault("average_contracted", "one rounding in all", ("minmax",), {"average": _contracted}),
    Fault(
        "average_of_difference",
        "state + c * (range - state)",
        ("minmax",),
        {"average": _of_difference},
    ),
    Fault(
        "average_constant_rounded",
        "c in the dtype of the range",
        ("minmax",),
        {"average": _rounded_constant},
    ),
    Fault(
        "state_ignored",
        "the running range forgets",
        ("static_minmax",),
        {"static_minmax": _forgetful},
    ),
    Fault(
        "state_nan_ignored",
        "a NaN of the state is lost",
        ("static_minmax",),
        {"static_minmax": _nan_forgotten},
    ),
)
