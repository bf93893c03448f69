"""A module's tensors as a checkpoint holds them, and back (SPEC section 8)."""

from collections.abc import Mapping

import numpy as np

from .args import QuantizationArgs
from .arithmetic import cast, quiet
from .dtypes import BFLOAT16, E4M3, E5M2, INT8, UINT8, WORKING_DTYPES, Array, as_array
from .infer_format import resolve_format
from .mx import mx_code, scale_of_mx_code
from .packing import (
    pack_fp4_to_uint8,
    pack_fp6_to_uint8,
    pack_to_int32,
    unpack_fp4_from_uint8,
    unpack_fp6_from_uint8,
    unpack_from_int32,
)
from .quantize import dequantize, quantize
from .rounding import round_to_quantized_type_dtype
from .schemes import QuantizationScheme
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

__all__ = ["compress", "decompress"]

StateDict = dict[str, Array]
_FP4_FORMATS = ("nvfp4-pack-quantized", "mxfp4-pack-quantized")
_PACKED_FLOAT_BITS = {**dict.fromkeys(_FP4_FORMATS, 4), "mxfp6-pack-quantized": 6}
_MX_FORMATS = ("mxfp4-pack-quantized", "mxfp6-pack-quantized", "mxfp8-quantized")
_PACKED_ZP_STRATEGIES = ("group", "channel")


@quiet
def compress(
    state_dict: Mapping[str, Array], scheme: QuantizationScheme, format: str | None = None
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

    >>> state = {"weight": np.array([[1, -2]], np.float32), "weight_scale": np.ones(1, np.float32)}
    >>> stored = compress(state, QuantizationScheme(["Linear"], {"num_bits": 4}))
    >>> sorted(stored), hex(stored["weight_packed"].item())
    (['weight_packed', 'weight_scale', 'weight_shape'], '0x69')
    """
    check_arguments(state_dict, scheme)
    name = resolve_format(scheme, format)
    if name == "dense" or scheme.weights is None:
        return dict(state_dict)
    args = scheme.weights
    _check_suits(name, args)
    global_scale = _global_scale(state_dict, args, name)
    weight, scale = (as_array(tensor(state_dict, key), key) for key in ("weight", "weight_scale"))
    zero_point = state_dict.get("weight_zero_point")
    rest = {key: value for key, value in state_dict.items() if key != "weight"}
    if name in _PACKED_FLOAT_BITS:
        zero_point = None
    dtype = None if name in _PACKED_FLOAT_BITS else args.code_format.dtype
    with naming(OPERANDS):
        codes = quantize(
            weight,
            scale,
            zero_point,
            args,
            dtype=dtype,
            g_idx=state_dict.get("weight_g_idx"),
            global_scale=global_scale,
        )
    if name == "pack-quantized":
        with naming({"value": "weight"}):
            rest["weight_packed"] = pack_to_int32(codes, args.num_bits)
        rest["weight_shape"] = np.array(weight.shape, np.int64)
        if not args.symmetric and args.strategy in _PACKED_ZP_STRATEGIES:
            key = "weight_zero_point"
            asymmetric = as_array(tensor(state_dict, key), key, (INT8,))
            check_zero_point(asymmetric, zero_point_shape(weight.shape, scale, args))
            with naming({"value": key}):
                rest[key] = pack_to_int32(asymmetric, args.num_bits, packed_dim=0)
    elif name in _PACKED_FLOAT_BITS:
        pack = pack_fp4_to_uint8 if name in _FP4_FORMATS else pack_fp6_to_uint8
        with naming(OPERANDS):
            rest["weight_packed"] = pack(codes)
    else:
        rest["weight"] = codes
    with naming(OPERANDS):
        rest["weight_scale"] = _stored_scale(scale, args, name)
    return _without_symmetric_zero_points(rest, scheme)


@quiet
def decompress(
    state_dict: Mapping[str, Array], scheme: QuantizationScheme, format: str | None = None
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

    >>> scheme = QuantizationScheme(["Linear"], {"num_bits": 4})
    >>> state = {"weight": np.array([[1, -2]], np.float32), "weight_scale": np.ones(1, np.float32)}
    >>> decompress(compress(state, scheme), scheme)["weight"]
    array([[ 1., -2.]], dtype=float32)
    """
    check_arguments(state_dict, scheme)
    name = resolve_format(scheme, format)
    if name == "dense" or scheme.weights is None:
        return dict(state_dict)
    args = scheme.weights
    global_scale = _global_scale(state_dict, args, name)
    scale = _loaded_scale(tensor(state_dict, "weight_scale"), args, name)
    zero_point = state_dict.get("weight_zero_point")
    rest = {key: value for key, value in state_dict.items() if key != "weight_packed"}
    if name in _PACKED_FLOAT_BITS:
        packed, columns = packed_floats(state_dict, _PACKED_FLOAT_BITS[name])
        unpack = unpack_fp4_from_uint8 if name in _FP4_FORMATS else unpack_fp6_from_uint8
        codes, zero_point = unpack(packed, packed.shape[0], columns), None
        values = "the values of weight_packed"
    elif name == "pack-quantized":
        shape, words = weight_shape(state_dict), tensor(state_dict, "weight_packed")
        with naming({"packed": "weight_packed", "codes of shape": "codes of weight_shape"}):
            codes = unpack_from_int32(words, args.num_bits, shape)
        values = "weight_shape"
        if not args.symmetric and args.strategy in _PACKED_ZP_STRATEGIES:
            words, key = tensor(state_dict, "weight_zero_point"), "weight_zero_point"
            zp_shape = zero_point_shape(shape, scale, args)
            with naming({"packed": key}):
                zero_point = unpack_from_int32(words, args.num_bits, zp_shape, packed_dim=0)
            rest[key] = zero_point
    else:
        codes, values = tensor(state_dict, "weight"), "weight"
    with naming({**OPERANDS, "x": values, "x_q": values}):
        rest["weight"] = dequantize(
            codes,
            scale,
            zero_point,
            args,
            g_idx=state_dict.get("weight_g_idx"),
            global_scale=global_scale,
        )
    rest["weight_scale"] = scale
    return rest


def _stored_scale(scale: Array, args: QuantizationArgs, name: str) -> Array:
    """The scale as it lies on disk."""
    if args.is_mx:
        return mx_code(scale)
    nvfp4 = E4M3 if name == "nvfp4-pack-quantized" else None
    dtype = args.resolved_scale_dtype or nvfp4
    if dtype is None:
        return scale.copy()
    return round_to_quantized_type_dtype(scale, dtype, cast_to_original_dtype=False)


def _loaded_scale(scale: Array, args: QuantizationArgs, name: str) -> Array:
    """The scale on disk as a working dtype; all 8-bit scales are exact in bfloat16."""
    scale = as_array(scale, "weight_scale", (*WORKING_DTYPES, E4M3, E5M2, UINT8))
    if args.is_mx or (name in _MX_FORMATS and scale.dtype == UINT8):
        return scale_of_mx_code(as_array(scale, "weight_scale", (UINT8,)))
    small = scale.dtype.itemsize == 1
    return cast(scale, BFLOAT16) if small or name in _PACKED_FLOAT_BITS else scale


def _check_suits(name: str, args: QuantizationArgs) -> None:
    needed = {"pack-quantized": ("int", args.num_bits), "mxfp8-quantized": ("float", 8)}
    needed |= {key: ("float", bits) for key, bits in _PACKED_FLOAT_BITS.items()}
    if name in needed and (args.type, args.num_bits) != needed[name]:
        raise _unsuited(name, args)
    if name not in needed and args.type == "float" and args.num_bits != 8:
        raise _unsuited(name, args)
    small_float = args.type == "float" and args.num_bits < 8
    mx_like = name in _MX_FORMATS or (small_float and args.group_size == 32)
    dtype = args.resolved_scale_dtype
    if mx_like and not args.is_mx and (dtype is None or dtype == UINT8):
        raise ValueError(
            f"scale_dtype: {args.scale_dtype} is not allowed for {args.code_format.name} in "
            f"{name!r}; allowed: 'uint8' in groups of 32 (MX), or the float dtype of the scale"
        )


def _global_scale(
    state_dict: Mapping[str, Array], args: QuantizationArgs, name: str
) -> Array | None:
    """The global scale, which the fp4 formats alone have."""
    global_scale = state_dict.get("weight_global_scale")
    if global_scale is not None and args.is_mx:
        raise ValueError("weight_global_scale: not allowed for MX; allowed: none")
    return global_scale if name in _FP4_FORMATS else None


def _without_symmetric_zero_points(tensors: StateDict, scheme: QuantizationScheme) -> StateDict:
    sides = {
        "weight_zero_point": scheme.weights,
        "input_zero_point": scheme.input_activations,
        "output_zero_point": scheme.output_activations,
    }
    absent = {key for key, args in sides.items() if args is not None and args.symmetric}
    return {key: value for key, value in tensors.items() if key not in absent}


def _unsuited(name: str, args: QuantizationArgs) -> ValueError:
    return ValueError(
        f"format: {name!r} cannot hold {args.code_format.name}; allowed: one that can, or None"
    )
