"""Faults of what a checkpoint holds."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import BF16, F32
from .fault import Fault, Step
from .steps_disk import Tensors
from .variant import Variant, exact

_WRITE, _READ = ("compress",), ("decompress",)


def _stored(change: Callable[[Array, QuantizationArgs], Array]) -> dict[str, Step]:
    return {"stored_scale": lambda v, scale, args: change(scale, args)}


def _code_plus_one(scale: Array, args: QuantizationArgs) -> Array:
    return (scale + np.uint8(1)).astype(np.uint8) if args.is_mx else scale


def _code_of_zero(scale: Array, args: QuantizationArgs) -> Array:
    return np.where(scale == 0, np.uint8(1), scale) if args.is_mx else scale


def _in_bfloat16(scale: Array, args: QuantizationArgs) -> Array:
    return scale.astype(BF16) if scale.dtype.itemsize == 1 and not args.is_mx else scale


def _in_float32(scale: Array, args: QuantizationArgs) -> Array:
    return scale.astype(F32) if scale.dtype.itemsize == 2 else scale


def _loaded(change: Callable[[Array, Array], Array]) -> dict[str, Step]:
    """Given the codes of MX scales and the scales, others."""

    def of_mx_code(v: Variant, code: Array) -> Array:
        return change(code, exact(v, "of_mx_code")(code))

    return {"of_mx_code": of_mx_code}


def _nan_at_255(code: Array, scale: Array) -> Array:
    return np.where(code == 255, BF16.type(np.nan), scale)


def _zero_at_0(code: Array, scale: Array) -> Array:
    return np.where(code == 0, BF16.type(0), scale)


def _infinite_at_254(code: Array, scale: Array) -> Array:
    return np.where(code >= 254, BF16.type(np.inf), scale)


def _written(change: Callable[[Tensors, Tensors], None]) -> dict[str, Step]:
    """Given the state dict and what is written of it, changes the latter."""

    def compress(v: Variant, state_dict: Tensors, *a: Any, **k: Any) -> Tensors:
        written: Tensors = exact(v, "compress")(state_dict, *a, **k)
        change(state_dict, written)
        return written

    return {"compress": compress}


def _with_zero_point(state: Tensors, written: Tensors) -> None:
    if "weight_zero_point" in state:
        written.setdefault("weight_zero_point", state["weight_zero_point"])


def _not_packed(state: Tensors, written: Tensors) -> None:
    if "weight_zero_point" in written:
        written["weight_zero_point"] = state["weight_zero_point"]


def _reversed_shape(state: Tensors, written: Tensors) -> None:
    if "weight_shape" in written:
        written["weight_shape"] = written["weight_shape"][::-1].copy()


def _shape_in_int32(state: Tensors, written: Tensors) -> None:
    if "weight_shape" in written:
        written["weight_shape"] = written["weight_shape"].astype(np.int32)


def _without_g_idx(state: Tensors, written: Tensors) -> None:
    written.pop("weight_g_idx", None)


def _without_others(state: Tensors, written: Tensors) -> None:
    written.pop("bias", None)


def _weight_kept(state: Tensors, written: Tensors) -> None:
    written.setdefault("weight", state["weight"])


def _inverse_global_scale(state: Tensors, written: Tensors) -> None:
    if "weight_global_scale" in written:
        written["weight_global_scale"] = 1 / written["weight_global_scale"]


def _made(change: Callable[[Tensors, Tensors], None]) -> dict[str, Step]:
    """Given what lay on disk and what is made of it, changes the latter."""

    def decompress(v: Variant, state_dict: Tensors, *a: Any, **k: Any) -> Tensors:
        made: Tensors = exact(v, "decompress")(state_dict, *a, **k)
        change(state_dict, made)
        return made

    return {"decompress": decompress}


def _weight_in_float32(state: Tensors, made: Tensors) -> None:
    if "weight_packed" in state:
        made["weight"] = made["weight"].astype(F32)


def _still_packed(state: Tensors, made: Tensors) -> None:
    if "weight_zero_point" in state:
        made["weight_zero_point"] = state["weight_zero_point"]


def _scale_as_stored(state: Tensors, made: Tensors) -> None:
    if "weight_scale" in state:
        made["weight_scale"] = state["weight_scale"]


ON_DISK = (
    Fault("mx_code_off_by_one", "bias 128", _WRITE, _stored(_code_plus_one)),
    Fault("mx_code_0_never_stored", "1 instead", _WRITE, _stored(_code_of_zero)),
    Fault("scale_stored_in_bfloat16", "not in 8 bits", _WRITE, _stored(_in_bfloat16)),
    Fault("scale_stored_in_float32", "not in 16 bits", _WRITE, _stored(_in_float32)),
    Fault("mx_code_255_is_nan", "as E8M0 has it", _READ, _loaded(_nan_at_255)),
    Fault("mx_code_0_is_zero", "2^-127 is flushed", _READ, _loaded(_zero_at_0)),
    Fault("mx_code_254_is_infinity", "2^127 is lost", _READ, _loaded(_infinite_at_254)),
    Fault("zero_point_stored", "where there is none", _WRITE, _written(_with_zero_point)),
    Fault("zero_point_not_packed", "stored as it is", _WRITE, _written(_not_packed)),
    Fault("shape_reversed", "weight_shape is columns, rows", _WRITE, _written(_reversed_shape)),
    Fault("shape_in_int32", "weight_shape is int32", _WRITE, _written(_shape_in_int32)),
    Fault("g_idx_dropped", "weight_g_idx is not written", _WRITE, _written(_without_g_idx)),
    Fault("bias_dropped", "other tensors are not written", _WRITE, _written(_without_others)),
    Fault("weight_kept", "the dense weight is written too", _WRITE, _written(_weight_kept)),
    Fault("global_scale_inverse", "1 / global_scale", _WRITE, _written(_inverse_global_scale)),
    Fault("weight_in_float32", "not in bfloat16", _READ, _made(_weight_in_float32)),
    Fault("zero_point_still_packed", "int32 comes back", _READ, _made(_still_packed)),
    Fault("scale_as_stored", "8-bit scales come back", _READ, _made(_scale_as_stored)),
)
