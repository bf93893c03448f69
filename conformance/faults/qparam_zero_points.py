"""Faults of the zero-point of a range."""

from collections.abc import Callable

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import F32, F64, cast, number
from .fault import Fault, Step
from .variant import Variant, exact

_OPERATIONS = ("calculate_qparams", "compute_dynamic_scales_and_zp")
Bounds = tuple[Array, Array]


def _bounds(lo: Array, args: QuantizationArgs) -> Bounds:
    low, high = reference.calculate_range(args)
    return number(low, lo.dtype), number(high, lo.dtype)


def _asymmetric(make: Callable[[Variant, Array, Array, Array, QuantizationArgs], Array]) -> Step:
    """A rule for the asymmetric zero-point; the symmetric one stays 0."""

    def zero_point_of(
        v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs
    ) -> Array:
        return np.zeros_like(lo) if args.symmetric else make(v, lo, hi, scale, args)

    return zero_point_of


def _clamped(z: Array, lo: Array, args: QuantizationArgs) -> Array:
    low, high = _bounds(lo, args)
    return np.where(z < low, low, np.where(z > high, high, z))


def _of_rounded_scale(
    v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs
) -> Array:
    zero_point: Array = exact(v, "zero_point_of")(lo, hi, v.rounded_scale(scale, args), args)
    return zero_point


def _rounded_by(rule: Callable[[Array], Array]) -> Step:
    def make(v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs) -> Array:
        z: Array = exact(v, "zero_point_of")(lo, hi, scale, args)
        return cast(rule(z.astype(F64)), z.dtype)

    return _asymmetric(make)


def _of_rounded_quotient(
    v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs
) -> Array:
    quotient = v.divide(lo, scale)
    rounded = cast(np.rint(quotient.astype(F64)), quotient.dtype)
    return _clamped(v.subtract(_bounds(lo, args)[0], rounded), lo, args)


def _by_reciprocal(v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs) -> Array:
    quotient = v.multiply(lo, v.divide(number(1, scale.dtype), scale))
    return _clamped(v.subtract(_bounds(lo, args)[0], quotient), lo, args)


def _unclamped(v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs) -> Array:
    return v.subtract(_bounds(lo, args)[0], v.divide(lo, scale))


def _wrapped(v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs) -> Array:
    """The last code plus one is the first."""
    low, high = reference.calculate_range(args)
    z = np.rint(np.nan_to_num(_unclamped(v, lo, hi, scale, args).astype(F64), posinf=high + 1))
    return ((z - low) % (high - low + 1) + low).astype(lo.dtype)


def _unsigned(v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs) -> Array:
    """-lo / scale, as for codes that begin at 0."""
    return _clamped(-v.divide(lo, scale), lo, args)


def _of_maximum(v: Variant, lo: Array, hi: Array, scale: Array, args: QuantizationArgs) -> Array:
    return _clamped(v.subtract(_bounds(lo, args)[1], v.divide(hi, scale)), lo, args)


def _in_int8(v: Variant, zero_point: Array, args: QuantizationArgs) -> Array:
    return reference.round_to_quantized_type_dtype(zero_point, np.dtype(np.int8), False)


def _in_float32(v: Variant, zero_point: Array, args: QuantizationArgs) -> Array:
    stored: Array = exact(v, "stored_zero_point")(zero_point, args)
    return stored.astype(F32)


def _fault(name: str, description: str, step: Step, replaced: str = "zero_point_of") -> Fault:
    return Fault(name, description, _OPERATIONS, {replaced: step})


QPARAM_ZERO_POINTS = (
    _fault("zero_point_of_rounded_scale", "lo / rounded scale", _asymmetric(_of_rounded_scale)),
    _fault("zero_point_truncated", "towards zero", _rounded_by(np.trunc)),
    _fault("zero_point_half_up", "ties up", _rounded_by(lambda z: np.floor(z + 0.5))),
    _fault(
        "zero_point_of_rounded_quotient",
        "q_min - round(lo / scale)",
        _asymmetric(_of_rounded_quotient),
    ),
    _fault("zero_point_by_reciprocal", "lo * (1 / scale)", _asymmetric(_by_reciprocal)),
    _fault("zero_point_of_maximum", "q_max - hi / scale", _asymmetric(_of_maximum)),
    _fault("zero_point_unclamped", "not clamped to the codes", _asymmetric(_unclamped)),
    _fault("zero_point_wrapped", "wraps around the codes", _asymmetric(_wrapped)),
    _fault("zero_point_unsigned", "-lo / scale", _asymmetric(_unsigned)),
    _fault("zero_point_in_int8", "zp_dtype ignored", _in_int8, "stored_zero_point"),
    _fault("zero_point_in_float32", "stored in float32", _in_float32, "stored_zero_point"),
)
