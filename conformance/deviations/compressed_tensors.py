"""The rows of docs/deviations.md, each as the cases in which it may show."""

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .declared import Declared
from .nan import nan_arises

__all__ = ["COMPRESSED_TENSORS"]

Inputs = Mapping[str, Any]
_QPARAMS = ("calculate_qparams", "compute_dynamic_scales_and_zp")
_CODES = ("quantize", "dequantize", "fake_quantize")
_WORKING = ("float16", "bfloat16", "float32", "float64")


def _args(inputs: Inputs) -> QuantizationArgs | None:
    args = inputs["scheme"].weights if "scheme" in inputs else inputs.get("args")
    return args if isinstance(args, QuantizationArgs) else None


def _token_of_two(op: str, inputs: Inputs, _: object) -> bool:
    args = _args(inputs)
    token = op == "compute_dynamic_scales_and_zp" and args is not None and args.strategy == "token"
    return token and inputs["x"].ndim <= 2


def _larger_range(op: str, inputs: Inputs, _: object) -> bool:
    args = _args(inputs)
    if op == "round_to_quantized_type_dtype":
        targets = [inputs["dtype"]]
    elif op in _QPARAMS and args is not None:
        targets = [args.scale_dtype, args.zp_dtype]
    else:
        return False
    x = inputs["min_vals"] if "min_vals" in inputs else inputs["x"]
    names = [dtype.name for dtype in targets if dtype is not None and dtype.name in _WORKING]
    return any(_largest(np.dtype(name)) > _largest(x.dtype) for name in names)


def _largest(dtype: np.dtype) -> float:
    return float(ml_dtypes.finfo(dtype).max)


def _mx_at_the_top(op: str, inputs: Inputs, expected: Mapping[str, Array]) -> bool | Array:
    args = _args(inputs)
    if op not in _QPARAMS or args is None or not args.is_mx:
        return False
    if op == "calculate_qparams":
        ends = np.abs(np.stack([inputs["min_vals"], inputs["max_vals"]]).astype(np.float64))
        amax = ends.max(0)
        dtype = inputs["min_vals"].dtype
    else:
        x = inputs["x"]
        amax = np.abs(x.astype(np.float64)).reshape(*expected["scale"].shape, -1).max(-1)
        dtype = x.dtype
    top = min(_largest(dtype), 2.0**128)
    return np.asarray(np.isfinite(amax) & (amax >= top * 0.75))


def _without_dimensions(op: str, inputs: Inputs, _: object) -> bool:
    del op
    arrays = [value for value in inputs.values() if isinstance(value, np.ndarray)]
    return any(array.ndim == 0 for array in arrays)


def _dynamic_tensor(op: str, inputs: Inputs, _: object) -> bool:
    args = _args(inputs)
    return (
        op == "compute_dynamic_scales_and_zp"
        and args is not None
        and args.strategy == "tensor"
        and (not args.symmetric or inputs.get("global_scale") is not None)
    )


def _groups_of_one_dimension(op: str, inputs: Inputs, _: object) -> bool:
    args = _args(inputs)
    if op not in _CODES or args is None or args.strategy not in ("group", "tensor_group"):
        return False
    x = inputs["x_q"] if op == "dequantize" else inputs["x"]
    return bool(x.ndim == 1)


def _words_of_one_row(op: str, inputs: Inputs, _: object) -> bool:
    if op == "decompress":
        args, packed = _args(inputs), inputs["state_dict"].get("weight_zero_point")
        packed_in_one = packed is not None and packed.dtype == np.int32 and len(packed) == 1
        return bool(packed_in_one and args is not None and args.num_bits == 4)
    one = op == "unpack_from_int32" and inputs["num_bits"] == 4 and inputs["packed_dim"] == 0
    return bool(one and inputs["packed"].shape[-2] == 1)


def _fp4_without_scale_dtype(op: str, inputs: Inputs, _: object) -> bool:
    args = _args(inputs)
    if op not in (*_QPARAMS, "compress") or args is None or args.scale_dtype is not None:
        return False
    return (args.type, args.num_bits, args.strategy) == ("float", 4, "tensor_group")


def _stored_scale(op: str, inputs: Inputs, _: object) -> bool:
    args = _args(inputs)
    return op == "compress" and args is not None and args.scale_dtype is not None and not args.is_mx


def _eight_bit_scale(op: str, inputs: Inputs, _: object) -> bool:
    args = _args(inputs)
    if op != "decompress" or args is None or args.scale_dtype is None or args.is_mx:
        return False
    return bool(inputs["state_dict"]["weight_scale"].dtype.itemsize == 1)


def _group_order(op: str, inputs: Inputs, _: object) -> bool:
    return op in ("compress", "decompress") and "weight_g_idx" in inputs["state_dict"]


COMPRESSED_TENSORS: tuple[Declared, ...] = (
    Declared("deviation 1", "NaN, given or arising, has no defined code", nan_arises),
    Declared("deviation 2", "token on 2-D input: one scale for all", _token_of_two),
    Declared(
        "deviation 3",
        "raises where a dtype has a larger range than the data",
        _larger_range,
        "raised",
    ),
    Declared(
        "deviation 4", "MX: an amax that rounds up beyond the dtype gives inf", _mx_at_the_top
    ),
    Declared("deviation 5", "0-D operands do not take part in promotion", _without_dimensions),
    Declared("deviation 5", "dynamic tensor: a 0-D range inside", _dynamic_tensor),
    Declared("deviation 5", "1-D x in groups: each scale for all groups", _groups_of_one_dimension),
    Declared("deviation 6", "raises at one row of words", _words_of_one_row, "raised"),
    Declared(
        "deviation 7", "fp4 tensor_group without scale_dtype: unrounded", _fp4_without_scale_dtype
    ),
    Declared("deviation 8", "the scale is stored in the working dtype", _stored_scale),
    Declared("clarification: 8-bit scales", "e4m3 and e5m2 raise, uint8 wraps", _eight_bit_scale),
    Declared("clarification: weight_g_idx", "0.20 passes it by", _group_order),
)
