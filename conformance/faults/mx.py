"""Faults of MX scales: the exponent, its offset, and the codes 0, 254 and 255."""

from collections.abc import Callable

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import F32, F64
from .fault import Fault, Step
from .variant import Variant, exact

_OPERATIONS = ("calculate_qparams", "compute_dynamic_scales_and_zp")
_HALF = 0.5


def _exponent(rounds_up: Callable[[Array, QuantizationArgs], Array], more: int = 0) -> Step:
    """The exponent of amax, one more where the mantissa, in [0.5, 1), says so."""

    def mx_exponent(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
        mantissa, exponent = np.frexp(amax)
        return np.asarray(exponent - 1 + rounds_up(mantissa, args) + more)

    return mx_exponent


def _by_log2(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
    return np.asarray(np.floor(np.log2(amax.astype(F32).astype(F64))).astype(np.int64))


def _by_float32_log2(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
    """round(log2(amax)) in float32."""
    return np.asarray(np.rint(np.log2(amax.astype(F32))).astype(np.int64))


def _moved(by: int) -> Step:
    def mx_exponent(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
        exponent: Array = exact(v, "mx_exponent")(amax, args)
        return exponent + by

    return mx_exponent


def _fp8_as_others(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
    exponent: Array = exact(v, "mx_exponent")(amax, args)
    return exponent + (6 if args.num_bits == 8 else 0)


def _codes(change: Callable[[Array, Array], Array]) -> Step:
    """Given the codes and the ranges, in float64 but with the dtype's smallest normal."""

    def mx_code(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
        code: Array = exact(v, "mx_code")(amax, args)
        return change(code, amax)

    return mx_code


def _code_of_zero(code: Array, amax: Array) -> Array:
    return np.where(amax == 0, 127, code)


def _code_of_subnormal(code: Array, amax: Array) -> Array:
    tiny = ml_dtypes.finfo(amax.dtype).smallest_normal
    return np.where((amax > 0) & (amax < tiny), np.maximum(code, 1), code)


def _code_of_infinity(code: Array, amax: Array) -> Array:
    return np.where(code == 255, 254, code)


def _rounded_to_infinity(code: Array, amax: Array) -> Array:
    """Rounding up overflows the dtype of amax."""
    largest = float(ml_dtypes.finfo(amax.dtype).max)
    return np.where(amax.astype(F64) >= largest * (1 - 2.0**-3), 255, code)


def _nan_is_255(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
    scale: Array = exact(v, "mx_scale")(amax, args)
    return np.where(np.isnan(amax), amax.dtype.type(np.inf), scale)


def _within(low: int, high: int) -> Step:
    return lambda v, code: np.clip(code, low, high)


def _flushed(v: Variant, amax: Array, args: QuantizationArgs) -> Array:
    scale: Array = exact(v, "mx_scale")(amax, args)
    tiny = float(np.finfo(F32).smallest_normal)
    return np.where(scale.astype(F64) < tiny, scale.dtype.type(0), scale)


def _fault(name: str, description: str, step: Step, replaced: str = "mx_exponent") -> Fault:
    return Fault(name, description, _OPERATIONS, {replaced: step})


MX = (
    _fault("mx_floor", "the exponent of amax", _exponent(lambda m, args: m < 0)),
    _fault("mx_ceil", "the next power of two", _exponent(lambda m, args: m > _HALF)),
    _fault("mx_even", "the nearest power of two", _exponent(lambda m, args: m >= 0.75)),
    _fault("mx_log2", "floor(log2(amax))", _by_log2),
    _fault("mx_rounded_log2", "round(log2(amax)) in float32", _by_float32_log2),
    _fault(
        "mx_element_mantissa",
        "fp8 rounds up by its own mantissa",
        _exponent(lambda m, args: m >= 1 - 2.0 ** -(3 if args.num_bits == 4 else 5)),
    ),
    _fault("mx_bias", "the exponent is one too large", _moved(1)),
    _fault("mx_offset", "the exponent is one too small", _moved(-1)),
    _fault("mx_fp8_offset", "fp8 with the offset of fp4", _fp8_as_others),
    _fault("mx_code_of_zero", "a zero group has scale 1", _codes(_code_of_zero), "mx_code"),
    _fault("mx_subnormal", "code 1 for subnormals", _codes(_code_of_subnormal), "mx_code"),
    _fault("mx_code_of_infinity", "254 for an infinity", _codes(_code_of_infinity), "mx_code"),
    _fault("mx_overflow", "rounding up to inf", _codes(_rounded_to_infinity), "mx_code"),
    _fault("mx_nan_is_infinity", "NaN and inf are both 255", _nan_is_255, "mx_scale"),
    _fault("mx_scale_flushed", "2^-127 is 0", _flushed, "mx_scale"),
    _fault("mx_code_above_254", "codes beyond 254 are powers, too", _within(0, 1200), "mx_clip"),
    _fault("mx_code_at_most_253", "the largest code never used", _within(0, 253), "mx_clip"),
    _fault("mx_code_below_0", "codes below 0 are powers, too", _within(-1200, 254), "mx_clip"),
)
