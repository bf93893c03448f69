"""Faults of the scale of a range: the division, the rounding, what replaces zero."""

from collections.abc import Callable

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import BF16, F16, F32, F64, cast, number, wide
from .fault import Fault, Step
from .steps_qparams import Pair
from .variant import Variant, exact

_OPERATIONS = ("calculate_qparams", "compute_dynamic_scales_and_zp")


def _as_observed(v: Variant, lo: Array, hi: Array) -> Pair:
    return lo, hi


def _zero_below_only(v: Variant, lo: Array, hi: Array) -> Pair:
    return np.where(lo >= 0, lo.dtype.type(0), lo), hi


def _steps(args: QuantizationArgs) -> float:
    low, high = reference.calculate_range(args)
    return high - low


def _amax(lo: Array, hi: Array) -> Array:
    return np.maximum(np.abs(lo), np.abs(hi))


def _symmetric_only(make: Callable[[Variant, Array, Array, QuantizationArgs], Array]) -> Step:
    def linear_scale(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
        scale: Array = exact(v, "linear_scale")(lo, hi, args)
        return make(v, lo, hi, args) if args.symmetric else scale

    return linear_scale


def _by_q_max(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
    return v.divide(_amax(lo, hi), number(reference.calculate_range(args)[1] or 1.0, lo.dtype))


def _by_all_steps(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
    return v.divide(_amax(lo, hi), number(_steps(args), lo.dtype))


def _of_maximum(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
    return v.divide(hi, number(_steps(args) / 2, lo.dtype))


def _by_reciprocal(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
    dividend = _amax(lo, hi) if args.symmetric else v.subtract(hi, lo)
    steps = _steps(args) / 2 if args.symmetric else _steps(args)
    dtype = wide(lo)
    return cast(dividend.astype(dtype) * (dtype.type(1) / dtype.type(steps)), lo.dtype)


def _unrounded_range(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
    if args.symmetric:
        scale: Array = exact(v, "linear_scale")(lo, hi, args)
        return scale
    dtype = wide(lo)
    return cast((hi.astype(dtype) - lo.astype(dtype)) / dtype.type(_steps(args)), lo.dtype)


def _symmetric_for_all(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
    return v.divide(_amax(lo, hi), number(_steps(args) / 2, lo.dtype))


def _flushed(v: Variant, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
    scale: Array = exact(v, "linear_scale")(lo, hi, args)
    tiny = float(np.finfo(np.float32).smallest_normal)
    return np.where(np.abs(scale.astype(F64)) < tiny, scale.dtype.type(0), scale)


def _rounding(change: Callable[[Array, Array, np.dtype], Array]) -> Step:
    """Given the unrounded scale, the rounded one and the dtype it is rounded to."""

    def rounded_scale(v: Variant, scale: Array, args: QuantizationArgs) -> Array:
        rounded: Array = exact(v, "rounded_scale")(scale, args)
        dtype = args.resolved_scale_dtype
        return rounded if dtype is None else change(scale, rounded, dtype)

    return rounded_scale


def _overflow_is_infinite(scale: Array, rounded: Array, dtype: np.dtype) -> Array:
    high = float(ml_dtypes.finfo(dtype).max) if dtype.kind != "u" else 255.0
    return np.where(scale.astype(F64) > high, rounded.dtype.type(np.inf), rounded)


def _through(first: np.dtype) -> Callable[[Array, Array, np.dtype], Array]:
    def change(scale: Array, rounded: Array, dtype: np.dtype) -> Array:
        high = float(ml_dtypes.finfo(first).max)
        through = cast(np.clip(scale.astype(wide(scale)), -high, high), first)
        return cast(reference.round_to_quantized_type_dtype(through, dtype), scale.dtype)

    return change


def _down(scale: Array, rounded: Array, dtype: np.dtype) -> Array:
    stored = rounded.astype(dtype)
    raw = stored.view(f"u{dtype.itemsize}")
    below = np.where(raw > 0, raw - raw.dtype.type(1), raw).astype(raw.dtype).view(dtype)
    above = (rounded.astype(F64) > scale.astype(F64)) & (rounded != 0)
    return np.where(above, below.astype(rounded.dtype), rounded)


def _smallest(how: str) -> Step:
    def smallest_scale(v: Variant, args: QuantizationArgs, working: np.dtype) -> Array:
        info = ml_dtypes.finfo(working)
        eps, tiny = float(info.eps), float(info.smallest_normal)
        return number({"eps": eps, "tiny": tiny, "one": 1.0, "zero": 0.0}[how], working)

    return smallest_scale


def _eps_of_float32(v: Variant, args: QuantizationArgs, working: np.dtype) -> Array:
    return number(float(np.finfo(F32).eps), working)


def _floor(v: Variant, scale: Array, args: QuantizationArgs) -> Array:
    rounded: Array = exact(v, "rounded_scale")(scale, args)
    small = v.smallest_scale(args, scale.dtype)
    return np.where(rounded < small, small, rounded)


def _added(v: Variant, scale: Array, args: QuantizationArgs) -> Array:
    rounded: Array = exact(v, "rounded_scale")(scale, args)
    return v.add(rounded, v.smallest_scale(args, scale.dtype))


def _fault(name: str, description: str, step: str, replaced: Step) -> Fault:
    return Fault(name, description, _OPERATIONS, {step: replaced})


SCALES = (
    _fault("range_without_zero", "min and max as observed", "including_zero", _as_observed),
    _fault("maximum_without_zero", "max as observed", "including_zero", _zero_below_only),
    _fault("scale_by_q_max", "amax / q_max", "linear_scale", _symmetric_only(_by_q_max)),
    _fault("scale_by_all_steps", "amax / range", "linear_scale", _symmetric_only(_by_all_steps)),
    _fault("scale_of_maximum", "the maximum alone", "linear_scale", _symmetric_only(_of_maximum)),
    _fault("scale_by_reciprocal", "amax * (1 / steps)", "linear_scale", _by_reciprocal),
    _fault("scale_always_symmetric", "amax / steps", "linear_scale", _symmetric_for_all),
    _fault("range_unrounded", "hi - lo not rounded", "linear_scale", _unrounded_range),
    _fault("scale_flushed", "a subnormal scale is 0", "linear_scale", _flushed),
    _fault(
        "scale_not_rounded",
        "scale_dtype ignored",
        "rounded_scale",
        _rounding(lambda scale, rounded, dtype: scale),
    ),
    _fault("scale_rounded_down", "towards zero", "rounded_scale", _rounding(_down)),
    _fault(
        "scale_overflow_is_inf",
        "not clamped before the cast",
        "rounded_scale",
        _rounding(_overflow_is_infinite),
    ),
    _fault(
        "scale_through_bfloat16",
        "rounded to bfloat16 first",
        "rounded_scale",
        _rounding(_through(BF16)),
    ),
    _fault(
        "scale_through_float16",
        "rounded to float16 first",
        "rounded_scale",
        _rounding(_through(F16)),
    ),
    _fault("scale_floor", "eps as a lower bound of all scales", "rounded_scale", _floor),
    _fault("eps_added", "eps added to all scales", "rounded_scale", _added),
    _fault("eps_of_working_dtype", "eps of the wrong dtype", "smallest_scale", _smallest("eps")),
    _fault("eps_of_float32", "eps of float32 for all", "smallest_scale", _eps_of_float32),
    _fault("eps_is_tiny", "the smallest normal number", "smallest_scale", _smallest("tiny")),
    _fault("eps_is_one", "1 for a zero scale", "smallest_scale", _smallest("one")),
    _fault("zero_scale_kept", "0 for a zero scale", "smallest_scale", _smallest("zero")),
)
