"""The error of a scheme on weights, and its bits per weight."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qparity import reference
from qparity.reference import FloatFormat, QuantizationArgs

from ..bits import Array
from ..of_formats import global_scale_of

__all__ = ["Measured", "bits_per_weight", "measure"]

_FLOAT32 = np.dtype(np.float32)
_GLOBAL_SCALE_BITS = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """What quantization did to weights.

    Attributes:
        name: of the scheme.
        bits: per weight: codes, scales, zero-points and global scales.
        snr: signal to noise in decibels, ``10 log10(sum x^2 / sum (x - x')^2)``; inf if exact,
            -inf if an error is infinite, NaN if one is NaN.
        max_error: the largest ``|x - x'|``, relative to the largest ``|x|`` of its tensor; inf or
            NaN if an error is, NaN before inf.
    """

    name: str
    bits: float
    snr: float
    max_error: float


def measure(name: str, args: QuantizationArgs, weights: Mapping[str, Array]) -> Measured:
    """Quantize the weights with ranges of their own, in float32, by the reference.

    Args:
        name: of the scheme, for the result.
        args: those of weights; their ranges are the minima and maxima of each unit.
        weights: 2-D, of float16, bfloat16, float32 or float64.

    Raises:
        ValueError: if there is no weight, or one does not divide into the groups of the args.
    """
    if not weights:
        raise ValueError("weights: there are none; allowed: one 2-D float tensor or more")
    signal = noise = largest = bits = 0.0
    count = sum(weight.size for weight in weights.values())
    for tensor_name, weight in weights.items():
        try:
            x, values, scales = _quantized(weight, args)
        except ValueError as error:
            raise ValueError(f"{name} on {tensor_name}: {error}") from error
        exact = x.astype(np.float64)
        with np.errstate(invalid="ignore"):
            error_of_x = exact - values.astype(np.float64)
        signal += float(np.square(exact).sum())
        noise += float(np.square(error_of_x).sum())
        largest = float(np.maximum(largest, _relative(error_of_x, exact)))
        bits += weight.size * bits_per_weight(args, weight.size / scales, weight.dtype)
        bits += _GLOBAL_SCALE_BITS * (args.strategy == "tensor_group")
    return Measured(name, bits / count, _decibels(signal, noise), largest)


def bits_per_weight(args: QuantizationArgs, weights_per_scale: float, dtype: np.dtype) -> float:
    """The bits of a code, and its share of the scale and of the zero-point.

    Args:
        args: the scheme's.
        weights_per_scale: how many weights share a scale.
        dtype: of the weights, and of scales that are not rounded.
    """
    row = args.scale_format
    shared = 8 * dtype.itemsize if row is None else row.bits
    if not args.symmetric:
        is_float = isinstance(args.code_format, FloatFormat) and args.zp_dtype is not None
        shared += 8 * np.dtype(args.zp_dtype).itemsize if is_float else args.num_bits
    return args.num_bits + shared / weights_per_scale


def _relative(error: Array, exact: Array) -> float:
    """The largest error, in parts of the largest number."""
    most, peak = float(np.abs(error).max()), float(np.abs(exact).max())
    if not math.isfinite(most):
        return most
    return most / peak if peak else 0.0


def _decibels(signal: float, noise: float) -> float:
    if math.isinf(noise):
        return -math.inf
    return 10 * math.log10(signal / noise) if signal and noise else math.inf


def _quantized(weight: Array, args: QuantizationArgs) -> tuple[Array, Array, int]:
    """The weight in float32, its values after quantization, and how many scales there are."""
    x = weight.astype(_FLOAT32)
    if args.strategy == "token":
        raise ValueError("strategy: 'token' is of activations; allowed: one of weights")
    whole = global_scale_of(x, args)
    scale, zero_point = reference.calculate_qparams(*reference.minmax(x, args), args, whole)
    given = None if args.symmetric else zero_point
    return x, reference.fake_quantize(x, scale, given, args, global_scale=whole), scale.size
