"""Laws of what a result must not depend on: neighbours, order, rank, memory, earlier calls."""

from dataclasses import replace
from functools import partial

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array, bits_of
from ..layouts import LAYOUTS, with_layout
from .ask import Ask
from .law import Law, Sample, Violation, everywhere
from .samples import tensor_sample
from .steps import difference, results
from .units import counts_of, scale_shape, take, unit_sizes

__all__ = ["INDEPENDENCE"]

_MOST_UNITS = 4


def _axes(args: QuantizationArgs, x: Array) -> list[int]:
    """The axes along which units lie next to each other, more than one of them."""
    counts = counts_of(x.shape, args)
    per_axis = (1,) * (x.ndim - len(scale_shape(x.shape, args))) + scale_shape(x.shape, args)
    return [axis for axis, count in enumerate(counts) if per_axis[axis] == count and count > 1]


def _part(array: Array, axis: int, index: int, size: int, ndim: int) -> Array:
    """One unit's part of a result; qparams have one number where x has a unit."""
    place: list[slice] = [slice(None)] * array.ndim
    place[axis + array.ndim - ndim] = slice(index * size, (index + 1) * size)
    return array[tuple(place)]


def _many_units(args: QuantizationArgs, dtype: np.dtype) -> str:
    del dtype
    return "one scale for the whole tensor" if args.strategy == "tensor" else ""


def _units_alone(ask: Ask, sample: Sample) -> Violation | None:
    x = sample.arrays["x"]
    whole = results(ask, sample)
    for axis in _axes(sample.args, x):
        size = unit_sizes(sample.args, x.ndim)[axis]
        units = counts_of(x.shape, sample.args)[axis]
        for unit in sorted({int(i) for i in sample.rng.integers(0, units, _MOST_UNITS)}):
            alone = results(ask, take(sample, axis, unit, unit + 1))
            sizes = {"scale": 1, "zero_point": 1, "codes": size, "values": size}
            inside = {k: _part(v, axis, unit, sizes[k], x.ndim) for k, v in whole.items()}
            found = difference(alone, inside, f"beside others, as unit {unit} of axis {axis}")
            if found is not None:
                return found
    return None


def _units_permuted(ask: Ask, sample: Sample) -> Violation | None:
    x = sample.arrays["x"]
    whole = results(ask, sample)
    rng = sample.rng
    for axis in _axes(sample.args, x):
        size = unit_sizes(sample.args, x.ndim)[axis]
        order = rng.permutation(counts_of(x.shape, sample.args)[axis])
        if x.shape[axis] != len(order) * size:
            continue
        elements = (order[:, None] * size + np.arange(size)).reshape(-1)
        permuted = results(ask, sample.having(x=np.take(x, elements, axis)))
        expected = {
            name: np.take(array, order if name in _QPARAMS else elements, axis)
            for name, array in whole.items()
        }
        found = difference(expected, permuted, f"when the units of axis {axis} are permuted")
        if found is not None:
            return found
    return None


def _order_within_unit(ask: Ask, sample: Sample) -> Violation | None:
    x = sample.arrays["x"]
    whole = results(ask, sample)
    size = unit_sizes(sample.args, x.ndim)[-1]
    one_unit = sample.args.strategy not in ("group", "tensor_group", "block")
    columns, step = np.arange(x.shape[-1]), x.shape[-1] if one_unit else size
    rng = sample.rng
    order = np.concatenate([rng.permutation(columns[i : i + step]) for i in columns[::step]])
    permuted = results(ask, sample.having(x=x[..., order]))
    expected = {k: v if k in _QPARAMS else v[..., order] for k, v in whole.items()}
    return difference(expected, permuted, "when elements of a unit are permuted")


def _has_rank(args: QuantizationArgs, dtype: np.dtype) -> str:
    del dtype
    return "blocks are of rank 2" if args.strategy == "block" else ""


def _rank(ask: Ask, sample: Sample) -> Violation | None:
    x = sample.arrays["x"]
    whole = {name: array.reshape(-1) for name, array in results(ask, sample).items()}
    shapes = [(1, *x.shape)]
    if x.ndim == 2 and x.shape[0] == 1:
        shapes.append(x.shape[1:])
    if x.size == 1 and sample.args.strategy == "tensor":
        shapes.append(())
    for shape in shapes:
        other = results(ask, sample.having(x=x.reshape(shape)))
        flat = {name: array.reshape(-1) for name, array in other.items()}
        found = difference(whole, flat, f"in shape {shape} instead of {x.shape}")
        if found is not None:
            return found
    return None


def _strides(ask: Ask, sample: Sample) -> Violation | None:
    x = sample.arrays["x"]
    whole = results(ask, sample.having(x=np.ascontiguousarray(x)))
    for layout in sample.rng.choice(LAYOUTS[1:], 2, replace=False):
        other = results(ask, sample.having(x=with_layout(x, str(layout))))
        found = difference(whole, other, f"laid out {layout}")
        if found is not None:
            return found
    return None


def _pure(ask: Ask, sample: Sample) -> Violation | None:
    first = results(ask, sample)
    found = difference(first, results(ask, sample), "when asked again")
    if found is not None:
        return found
    native = {name: ask.to_native(array) for name, array in sample.arrays.items()}
    held = replace(sample, arrays=native)
    results(Ask(_Native(ask)), held)
    for name, array in native.items():
        if not np.array_equal(bits_of(ask.to_numpy(array)), bits_of(sample.arrays[name])):
            return Violation(f"the input {name} is changed")
    return None


class _Native:
    """The backend behind an ``Ask``, its inputs already in its own arrays."""

    def __init__(self, ask: Ask) -> None:
        self.backend = ask.backend

    def __getattr__(self, name: str) -> object:
        return getattr(self.backend, name)

    def from_numpy(self, array: object) -> object:
        return array

    def to_numpy(self, array: object) -> object:
        return array


_QPARAMS = ("scale", "zero_point")
_any_tensor = tensor_sample
_whole_blocks = partial(tensor_sample, blocks=True)
_ANY = "any tensor, infinities included"

INDEPENDENCE = (
    Law(
        "units_alone",
        "A group, row, block or head has the same scale, codes and values alone as beside others.",
        _ANY,
        _many_units,
        _whole_blocks,
        _units_alone,
    ),
    Law(
        "units_permuted",
        "Permuting groups, rows, blocks or heads permutes their scales, codes and values.",
        _ANY,
        _many_units,
        _whole_blocks,
        _units_permuted,
    ),
    Law(
        "order_within_unit",
        "Permuting the elements that share a scale leaves the scale, and permutes their codes.",
        _ANY,
        everywhere,
        _any_tensor,
        _order_within_unit,
    ),
    Law(
        "rank",
        "A leading axis of 1 changes no bits; one row is as good as a 1-D tensor, and 0-D as 1-D.",
        _ANY,
        _has_rank,
        _any_tensor,
        _rank,
    ),
    Law(
        "strides",
        "The layout in memory changes no bits.",
        f"{_ANY}; {', '.join(LAYOUTS)}",
        everywhere,
        _any_tensor,
        _strides,
    ),
    Law(
        "pure",
        "The same call gives the same bits again, and leaves its inputs as they were.",
        _ANY,
        everywhere,
        _any_tensor,
        _pure,
    ),
)
