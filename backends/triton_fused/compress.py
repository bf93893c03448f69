"""A weight to packed codes and stored scales, which are made on the way or given."""

from collections.abc import Mapping

import torch

from qparity.reference import QuantizationArgs, QuantizationScheme, infer_format

from ..torch_eager.compress import (
    PACKED_FLOATS,
    PACKED_ZP_STRATEGIES,
    check_suits,
    format_of,
    without_symmetric_zero_points,
)
from .compress_blocks import fused_blocks
from .compress_units import fused
from .given import Given, stored_dtype
from .observe import memoryless_minmax
from .pack import pack_along_rows, pack_to_int32
from .qparams import calculate_qparams
from .scales import GIVEN_GLOBAL, MADE_GLOBAL, NO_GLOBAL
from .stacks import given_of_matrix, packs_apart, stacked

StateDict = dict[str, torch.Tensor]

# what each format holds: the type and bits of its codes (0: those that fit), whether MX
_HOLDS = {
    "pack-quantized": ("int", 0, False),
    "nvfp4-pack-quantized": ("float", 4, False),
    "mxfp4-pack-quantized": ("float", 4, True),
    "mxfp6-pack-quantized": ("float", 6, True),
    "mxfp8-quantized": ("float", 8, True),
    "naive-quantized": ("", 8, False),
    "float-quantized": ("", 8, False),
    "int-quantized": ("", 8, False),
}


def compress_weight(
    weight: torch.Tensor, scheme: QuantizationScheme, format: str | None = None
) -> StateDict | None:
    """As ``composed.compress_weight``; None for what no kernel covers."""
    args = scheme.weights
    if args is None or type(args) is not QuantizationArgs or weight.ndim < 2:
        return None
    name = format or scheme.format or infer_format(scheme)
    packed = name.endswith("pack-quantized")
    if not _suits(name, args) or (not args.symmetric and (not packed or args.strategy == "tensor")):
        return None
    if weight.ndim > 2 and packs_apart(weight.shape, args):
        return _by_steps(weight.contiguous(), scheme, name)
    whole = MADE_GLOBAL if args.strategy == "tensor_group" else NO_GLOBAL
    made = _made(weight, args, packed=packed, whole=whole)
    if made is None:
        return None
    result = _codes(made, args, packed=packed) | {"weight_scale": made["scale"]}
    if whole is MADE_GLOBAL:
        result["weight_global_scale"] = made["global_scale"]
    if not args.symmetric:
        zero_point = made["zero_point"]
        if zero_point.dtype != torch.int32:
            zero_point = pack_along_rows(zero_point, args.num_bits)
        result["weight_zero_point"] = zero_point
    return result


def compress_calibrated(
    state_dict: Mapping[str, torch.Tensor], scheme: QuantizationScheme, format: str | None = None
) -> StateDict | None:
    """As ``torch_eager.compress``; None for what no kernel covers."""
    args, weight = scheme.weights, state_dict["weight"]
    if args is None or type(args) is not QuantizationArgs or weight.ndim < 2:
        return None
    name = format_of(scheme, format)
    check_suits(name, args)
    whole = state_dict.get("weight_global_scale")
    if not _suits(name, args) or "weight_g_idx" in state_dict or (args.is_mx and whole is not None):
        return None
    scale, zero_point = state_dict["weight_scale"], state_dict.get("weight_zero_point")
    packed = name.endswith("pack-quantized")
    packs_zero_points = packed and not args.symmetric and args.strategy in PACKED_ZP_STRATEGIES
    whole = whole if PACKED_FLOATS.get(name) == 4 else None
    if (packs_zero_points and zero_point is None) or (args.is_mx and _any_negative(scale)):
        return None
    given = Given(
        scale.reshape(1) if scale.ndim == 0 else scale,
        None if name in PACKED_FLOATS else zero_point,
        whole,
        stored_dtype(args, name),
    )
    # bytes are E8M0 codes
    if not given.is_covered or (given.stored == torch.uint8 and not args.is_mx):
        return None
    level = NO_GLOBAL if whole is None else GIVEN_GLOBAL
    made = _made(weight, args, packed=packed, whole=level, given=given)
    if made is None:
        return None
    result = {key: value for key, value in state_dict.items() if key != "weight"}
    result |= _codes(made, args, packed=packed) | {"weight_scale": made["scale"]}
    if packs_zero_points and zero_point is not None:
        words = pack_to_int32(zero_point, args.num_bits, packed_dim=0)
        if words is None:
            return None
        result["weight_zero_point"] = words
    return without_symmetric_zero_points(result, scheme)


def _made(
    weight: torch.Tensor,
    args: QuantizationArgs,
    *,
    packed: bool,
    whole: object,
    given: Given | None = None,
) -> StateDict | None:
    """What the kernels make of a weight; blocks, and packed floats, are of matrices alone."""
    x = weight
    if weight.ndim > 2:
        if args.strategy == "block" or (packed and args.type == "float"):
            return None
        x = weight.flatten(0, -2)
        if given is not None:
            given = given_of_matrix(given, weight.shape)
            if given is None:
                return None
    if args.strategy == "block":
        made = None if packed else fused_blocks(x, args, given)
    else:
        global_scale = None if given is None else given.global_scale
        made = fused(x, args, packed=packed, whole=whole, global_scale=global_scale, given=given)
    return made if made is None or weight.ndim == 2 else stacked(made, weight.shape)


def _by_steps(weight: torch.Tensor, scheme: QuantizationScheme, format: str) -> StateDict | None:
    """Ranges, scales of them, codes: some kernels each, for zero-points that are packed apart."""
    args = scheme.weights
    assert args is not None
    ranges = memoryless_minmax(weight, args)
    qparams = None if ranges is None else calculate_qparams(*ranges, args)
    if qparams is None:
        return None
    scale, zero_point = qparams
    made = {"weight": weight, "weight_scale": scale, "weight_zero_point": zero_point}
    return compress_calibrated(made, scheme, format)


def _any_negative(scale: torch.Tensor) -> bool:
    """Whether a scale is below zero; not looked at in a CUDA graph, which cannot refuse it."""
    if scale.is_cuda and torch.cuda.is_current_stream_capturing():
        return False
    return bool((scale < 0).any())


def _codes(made: StateDict, args: QuantizationArgs, *, packed: bool) -> StateDict:
    """The codes by the name and in the dtype that a checkpoint has them."""
    codes = made["codes"]
    if not packed:
        return {"weight": codes.view(torch.float8_e4m3fn if args.type == "float" else torch.int8)}
    if args.type == "float":
        return {"weight_packed": codes.view(torch.uint8)}
    return {"weight_packed": codes, "weight_shape": made["shape"]}


def _suits(name: str, args: QuantizationArgs) -> bool:
    """Whether a format holds the codes, its scales are MX or not, and NVFP4 has a global one."""
    if name not in _HOLDS:
        return False
    kind, bits, is_mx = _HOLDS[name]
    fits = args.num_bits == bits or (args.type == "int" and bits in (0, 8))
    two_levels = name == "nvfp4-pack-quantized"
    return (
        fits
        and kind in ("", args.type)
        and args.is_mx == is_mx
        and (args.strategy == "tensor_group") == two_levels
    )
