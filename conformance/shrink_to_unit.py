"""A failing case cut to the element, or the group, that fails, with a scale of its own."""

from collections.abc import Iterator

import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array
from .case import Case, Outputs, UnsupportedError, run_case
from .compare import Difference, differing

__all__ = ["tensor_name", "to_one_unit"]

_TENSORS = ("x", "x_q", "min_vals", "value", "packed", "weight")
_FEW = 3


def tensor_name(case: Case) -> str | None:
    """The input that is cut and zeroed, if there is one."""
    return next((n for n in _TENSORS if isinstance(case.simple_inputs.get(n), np.ndarray)), None)


def to_one_unit(case: Case, backend: object) -> Iterator[Case]:
    """The first differing elements, each with its own scale, as a case of one unit."""
    name = tensor_name(case)
    if name is None or case.source is not None or case.inputs[name].size <= 1:
        return
    try:
        expected, actual, difference = run_case(case, backend)
    except UnsupportedError:
        return
    for index in _differing_indices(expected, actual, difference, case.inputs[name].shape):
        if "scale" in case.inputs:
            yield from _unit_of_quantized(case, name, index)
        elif case.op in ("calculate_qparams", "round_to_quantized_type_dtype") or (
            case.op == "round_to_quantized_type_args"
        ):
            keys = [k for k in ("x", "min_vals", "max_vals") if k in case.inputs]
            yield case.having(**{k: np.atleast_1d(case.inputs[k])[index].reshape(1) for k in keys})


def _differing_indices(
    expected: Outputs, actual: Outputs, difference: Difference | None, shape: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    shape = shape or (1,)
    for key, array in expected.items():
        other = actual.get(key)
        if not isinstance(other, np.ndarray) or other.dtype != array.dtype:
            continue
        if other.shape == array.shape == shape:
            where = np.argwhere(differing(array, other))[:_FEW]
            yield from (tuple(int(i) for i in row) for row in where)
    if difference is not None and difference.reason != "bits":
        yield tuple(0 for _ in shape)
        yield tuple(n - 1 for n in shape)


def _unit_of_quantized(case: Case, name: str, index: tuple[int, ...]) -> Iterator[Case]:
    args: QuantizationArgs = case.inputs["args"]
    x = np.atleast_1d(case.inputs[name])
    size = args.group_size or 1
    if args.strategy in ("group", "tensor_group") and size > 1:
        start = index[-1] // size * size
        rows = x[index[:-1]][start : start + size].reshape(1, size)
        one: tuple[int, ...] = (1, 1)
        alone = np.zeros_like(rows)
        alone[0, index[-1] - start] = x[index]
        tensors = [alone, rows]
    else:
        ranks = {"tensor": 1, "attn_head": 4}
        tensors = [x[index].reshape((1,) * ranks.get(str(args.strategy), 2))]
        one = (1,) * (3 if args.strategy == "attn_head" else tensors[0].ndim)
    changed: dict[str, object] = {}
    for key in ("scale", "zero_point"):
        value = case.inputs.get(key)
        if value is not None:
            changed[key] = _value_at(value, index, x.shape, case).reshape(one)
    plain = {key: None for key in ("g_idx",) if key in case.inputs}
    for tensor in tensors:
        yield case.having(**{name: tensor}, **changed, **plain)


def _value_at(value: Array, index: tuple[int, ...], shape: tuple[int, ...], case: Case) -> Array:
    """The scale or zero-point that belongs to one element."""
    args: QuantizationArgs = case.inputs["args"]
    value = np.atleast_1d(value)
    if args.strategy == "block" and args.block_structure is not None:
        sizes = args.block_structure
        counts = tuple(-(-n // size) for n, size in zip(shape, sizes, strict=True))
        block = tuple(i // size for i, size in zip(index, sizes, strict=True))
        return np.asarray(np.broadcast_to(value, counts)[block])
    if args.strategy in ("group", "tensor_group"):
        g_idx = case.inputs.get("g_idx")
        group = index[-1] // (args.group_size or 1)
        if g_idx is not None and not (g_idx < 0).any():
            group = int(g_idx[index[-1]])
        if len(shape) == 1:
            flat = value.reshape(-1)
            return np.asarray(flat[group if flat.size > 1 else 0])
        value = value[:, None] if value.ndim == 1 else value
        index = (*index[:-1], group)
        shape = (*shape[:-1], group + 1 if value.shape[-1] == 1 else value.shape[-1])
    return np.asarray(np.broadcast_to(value, np.broadcast_shapes(value.shape, shape))[index])
