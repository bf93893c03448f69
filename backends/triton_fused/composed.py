"""What the fused verbs compute, step by step in eager torch: for what they do not cover."""

import torch

from qparity.reference import QuantizationArgs, QuantizationScheme

from ..torch_eager.compress import compress
from ..torch_eager.observe import compute_dynamic_scales_and_zp, minmax
from ..torch_eager.qparams import calculate_qparams, generate_gparam
from ..torch_eager.quantize import quantize
from ..torch_eager.state_dict import naming


def compress_weight(
    weight: torch.Tensor, scheme: QuantizationScheme, format: str | None = None
) -> dict[str, torch.Tensor]:
    """The tensors that a checkpoint holds of a weight, scaled by its minima and maxima.

    global_scale = generate_gparam(range of the tensor), for ``tensor_group`` alone
    scale, zero_point = calculate_qparams(range of each unit, args, global_scale)
    compress(weight, scale, zero_point, global_scale)

    Args:
        weight: float16, bfloat16, float32 or float64; of the rank that the strategy wants.
        scheme: its ``weights`` say how the codes are made.
        format: as for ``compress``.

    Returns:
        The local names that ``compress`` writes, and ``weight_global_scale`` for
        ``tensor_group``; ``weight`` as it is if the scheme does not quantize it. NaN, zero and
        overflow as in the three steps.

    Raises:
        TypeError: if ``weight`` has another dtype.
        ValueError: if it is empty, shapes do not fit, or the format does not suit the scheme.

    Source: SPEC sections 5 and 8; the checkpoints that upstream writes after min/max calibration.
    """
    if not isinstance(scheme, QuantizationScheme):
        raise TypeError(f"scheme: {scheme!r} is not allowed; allowed: a QuantizationScheme")
    args = scheme.weights
    if args is None:
        return compress({"weight": weight}, scheme, format)
    tensors = {}
    with naming({"x": "weight"}):
        if args.strategy == "tensor_group":
            tensors["weight_global_scale"] = generate_gparam(*minmax(weight, QuantizationArgs()))
        ranges = minmax(weight, args)
    whole = tensors.get("weight_global_scale")
    scale, zero_point = calculate_qparams(*ranges, args, whole)
    tensors |= {"weight": weight, "weight_scale": scale, "weight_zero_point": zero_point}
    return compress(tensors, scheme, format)


def quantize_dynamic(
    x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes, scale and zero-point of a tensor, its scales made on the way.

    scale, zero_point = compute_dynamic_scales_and_zp(x, args, global_scale)
    quantize(x, scale, zero_point, args, global_scale=global_scale), int8 or float8_e4m3fn

    Args:
        x: float16, bfloat16, float32 or float64.
        args: strategy ``token``, ``tensor``, ``group`` or ``tensor_group``; int or fp8.
        global_scale: one float, or None.

    Returns:
        The codes, of the shape of ``x``, int8 or float8_e4m3fn; scale and zero-point as from
        ``compute_dynamic_scales_and_zp``.

    Raises:
        TypeError: if ``x`` has another dtype.
        ValueError: if the strategy is another, ``x`` is empty, or the codes are fp4 or fp6.

    Source: SPEC sections 5 and 7.
    """
    scale, zero_point = compute_dynamic_scales_and_zp(x, args, global_scale)
    codes = quantize(
        x, scale, zero_point, args, dtype=args.code_format.dtype, global_scale=global_scale
    )
    return codes, scale, zero_point
