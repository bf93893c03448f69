"""What torchao leaves undefined or defines otherwise (docs/parity.md), as cases."""

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from ..bits import Array
from .declared import Declared
from .nan import nan_arises

__all__ = ["TORCHAO"]

_QPARAMS = ("calculate_qparams", "compute_dynamic_scales_and_zp")


def _smallest_scale(
    op: str, inputs: Mapping[str, Any], expected: Mapping[str, Array]
) -> bool | Array:
    """Scales that the smallest one of either library replaces."""
    if op not in _QPARAMS:
        return False
    scale = expected["scale"].astype(np.float64)
    info = ml_dtypes.finfo(expected["scale"].dtype)
    small = (scale < float(info.smallest_normal)) | (scale == float(info.eps))
    args = inputs["args"]
    if (args.type, args.num_bits, args.strategy) == ("float", 4, "tensor_group"):
        small |= scale <= 2.0**-6
        small |= scale == 0.125
    return np.asarray(small)


def _sign_of_zero(
    op: str, inputs: Mapping[str, Any], expected: Mapping[str, Array]
) -> bool | Array:
    """fp4 codes of zero."""
    if not op.startswith("round_to_quantized_type"):
        return False
    args = inputs.get("args")
    fp4 = args is not None and (args.type, args.num_bits) == ("float", 4)
    if not fp4 and getattr(inputs.get("dtype"), "name", "") != "float4_e2m1fn":
        return False
    return np.asarray(expected[""] == 0)


def _mx_of_infinity(
    op: str, inputs: Mapping[str, Any], expected: Mapping[str, Array]
) -> bool | Array:
    """Groups whose amax is infinite."""
    args = inputs.get("args")
    if op != "compute_dynamic_scales_and_zp" or args is None or not args.is_mx:
        return False
    return np.isinf(expected["scale"].astype(np.float64))


TORCHAO: tuple[Declared, ...] = (
    Declared("deviation 1", "NaN, given or arising, has no defined code", nan_arises),
    Declared("torchao: smallest scale", "max(scale, eps), no eps, or 2^-6", _smallest_scale),
    Declared("torchao: sign of zero", "fp4 keeps the sign of zero", _sign_of_zero),
    Declared("torchao: MX of inf", "an infinite amax is no other than a finite", _mx_of_infinity),
)
