"""Faults of the global scale: where it is made, multiplied in and divided out."""

from collections.abc import Callable

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import BF16, F32, cast, number, promote, wide
from .fault import Fault
from .steps_qparams import Pair
from .variant import Variant, exact

_USES = ("quantize", "dequantize", "fake_quantize", "compress", "decompress")
_MAKES = ("calculate_qparams", "compute_dynamic_scales_and_zp")
_GPARAM = ("generate_gparam",)


def _multiplied(v: Variant, scale: Array, global_scale: Array | None) -> Array:
    return scale if global_scale is None else v.multiply(scale, np.atleast_1d(global_scale))


def _unused(v: Variant, scale: Array, global_scale: Array | None) -> Array:
    return scale


def _by_reciprocal(v: Variant, scale: Array, global_scale: Array | None) -> Array:
    if global_scale is None:
        return scale
    dtype = wide(scale, global_scale)
    reciprocal = dtype.type(1) / np.atleast_1d(global_scale).astype(dtype)
    return cast(scale.astype(dtype) * reciprocal, promote(scale.dtype, global_scale.dtype))


def _in_bfloat16(v: Variant, scale: Array, global_scale: Array | None) -> Array:
    s: Array = exact(v, "effective_scale")(scale, global_scale)
    return s if global_scale is None else cast(cast(s, BF16), s.dtype)


def _divided(v: Variant, scale: Array, global_scale: Array | None, args: QuantizationArgs) -> Array:
    return scale if global_scale is None else v.divide(scale, global_scale.reshape(1))


def _left_out(
    v: Variant, scale: Array, global_scale: Array | None, args: QuantizationArgs
) -> Array:
    return scale


def _narrow(v: Variant, scale: Array, global_scale: Array | None, args: QuantizationArgs) -> Array:
    """The product rounded to the dtype of the range."""
    if global_scale is None:
        return scale
    g = global_scale.reshape(1)
    return cast(v.multiply(g, scale), scale.dtype).astype(promote(g.dtype, scale.dtype))


def _first(
    v: Variant,
    min_vals: Array,
    max_vals: Array,
    args: QuantizationArgs,
    global_scale: Array | None = None,
) -> Pair:
    """The range is scaled before the division."""
    qparams: Callable[..., Pair] = exact(v, "calculate_qparams")
    if global_scale is None:
        return qparams(min_vals, max_vals, args)
    with np.errstate(all="ignore"):
        g = global_scale.reshape(1)
        lo, hi = (v.multiply(g, np.atleast_1d(value)) for value in (min_vals, max_vals))
    return qparams(lo, hi, args)


def _times_rounded(
    v: Variant, scale: Array, global_scale: Array | None, args: QuantizationArgs
) -> Array:
    rounded: Array = exact(v, "rounded_scale")(scale, args)
    scaled: Array = exact(v, "with_global")(rounded, global_scale, args)
    return scaled


def _not_rounded(v: Variant, scale: Array, args: QuantizationArgs) -> Array:
    return scale


def _quotient(how: str) -> Callable[..., Array]:
    def gparam_quotient(v: Variant, steps: float, amax: Array) -> Array:
        if how == "once":
            return v.divide(number(steps, amax.dtype), amax)
        if how == "float32":
            return np.asarray(np.float32(steps) / amax.astype(F32))
        if how == "inverse":
            return v.divide(amax, number(steps, amax.dtype))
        found: Array = exact(v, "gparam_quotient")({"448": 448.0, "6": 6.0}[how], amax)
        return found

    return gparam_quotient


def _of_maximum(v: Variant, lo: Array, hi: Array) -> Array:
    amax: Array = exact(v, "gparam_amax")(np.zeros_like(lo), hi)
    return amax


def _kept(v: Variant, quotient: Array) -> Array:
    return quotient


def _making(name: str, description: str, step: Callable[..., Array]) -> Fault:
    return Fault(name, description, _MAKES, {"with_global": step})


def _gparam(name: str, description: str, step: str, replaced: Callable[..., Array]) -> Fault:
    return Fault(name, description, _GPARAM, {step: replaced})


GLOBAL_SCALES = (
    Fault(
        "global_scale_multiplied",
        "s = scale * global_scale",
        _USES,
        {"effective_scale": _multiplied},
    ),
    Fault("global_scale_ignored", "s = scale", _USES, {"effective_scale": _unused}),
    Fault(
        "global_scale_by_reciprocal",
        "s = scale * (1 / global_scale)",
        _USES[:4],
        {"effective_scale": _by_reciprocal},
    ),
    Fault(
        "effective_scale_in_bfloat16",
        "scale / global_scale rounded to bfloat16",
        _USES,
        {"effective_scale": _in_bfloat16},
    ),
    _making("global_scale_divided", "scale / global_scale is rounded", _divided),
    _making("global_scale_unused", "the scale alone is rounded", _left_out),
    _making("global_scale_in_working_dtype", "the product rounded to the dtype of x", _narrow),
    Fault(
        "global_scale_first",
        "the range is scaled, not the scale",
        _MAKES,
        {"calculate_qparams": _first},
    ),
    Fault(
        "global_scale_after_rounding",
        "the scale is rounded before it is multiplied",
        _MAKES,
        {"with_global": _times_rounded, "rounded_scale": _not_rounded},
    ),
    _gparam("gparam_division", "one rounding, not two", "gparam_quotient", _quotient("once")),
    _gparam("gparam_in_float32", "made in float32", "gparam_quotient", _quotient("float32")),
    _gparam("gparam_inverse", "amax / 2688", "gparam_quotient", _quotient("inverse")),
    _gparam("gparam_without_codes", "448 / amax", "gparam_quotient", _quotient("448")),
    _gparam("gparam_without_scale", "6 / amax", "gparam_quotient", _quotient("6")),
    _gparam("gparam_of_maximum", "the maximum alone", "gparam_amax", _of_maximum),
    _gparam("gparam_inf_kept", "inf and NaN are kept", "gparam_finite", _kept),
)
