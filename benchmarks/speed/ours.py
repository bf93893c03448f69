"""The verbs of the Triton backend as calls without arguments, on inputs of their own each."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

from .clock import Call, copy_time, from_host, launches, replayed, sets_for
from .rows import Row, Task

_TWICE = ("tensor", "tensor_group")
_SMALL = 1 << 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call, and the tensors that it reads."""

    call: Call
    inputs: tuple[torch.Tensor, ...]


def scheme_of(task: Task) -> QuantizationScheme:
    """The scheme of a task."""
    return preset_name_to_scheme(task.preset)


def args_of(task: Task) -> QuantizationArgs:
    """The args of a task: of the weights, or of the inputs."""
    scheme = scheme_of(task)
    dynamic = task.verb in ("quantize_dynamic", "compute_dynamic_scales_and_zp")
    args = scheme.input_activations if dynamic else scheme.weights
    assert args is not None
    return args


def weight_of(task: Task, device: str, seed: int = 0) -> torch.Tensor:
    """Random numbers, like those of a weight."""
    torch.manual_seed(seed)
    weight = torch.empty(task.shape, dtype=getattr(torch, task.dtype), device=device)
    for part in weight.split(1 << 13):
        part.normal_(0, 0.02)
    return weight


def prepared(backend: Any, task: Task, weight: torch.Tensor) -> Prepared:  # noqa: ANN401 - any backend
    """The call of a task on one weight."""
    scheme, args = scheme_of(task), args_of(task)
    if task.verb == "compress":
        return Prepared(partial(backend.compress, {"weight": weight}, scheme), (weight,))
    if task.verb == "quantize_dynamic":
        return Prepared(partial(backend.quantize_dynamic, weight, args), (weight,))
    if task.verb == "compute_dynamic_scales_and_zp":
        whole = torch.full((1,), 2688 / 0.1, device=weight.device)
        call = partial(backend.compute_dynamic_scales_and_zp, weight, args, whole)
        return Prepared(call, (weight,))
    stored = backend.compress({"weight": weight}, scheme)
    if task.verb == "decompress":
        return Prepared(partial(backend.decompress, stored, scheme), tuple(stored.values()))
    restored = backend.decompress(stored, scheme)
    scale, zero_point = restored["weight_scale"], restored.get("weight_zero_point")
    options = {"global_scale": restored.get("weight_global_scale")}
    x = weight
    if task.verb == "dequantize":
        dtype = args.code_format.dtype if args.type == "int" or args.num_bits == 8 else None
        x = backend.quantize(weight, scale, zero_point, args, dtype=dtype, **options)
    call = partial(getattr(backend, task.verb), x, scale, zero_point, args, **options)
    return Prepared(call, (x, scale))


def measured(backend: Any, task: Task, device: str, milliseconds: float) -> Row:  # noqa: ANN401 - a backend
    """The row of a task, with a copy of as many bytes measured next to it."""
    weight = weight_of(task, device)
    first = prepared(backend, task, weight)
    before = sum(backend.fallbacks.values())
    made = first.call()
    eager = sum(backend.fallbacks.values()) > before
    read = bytes_of(first.inputs)
    if task.verb == "compress" and args_of(task).strategy in _TWICE:
        read *= 2
    moved = read + bytes_of(_outputs(first, made))
    del made
    sets = sets_for(moved)
    calls = [first.call]
    calls += [
        prepared(backend, task, weight_of(task, device, seed)).call for seed in range(1, sets)
    ]
    time = replayed(calls, milliseconds)
    row = Row(task.verb, task.preset, task.dtype, task.shape, moved, sets, time, 0.0, eager)
    if weight.numel() * weight.itemsize <= _SMALL and device == "cuda":
        row.launches = launches(first.call)
        row.host_microseconds = from_host(calls, 200, 5)
    del calls, first, weight
    row.copy_microseconds = copy_time(moved, device, milliseconds)
    return row


def bytes_of(tensors: Any) -> int:  # noqa: ANN401 - an iterable of tensors
    """Of all tensors together."""
    return sum(tensor.numel() * tensor.itemsize for tensor in tensors)


def _outputs(prepared: Prepared, made: Any) -> list[torch.Tensor]:  # noqa: ANN401 - what a verb returns
    """What a call writes: not what it passes on, nor zero-points that are nothing but zeros."""
    if isinstance(made, tuple):
        return list(made[:-1])
    tensors = list(made.values()) if isinstance(made, dict) else [made]
    return [tensor for tensor in tensors if all(tensor is not given for given in prepared.inputs)]
