"""What the fused verbs compute, step by step by eager torch, on some rows of a weight."""

from typing import Any

import torch

from qparity.reference import QuantizationArgs, QuantizationScheme

Tensors = dict[str, torch.Tensor]


def whole_range(backend: Any, pieces: Any) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ANN401 - any backend, any pieces
    """The smallest and largest value of all pieces, each of shape (1,)."""
    ranges = [backend.minmax(piece, QuantizationArgs()) for piece in pieces]
    low, high = (torch.stack(bounds) for bounds in zip(*ranges, strict=True))
    return low.amin(0), high.amax(0)


def compressed(
    backend: Any,  # noqa: ANN401 - any backend
    weight: torch.Tensor,
    scheme: QuantizationScheme,
    whole: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Tensors:
    """What a checkpoint holds of a weight that is scaled by its minima and maxima.

    Args:
        backend: whose verbs.
        weight: all of it, or some of its rows.
        scheme: with weights.
        whole: the range of the tensor that the rows are of; None: they are all.
    """
    args = scheme.weights
    assert args is not None
    made = parameters(backend, weight, args, whole)
    result: Tensors = backend.compress({"weight": weight} | made, scheme)
    return result


def parameters(
    backend: Any,  # noqa: ANN401 - any backend
    weight: torch.Tensor,
    args: QuantizationArgs,
    whole: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Tensors:
    """The scale, zero-point and global scale of a weight, by the names they have there."""
    tensors = {}
    given = None
    if args.strategy in ("tensor", "tensor_group"):
        whole = whole_range(backend, [weight]) if whole is None else whole
    if args.strategy == "tensor_group":
        given = tensors["weight_global_scale"] = backend.generate_gparam(*whole)
    ranges = whole if args.strategy == "tensor" else backend.minmax(weight, args)
    scale, zero_point = backend.calculate_qparams(*ranges, args, given)
    return tensors | {"weight_scale": scale, "weight_zero_point": zero_point}


def rows_of(tensors: Tensors, args: QuantizationArgs, start: int, stop: int) -> Tensors:
    """The part of a compressed weight that is of some rows; ``start`` a multiple of 128."""
    found = {}
    for name, tensor in tensors.items():
        first, last = start, stop
        if name == "weight_zero_point" and tensor.dtype == torch.int32:
            first, last = start * args.num_bits // 32, -(-stop * args.num_bits // 32)
        elif name == "weight_scale" and args.strategy == "block":
            tall = (args.block_structure or (1, 1))[0]
            first, last = start // tall, -(-stop // tall)
        if name == "weight_global_scale" or tensor.numel() == 1:
            found[name] = tensor
        elif name == "weight_shape":
            rows = torch.tensor([stop - start], device=tensor.device)
            found[name] = torch.cat([rows, tensor[1:]])
        else:
            found[name] = tensor[first:last]
    return found


def dynamic(
    backend: Any,  # noqa: ANN401 - any backend
    x: torch.Tensor,
    args: QuantizationArgs,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What ``quantize_dynamic`` returns, by two verbs."""
    scale, zero_point = backend.compute_dynamic_scales_and_zp(x, args)
    codes = backend.quantize(x, scale, zero_point, args, dtype=args.code_format.dtype)
    return codes, scale, zero_point
