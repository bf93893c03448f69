"""What several laws do with a backend: the whole way from a tensor to its values."""

from typing import Any

import ml_dtypes
import numpy as np

from qparity.reference import FLOAT4_E2M1FN, FloatFormat, QuantizationArgs

from ..bits import Array
from ..compare import find_difference
from .ask import Ask
from .law import Sample, Violation

__all__ = ["difference", "parameters", "results", "working_dtype"]

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)


def parameters(ask: Ask, sample: Sample) -> tuple[Array, Array]:
    """Scale and zero-point of x, found the way that the args say: at run time, or from minmax."""
    args, x = sample.args, sample.arrays["x"]
    if args.strategy == "token" or args.dynamic is True:
        scale, zero_point = ask("compute_dynamic_scales_and_zp", x=x, args=args, **sample.whole)
    else:
        lo, hi = ask("minmax", x=x, args=args)
        scale, zero_point = ask(
            "calculate_qparams", min_vals=lo, max_vals=hi, args=args, **sample.whole
        )
    return scale, zero_point


def results(ask: Ask, sample: Sample) -> dict[str, Array]:
    """Scale, zero-point, codes and values of x, by name."""
    scale, zero_point = parameters(ask, sample)
    found = {"scale": scale, "zero_point": zero_point}
    given: dict[str, Any] = {
        "x": sample.arrays["x"],
        "scale": scale,
        "zero_point": None if sample.args.symmetric else zero_point,
        "args": sample.args,
        **sample.whole,
    }
    found["codes"] = ask("quantize", **given)
    return found | {"values": ask("fake_quantize", **given)}


def difference(expected: dict[str, Array], actual: dict[str, Array], how: str) -> Violation | None:
    """The first difference in bits of named results; ``how`` says what made them differ."""
    for name, array in expected.items():
        found = find_difference(array, actual[name], name)
        if found is None:
            continue
        if found.reason != "bits":
            return Violation(f"{name} {how}: {found.detail}")
        both = {name: array[found.index], f"{name}, then": actual[name][found.index]}
        where = list(found.index)
        return Violation(
            f"{name} {where} differs {how}", {k: np.asarray(v) for k, v in both.items()}
        )
    return None


def working_dtype(sample: Sample) -> np.dtype:
    """The dtype of x and scale together: float32 where a float32 global scale meets 16 bits."""
    dtype: np.dtype = sample.arrays["x"].dtype
    return FLOAT32 if sample.whole and dtype.itemsize < 4 else dtype


def unit_roundoff(dtype: np.dtype) -> float:
    """Half the distance from 1 to the next number."""
    return float(ml_dtypes.finfo(dtype).eps) / 2


def through_float32(args: QuantizationArgs) -> bool:
    """Whether float64 reaches the codes by way of float32."""
    row = args.code_format
    return isinstance(row, FloatFormat) and row != FLOAT4_E2M1FN


def holds_exactly(values: Array, dtype: np.dtype) -> bool:
    """Whether a dtype holds values given in float64."""
    with np.errstate(all="ignore"):
        return bool((values.astype(dtype).astype(np.float64) == values).all())


def has_global_scale(args: QuantizationArgs) -> bool:
    """Whether samples of these args have a global scale."""
    return args.strategy == "tensor_group" and not args.is_mx
