"""Where NaN is given, or arises, in a case: by the reference's own float codes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array, nan_mask

__all__ = ["nan_arises"]

_QPARAMS = ("calculate_qparams", "compute_dynamic_scales_and_zp")


def nan_arises(op: str, inputs: Mapping[str, Any], expected: Mapping[str, Array]) -> bool | Array:
    """The elements whose value before the last rounding is NaN; of ``compress`` whether any is."""
    if op in ("quantize", "fake_quantize"):
        return _of_codes(inputs)
    if op in _QPARAMS:
        return _of_qparams(op, inputs, expected)
    if op.startswith("round_to_quantized_type"):
        return np.atleast_1d(nan_mask(inputs["x"]))
    if op == "compress":
        return _of_compress(inputs)
    return False


def _of_codes(inputs: Mapping[str, Any]) -> Array:
    """A code of fp8 holds NaN, and nothing before the rounding depends on the format."""
    args: QuantizationArgs = inputs["args"]
    wide = replace(args, type="float", num_bits=8, symmetric=True, zp_dtype=None)
    given = {name: value for name, value in inputs.items() if name not in ("args", "dtype")}
    return nan_mask(reference.quantize(**given, args=wide))


def _of_qparams(op: str, inputs: Mapping[str, Any], expected: Mapping[str, Array]) -> Array:
    """A zero-point of float32 holds NaN."""
    wide = replace(inputs["args"], zp_dtype=np.dtype(np.float32))
    _, zero_point = getattr(reference, op)(**{**inputs, "args": wide})
    return nan_mask(expected["scale"]) | nan_mask(zero_point)


def _of_compress(inputs: Mapping[str, Any]) -> bool:
    state, args = inputs["state_dict"], inputs["scheme"].weights
    if args is None or "weight_scale" not in state:
        return False
    grouped = args.strategy in ("group", "tensor_group")
    order = state.get("weight_g_idx") if grouped else None
    return bool(
        _of_codes(
            {
                "x": state["weight"],
                "scale": state["weight_scale"],
                "zero_point": state.get("weight_zero_point"),
                "args": args,
                "g_idx": order,
                "global_scale": state.get("weight_global_scale"),
            }
        ).any()
    )
