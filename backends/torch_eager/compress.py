"""A module's tensors as a checkpoint holds them, and back (SPEC section 8)."""

from collections.abc import Mapping

import torch

from qparity.reference import (
    FloatFormat,
    FormatArgs,
    QuantizationArgs,
    QuantizationScheme,
    infer_format,
)

from .dtypes import FLOAT8, WORKING, as_tensor, cast
from .mx import mx_code, scale_of_mx_code
from .packing import (
    pack_to_int32,
    unpack_fp4_from_uint8,
    unpack_fp6_from_uint8,
    unpack_from_int32,
)
from .quantize import dequantize, quantize
from .quantize_and_pack import quantize_and_pack
from .rounding import round_to_quantized_type_dtype
from .state_dict import (
    OPERANDS,
    check_arguments,
    check_zero_point,
    naming,
    packed_floats,
    tensor,
    weight_shape,
    zero_point_shape,
)

StateDict = dict[str, torch.Tensor]

FORMATS = (
    "dense",
    "naive-quantized",
    "int-quantized",
    "float-quantized",
    "pack-quantized",
    "nvfp4-pack-quantized",
    "mxfp4-pack-quantized",
    "mxfp6-pack-quantized",
    "mxfp8-quantized",
)
PACKED_FLOATS = {"nvfp4-pack-quantized": 4, "mxfp4-pack-quantized": 4, "mxfp6-pack-quantized": 6}
_MX_FORMATS = ("mxfp4-pack-quantized", "mxfp6-pack-quantized", "mxfp8-quantized")
PACKED_ZP_STRATEGIES = ("group", "channel")


def compress(
    state_dict: Mapping[str, torch.Tensor],
    scheme: QuantizationScheme,
    format: str | None = None,
) -> StateDict:
    """The tensors of one module as a checkpoint holds them.

    Args:
        state_dict: local names: ``weight``, ``weight_scale`` and, where there are such,
            ``weight_zero_point``, ``weight_global_scale``, ``weight_g_idx``; others pass through.
        scheme: its ``weights`` say how the codes are made.
        format: a compression format; None: that of the scheme, else the inferred one.

    Returns:
        A new dict. The codes are ``weight`` (int8, float8_e4m3fn), or ``weight_packed`` (int32 with
        ``weight_shape``, or uint8). The scale is in ``scale_dtype``; where that is None, e4m3 for
        NVFP4, else as given; MX stores the uint8 code. Zero-points of symmetric args are left out;
        an asymmetric one of groups or channels is packed along dim 0 by ``pack-quantized``, and
        has to have the shape of the scale, in which it is unpacked.

    Raises:
        TypeError: if a tensor has a dtype that it may not have.
        ValueError: if a tensor is missing, shapes do not fit, the format does not suit the scheme,
            fp4 or fp6 in groups of 32 has no ``scale_dtype``, or MX has a global scale.

    Source: SPEC section 8; upstream ``compressors``.
    """
    check_arguments(state_dict, scheme)
    name = format_of(scheme, format)
    if name == "dense" or scheme.weights is None:
        return dict(state_dict)
    args = scheme.weights
    check_suits(name, args)
    weight, scale = tensor(state_dict, "weight"), tensor(state_dict, "weight_scale")
    zero_point = state_dict.get("weight_zero_point")
    g_idx = state_dict.get("weight_g_idx")
    whole = _global_scale(state_dict, args, name)
    result = {key: value for key, value in state_dict.items() if key != "weight"}
    packed = name in PACKED_FLOATS or name == "pack-quantized"
    with naming(OPERANDS):
        if packed:
            given = None if name in PACKED_FLOATS else zero_point
            result["weight_packed"] = quantize_and_pack(
                weight, scale, given, args, g_idx=g_idx, global_scale=whole
            )
        else:
            dtype = args.code_format.dtype
            result["weight"] = quantize(
                weight, scale, zero_point, args, dtype=dtype, g_idx=g_idx, global_scale=whole
            )
    if name == "pack-quantized":
        result["weight_shape"] = torch.tensor(weight.shape, dtype=torch.int64, device=weight.device)
        if not args.symmetric and args.strategy in PACKED_ZP_STRATEGIES:
            key = "weight_zero_point"
            codes = as_tensor(tensor(state_dict, key), key, (torch.int8,))
            check_zero_point(codes, zero_point_shape(tuple(weight.shape), scale, args))
            with naming({"value": key}):
                result[key] = pack_to_int32(codes, args.num_bits, packed_dim=0)
    with naming(OPERANDS):
        result["weight_scale"] = _stored_scale(scale, args, name)
    return without_symmetric_zero_points(result, scheme)


def decompress(
    state_dict: Mapping[str, torch.Tensor],
    scheme: QuantizationScheme,
    format: str | None = None,
) -> StateDict:
    """The inverse of ``compress``, as far as the codes allow.

    Args:
        state_dict: the local names that ``compress`` writes; others pass through.
        scheme: its ``weights`` say how the codes are read.
        format: as for ``compress``.

    Returns:
        A new dict with ``weight`` and ``weight_scale``: bfloat16 for fp4, fp6, MX and every scale
        stored in 8 bits, else in the dtype of the stored scale. Packed zero-points come back as
        int8; ``weight_shape`` and other keys stay.

    Raises:
        TypeError: if a tensor has a dtype that it may not have.
        ValueError: if a tensor is missing, shapes do not fit, or MX has a global scale.

    Source: SPEC section 8; upstream ``compressors``.
    """
    check_arguments(state_dict, scheme)
    name = format_of(scheme, format)
    if name == "dense" or scheme.weights is None:
        return dict(state_dict)
    args = scheme.weights
    global_scale = _global_scale(state_dict, args, name)
    scale = _loaded_scale(tensor(state_dict, "weight_scale"), args, name)
    zero_point = state_dict.get("weight_zero_point")
    result = {key: value for key, value in state_dict.items() if key != "weight_packed"}
    if name in PACKED_FLOATS:
        bits = PACKED_FLOATS[name]
        packed, columns = packed_floats(state_dict, bits)
        unpack = unpack_fp4_from_uint8 if bits == 4 else unpack_fp6_from_uint8
        codes, zero_point = unpack(packed, packed.shape[0], columns), None
        values = "the values of weight_packed"
    elif name == "pack-quantized":
        shape, words = weight_shape(state_dict), tensor(state_dict, "weight_packed")
        with naming({"packed": "weight_packed", "codes of shape": "codes of weight_shape"}):
            codes = unpack_from_int32(words, args.num_bits, shape)
        values = "weight_shape"
        if not args.symmetric and args.strategy in PACKED_ZP_STRATEGIES:
            key = "weight_zero_point"
            words, zp_shape = tensor(state_dict, key), zero_point_shape(shape, scale, args)
            with naming({"packed": key}):
                zero_point = unpack_from_int32(words, args.num_bits, zp_shape, packed_dim=0)
            result[key] = zero_point
    else:
        codes, values = tensor(state_dict, "weight"), "weight"
    with naming({**OPERANDS, "x": values, "x_q": values}):
        result["weight"] = dequantize(
            codes,
            scale,
            zero_point,
            args,
            g_idx=state_dict.get("weight_g_idx"),
            global_scale=global_scale,
        )
    result["weight_scale"] = scale
    return result


def format_of(scheme: QuantizationScheme, asked: str | None) -> str:
    """The compression format: the one asked for, that of the scheme, or the inferred one."""
    asked = scheme.format if asked is None else asked
    name = infer_format(scheme) if asked is None else asked
    if name not in FORMATS:
        raise ValueError(f"format: {name!r} is not allowed; allowed: {list(FORMATS)}")
    if name != "dense" and isinstance(scheme.weights, FormatArgs):
        raise ValueError(
            f"weights: {scheme.weights.code_format.name} of FormatArgs is not allowed in a "
            "checkpoint, as no format of upstream holds it; allowed: QuantizationArgs"
        )
    return name


def _stored_scale(scale: torch.Tensor, args: QuantizationArgs, name: str) -> torch.Tensor:
    """The scale as it lies on disk."""
    scale = as_tensor(scale, "weight_scale")
    if args.is_mx:
        return mx_code(scale)
    dtype = args.resolved_scale_dtype
    if dtype is None and name != "nvfp4-pack-quantized":
        return scale.clone()
    return round_to_quantized_type_dtype(
        scale, "float8_e4m3fn" if dtype is None else dtype, cast_to_original_dtype=False
    )


def _loaded_scale(scale: torch.Tensor, args: QuantizationArgs, name: str) -> torch.Tensor:
    """The scale on disk as a working dtype; all 8-bit scales are exact in bfloat16."""
    scale = as_tensor(scale, "weight_scale", (*WORKING, *FLOAT8, torch.uint8))
    if args.is_mx or (name in _MX_FORMATS and scale.dtype == torch.uint8):
        return scale_of_mx_code(as_tensor(scale, "weight_scale", (torch.uint8,)))
    small = scale.itemsize == 1
    # once to bfloat16
    return cast(scale, torch.bfloat16) if small or name in PACKED_FLOATS else scale


def check_suits(name: str, args: QuantizationArgs) -> None:
    """Refuse a format that cannot hold the codes, or MX codes without MX scales."""
    row = args.code_format
    bits = row.bits if isinstance(row, FloatFormat) else None
    if name in PACKED_FLOATS:
        suits = bits == PACKED_FLOATS[name]
    elif name == "pack-quantized":
        suits = bits is None
    else:
        suits = bits == 8 or (bits is None and name != "mxfp8-quantized")
    if not suits:
        raise ValueError(f"format: {name!r} cannot hold {row.name}; allowed: None, to infer it")
    like_mx = name in _MX_FORMATS or (bits in (4, 6) and args.group_size == 32)
    dtype = args.resolved_scale_dtype
    if like_mx and not args.is_mx and (dtype is None or dtype.name == "uint8"):
        raise ValueError(
            f"scale_dtype: {args.scale_dtype} is not allowed for {row.name} in {name!r}; "
            "allowed: 'uint8' in groups of 32 (MX), or the float dtype to store the scale in"
        )


def _global_scale(
    state_dict: Mapping[str, torch.Tensor], args: QuantizationArgs, name: str
) -> torch.Tensor | None:
    """The global scale, which the formats of fp4 alone have."""
    value = state_dict.get("weight_global_scale")
    if value is not None and args.is_mx:
        raise ValueError("weight_global_scale: not allowed for MX; allowed: None")
    return value if PACKED_FLOATS.get(name) == 4 else None


def without_symmetric_zero_points(tensors: StateDict, scheme: QuantizationScheme) -> StateDict:
    """The tensors but for the zero-points of symmetric args, which no checkpoint holds."""
    sides = {
        "weight_zero_point": scheme.weights,
        "input_zero_point": scheme.input_activations,
        "output_zero_point": scheme.output_activations,
    }
    absent = [key for key, args in sides.items() if args is not None and args.symmetric]
    return {key: value for key, value in tensors.items() if key not in absent}
