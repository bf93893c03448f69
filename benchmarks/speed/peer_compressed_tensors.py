"""The same by compressed-tensors, by its own functions; the ranges are torch's, it has none."""

from functools import partial
from typing import Any

import torch

from qparity.backends import load_backend
from qparity.reference import QuantizationArgs

from .clock import Call
from .ours import args_of, scheme_of
from .rows import Task

Tensors = dict[str, torch.Tensor]


def load(device: str) -> Any:  # noqa: ANN401 - a backend
    """The backend that calls the library.

    Raises:
        ValueError: if it is not installed.
    """
    return load_backend(f"compressed_tensors:{device}")


def prepared(peer: Any, task: Task, weight: torch.Tensor) -> Call:  # noqa: ANN401 - a backend
    """The call of a task."""
    scheme, args = scheme_of(task), args_of(task)
    if task.verb == "compress":
        return partial(_compress, peer, task, weight)
    if task.verb == "quantize_dynamic":
        return partial(_quantize_dynamic, peer, weight, args)
    if task.verb == "compute_dynamic_scales_and_zp":
        whole = torch.full((1,), 2688 / 0.1, device=weight.device)
        return partial(peer.compute_dynamic_scales_and_zp, weight, args, whole)
    if task.verb == "decompress":
        return partial(peer.decompress, _compress(peer, task, weight), scheme)
    state = _parameters(peer, weight, args)
    given = (state["weight_scale"], state["weight_zero_point"], args)
    options: dict[str, Any] = {"global_scale": state.get("weight_global_scale")}
    x = weight
    if task.verb == "dequantize":
        dtype = args.code_format.dtype if args.type == "int" or args.num_bits == 8 else None
        x = peer.quantize(weight, *given, dtype=dtype, **options)
    return partial(getattr(peer, task.verb), x, *given, **options)


def _compress(peer: Any, task: Task, weight: torch.Tensor) -> Tensors:  # noqa: ANN401 - a backend
    state = {"weight": weight} | _parameters(peer, weight, args_of(task))
    compressed: Tensors = peer.compress(state, scheme_of(task))
    return compressed


def _parameters(peer: Any, weight: torch.Tensor, args: QuantizationArgs) -> Tensors:  # noqa: ANN401 - a backend
    state: Tensors = {}
    whole = None
    if args.strategy == "tensor_group":
        low, high = torch.aminmax(weight)
        whole = state["weight_global_scale"] = peer.generate_gparam(low.reshape(1), high.reshape(1))
    scale, zero_point = peer.calculate_qparams(*ranges(weight, args), args, whole)
    return state | {"weight_scale": scale, "weight_zero_point": zero_point}


def _quantize_dynamic(peer: Any, x: torch.Tensor, args: QuantizationArgs) -> torch.Tensor:  # noqa: ANN401 - a backend
    scale, zero_point = peer.compute_dynamic_scales_and_zp(x, args)
    codes: torch.Tensor = peer.quantize(x, scale, zero_point, args, dtype=args.code_format.dtype)
    return codes


def ranges(weight: torch.Tensor, args: QuantizationArgs) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest and largest values, over the elements that share a scale."""
    if args.strategy == "tensor":
        low, high = torch.aminmax(weight)
        return low.reshape(1), high.reshape(1)
    if args.strategy == "channel":
        return weight.amin(-1, keepdim=True), weight.amax(-1, keepdim=True)
    if args.strategy == "block":
        assert args.block_structure is not None
        tall, wide = args.block_structure
        blocks = weight.unflatten(1, (-1, wide)).unflatten(0, (-1, tall))
        return blocks.amin((1, 3)), blocks.amax((1, 3))
    groups = weight.unflatten(-1, (-1, int(args.group_size or 1)))
    return groups.amin(-1), groups.amax(-1)
