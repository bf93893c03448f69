"""A failing case made small: one element or one group, the fewest options, zeros for the rest."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array, bits_of
from .case import Case, UnsupportedError, run_case
from .layouts import with_strides
from .shrink_to_unit import tensor_name, to_one_unit

__all__ = ["shrink"]

Fails = Callable[[Case], bool]
_OPTIONS = ("g_idx", "global_scale", "compute_dtype", "dtype", "state")


def shrink(case: Case, backend: object, budget: int = 400) -> Case:
    """The smallest case found that still differs.

    Args:
        case: one that differs on the backend.
        backend: the backend.
        budget: how many cases may be tried.

    Returns:
        A case of the same operation whose tensors have one element, or one group, wherever that
        still differs; options that do not matter are left out, values that do not matter are 0.
    """
    left = [budget]

    def fails(candidate: Case) -> bool:
        left[0] -= 1
        if left[0] < 0:
            return False
        try:
            difference = run_case(candidate, backend)[2]
            if difference is not None and difference.reason == "slow":
                left[0] = 0
                return False
            return difference is not None
        except (UnsupportedError, TypeError, ValueError):
            return False

    for reduce in (to_one_unit, _without_options, _to_fewer_slices, _to_zeros, _to_contiguous):
        case = _repeat(reduce, case, fails, backend)
    return case


def _repeat(
    reduce: Callable[[Case, object], Iterator[Case]], case: Case, fails: Fails, backend: object
) -> Case:
    """Apply the first candidate that still fails until none does."""
    for _ in range(64):
        for candidate in reduce(case, backend):
            if fails(candidate):
                case = candidate
                break
        else:
            return case
    return case


def _without_options(case: Case, backend: object) -> Iterator[Case]:
    del backend
    for name in _OPTIONS:
        if (
            case.source is None
            and case.inputs.get(name) is not None
            and case.op != ("round_to_quantized_type_dtype")
        ):
            yield Case(case.op, {k: v for k, v in case.inputs.items() if k != name})
    if case.source is None and case.inputs.get("zero_point") is not None:
        yield case.having(zero_point=None)
    source = case.simple_inputs
    for seed in ("g_idx_seed", "codes_seed"):
        if source.get(seed):
            yield case.having(**{seed: 0})
    if source.get("with_zero_point") and source["scheme"].weights.symmetric:
        yield case.having(with_zero_point=False)


def _to_fewer_slices(case: Case, backend: object) -> Iterator[Case]:
    """One row, one half, one group less, of the tensor and of what has the same axes."""
    del backend
    name = tensor_name(case)
    if name is None:
        return
    x = case.simple_inputs[name]
    for axis in range(x.ndim):
        n = x.shape[axis]
        unit = _unit_length(case) if axis == x.ndim - 1 else 1
        if n <= unit:
            continue
        half = max(unit, n // 2 // unit * unit)
        cuts = [slice(0, unit), slice(n - unit, n), slice(0, half), slice(half, n)]
        cuts += [slice(0, n - unit), slice(unit, n)]
        for cut in cuts:
            yield _cut(case, name, axis, cut, unit)


def _unit_length(case: Case) -> int:
    source = case.simple_inputs
    args = source.get("args") or getattr(source.get("scheme"), "weights", None)
    size = 1
    if isinstance(args, QuantizationArgs) and args.strategy in ("group", "tensor_group"):
        size = args.group_size or 1
    per = {"pack_fp4_to_uint8": 2, "pack_fp6_to_uint8": 4, "unpack_fp6_from_uint8": 3}
    return int(np.lcm(size, per.get(case.op, 4 if "scheme" in source and size > 1 else 1)))


def _cut(case: Case, name: str, axis: int, cut: slice, unit: int) -> Case:
    source = case.simple_inputs
    x = source[name]
    from_right = axis - x.ndim
    changed: dict[str, object] = {name: _take(x, axis, cut)}
    for key in ("scale", "zero_point", "max_vals"):
        value = source.get(key)
        if isinstance(value, np.ndarray) and value.ndim >= -from_right:
            if value.shape[from_right] == x.shape[axis]:
                changed[key] = _take(value, value.ndim + from_right, cut)
            elif from_right == -1 and unit > 1 and value.shape[-1] == x.shape[-1] // unit:
                groups = slice(cut.start // unit, cut.stop // unit)
                changed[key] = _take(value, value.ndim - 1, groups)
    if case.op == "unpack_from_int32":
        changed |= _cut_shape(source, axis, cut)
    if case.op.startswith("unpack_fp"):
        rows, columns = changed[name].shape  # type: ignore[attr-defined]
        bits = 4 if "fp4" in case.op else 6
        changed |= {"m": rows, "n": columns * 8 // bits}
    return case.having(**changed)


def _cut_shape(source: Mapping[str, Any], axis: int, cut: slice) -> dict[str, object]:
    shape, packed = list(source["shape"]), source["packed"]
    packed_axis = packed.ndim - 2 + source["packed_dim"]
    if axis != packed_axis:
        shape[axis] = cut.stop - cut.start
    else:
        shape[axis] = min(shape[axis], (cut.stop - cut.start) * 32 // source["num_bits"])
    return {"shape": tuple(shape)}


def _take(array: Array, axis: int, cut: slice) -> Array:
    """A slice, in memory of its own, with the strides that it had."""
    part = array[(slice(None),) * axis + (cut,)]
    return with_strides(part, part.strides)


def _to_zeros(case: Case, backend: object) -> Iterator[Case]:
    """Halves, quarters and single elements made +0."""
    del backend
    name = tensor_name(case)
    if name is None:
        return
    x = case.simple_inputs[name]
    flat = np.flatnonzero(bits_of(x))
    if flat.size <= 1:
        return
    chunk = flat.size // 2
    while chunk >= 1:
        for start in range(0, flat.size, chunk):
            changed = x.flatten()
            changed[flat[start : start + chunk]] = 0
            yield case.having(**{name: with_strides(changed.reshape(x.shape), x.strides)})
        chunk //= 2


def _to_contiguous(case: Case, backend: object) -> Iterator[Case]:
    """The same values without gaps, all of them or one at a time."""
    del backend
    strided = {
        name: np.ascontiguousarray(value)
        for name, value in case.inputs.items()
        if isinstance(value, np.ndarray) and value.ndim and not value.flags.c_contiguous
    }
    if case.source is None and strided:
        yield case.having(**strided)
        for name, value in strided.items():
            yield case.having(**{name: value})
