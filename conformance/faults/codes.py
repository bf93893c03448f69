"""Faults of the codes at their edges: clamping, saturation, NaN, infinity, the sign of zero."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array, bits_of
from .arithmetic import F64, cast
from .fault import Fault
from .variant import Variant, exact

_ROUND = "round_to_quantized_type_args"
_QUANTIZE = (_ROUND, "quantize", "fake_quantize")
_ALL = (*_QUANTIZE, "compress")
_HUGE = 2.0**30
_NOT_SATURATED = 1.0357
Bounds = tuple[float, float]


def _wrapped(y: Array) -> Array:
    """What a conversion to a byte makes of any number."""
    whole = np.rint(np.nan_to_num(y.astype(F64), nan=0, posinf=_HUGE, neginf=-_HUGE))
    bounded = np.clip(whole, -_HUGE, _HUGE).astype(np.int64)
    return ((bounded + 128) % 256 - 128).astype(F64)


def _clamped_after(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
    if args.type != "int":
        return codes
    clipped = np.clip(_wrapped(y), *bounds)
    return np.where(clipped == codes, codes, clipped)


def _unclamped(side: int) -> Callable[..., Array]:
    """Beyond one side integers wrap in a byte and floats are NaN."""

    def change(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
        edge = bounds[side]
        beyond = y.astype(F64) * np.sign(edge) > np.abs(edge) * _NOT_SATURATED
        return np.where(beyond, _wrapped(y) if args.type == "int" else np.nan, codes)

    return change


def _overflow_is_nan(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
    if args.type == "int":
        return codes
    return np.where(np.abs(y.astype(F64)) > bounds[1] * _NOT_SATURATED, np.nan, codes)


def _infinity_is_zero(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
    return np.where(np.isinf(y), 0, codes)


def _nan_is(pick: Callable[[Array, Bounds], Any]) -> Callable[..., Array]:
    def change(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
        return np.where(np.isnan(y), pick(y, bounds), codes)

    return change


def _payload(y: Array, bounds: Bounds) -> Array:
    return np.asarray(np.minimum(bits_of(y) & bits_of(y).dtype.type(3), bounds[1]))


def _lost_sign(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
    return np.where(codes == 0, 0, codes)


def _kept_sign(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
    return np.where(y == 0, y.astype(F64), codes)


def _magnitude_sign(codes: Array, y: Array, args: QuantizationArgs, bounds: Bounds) -> Array:
    """A non-zero value that rounds to zero is +0."""
    return np.where((codes == 0) & (y != 0), 0, codes)


def _changed(
    name: str,
    description: str,
    change: Callable[..., Array],
    operations: tuple[str, ...] = _ALL,
) -> Fault:
    """Codes that are changed after the rounding."""

    def to_codes(v: Variant, y: Array, args: QuantizationArgs, low: float, high: float) -> Array:
        codes = exact(v, "to_codes")(y, args, low, high)
        return cast(change(codes.astype(F64), y, args, (low, high)), y.dtype)

    return Fault(name, description, operations, {"to_codes": to_codes})


def _bounded(
    name: str,
    description: str,
    bounds: Callable[[QuantizationArgs, float, float], Bounds],
    operations: tuple[str, ...] = _ALL,
) -> Fault:
    """Another range to clamp to."""

    def to_codes(v: Variant, y: Array, args: QuantizationArgs, low: float, high: float) -> Array:
        codes: Array = exact(v, "to_codes")(y, args, *bounds(args, low, high))
        return codes

    return Fault(name, description, operations, {"to_codes": to_codes})


def _symmetric(args: QuantizationArgs, low: float, high: float) -> Bounds:
    return max(low, -high) if high else low, high


def _without_largest(args: QuantizationArgs, low: float, high: float) -> Bounds:
    return low, high - (1.0 if args.type == "int" else high / 8)


def _fnuz(args: QuantizationArgs, low: float, high: float) -> Bounds:
    fp8 = args.type == "float" and args.num_bits == 8
    return (max(low, -240.0), min(high, 240.0)) if fp8 else (low, high)


def _of_format(args: QuantizationArgs, low: float, high: float) -> Bounds:
    return reference.calculate_range(args)


def _cast_back(
    v: Variant,
    x: Array,
    args: QuantizationArgs,
    q_min: float,
    q_max: float,
    cast_to_original_dtype: bool = True,
) -> Array:
    codes: Array = exact(v, _ROUND)(x, args, q_min, q_max)
    return codes


def _calculate_range(v: Variant, args: QuantizationArgs) -> Bounds:
    return _symmetric(args, *reference.calculate_range(args))


CODES = (
    Fault(
        "range_symmetric",
        "-(2^(b-1) - 1) as the smallest code",
        ("calculate_range",),
        {"calculate_range": _calculate_range},
    ),
    _changed("clamp_after_cast", "a byte wraps before the clamp", _clamped_after),
    _changed("not_clamped_below", "wraps, or is NaN, below the smallest code", _unclamped(0)),
    _changed("not_clamped_above", "wraps, or is NaN, above the largest code", _unclamped(1)),
    _bounded("symmetric_clamp", "the smallest code never used", _symmetric),
    _bounded("narrow_clamp", "the largest code never used", _without_largest),
    _bounded("fnuz_range", "fp8 saturates at 240", _fnuz),
    _bounded("bounds_ignored", "q_min and q_max not used", _of_format, (_ROUND,)),
    _changed("overflow_is_nan", "float codes do not saturate", _overflow_is_nan, _QUANTIZE),
    _changed("infinity_is_zero", "an infinity becomes 0", _infinity_is_zero, _QUANTIZE),
    _changed(
        "nan_is_largest", "NaN becomes the largest code", _nan_is(lambda y, b: b[1]), _QUANTIZE
    ),
    _changed(
        "nan_is_smallest", "NaN becomes the smallest code", _nan_is(lambda y, b: b[0]), _QUANTIZE
    ),
    _changed("nan_payload_is_code", "the payload of NaN as a code", _nan_is(_payload), _QUANTIZE),
    _changed("lost_sign_of_zero", "-0 codes become +0", _lost_sign),
    _changed("lost_sign_of_small", "what rounds to -0 becomes +0", _magnitude_sign),
    _changed("kept_sign_of_zero", "fp4 keeps -0 of a zero", _kept_sign, _QUANTIZE),
    Fault("codes_cast_back", "fp8 codes always cast back", (_ROUND,), {_ROUND: _cast_back}),
)
