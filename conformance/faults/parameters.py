"""Faults of qparams, global scales, ranges and observers."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array
from .fault import Fault
from .variant import F32, F64, Variant, cast, promote

_QPARAMS = ("calculate_qparams", "compute_dynamic_scales_and_zp")
Qparams = tuple[Array, Array]


class Qparam:
    """The steps of ``calculate_qparams``, each of which a fault can replace."""

    def __init__(self, **steps: Callable[..., Any]) -> None:
        """Replace some steps."""
        for name, step in steps.items():
            setattr(self, name, step)

    def __call__(
        self,
        v: Variant,
        min_vals: Array,
        max_vals: Array,
        args: QuantizationArgs,
        global_scale: Array | None = None,
    ) -> Qparams:
        """The formula of SPEC section 5, step by step."""
        with np.errstate(all="ignore"):
            lo, hi = self.including_zero(np.atleast_1d(min_vals), np.atleast_1d(max_vals))
            low, high = reference.calculate_range(args)
            zero_point = np.zeros_like(lo)
            if args.is_mx:
                scale = self.mx(np.maximum(np.abs(lo), np.abs(hi)), args)
                return scale, self.stored_zero_point(zero_point, args)
            scale = self.linear(v, lo, hi, low, high, args)
            if not args.symmetric:
                zero_point = self.zero_point(v, lo, scale, low, high, args)
            scale = self.with_global(v, scale, global_scale)
            scale = self.rounded(scale, args)
            scale = np.where(scale == 0, self.smallest(args, scale.dtype), scale)
            return scale, self.stored_zero_point(zero_point, args)

    def including_zero(self, lo: Array, hi: Array) -> Qparams:
        """Zero is always representable."""
        zero = lo.dtype.type(0)
        return np.where(lo >= 0, zero, lo), np.where(hi <= 0, zero, hi)

    def linear(
        self, v: Variant, lo: Array, hi: Array, low: float, high: float, args: QuantizationArgs
    ) -> Array:
        """The scale of a range."""
        steps = high - low
        if args.symmetric:
            return v.divide(np.maximum(np.abs(lo), np.abs(hi)), _number(steps / 2, lo))
        return v.divide(v.add(hi, -lo), _number(steps, lo))

    def zero_point(
        self, v: Variant, lo: Array, scale: Array, low: float, high: float, args: QuantizationArgs
    ) -> Array:
        """q_min - lo / scale, clamped."""
        z = v.add(_number(low, lo), -v.divide(lo, scale))
        return np.where(z < low, _number(low, z), np.where(z > high, _number(high, z), z))

    def with_global(self, v: Variant, scale: Array, global_scale: Array | None) -> Array:
        """The scale times the global scale."""
        return scale if global_scale is None else v.multiply(global_scale.reshape(1), scale)

    def rounded(self, scale: Array, args: QuantizationArgs) -> Array:
        """The scale rounded to its dtype."""
        dtype = args.resolved_scale_dtype
        return scale if dtype is None else reference.round_to_quantized_type_dtype(scale, dtype)

    def smallest(self, args: QuantizationArgs, working: np.dtype) -> Array:
        """What replaces a zero."""
        dtype = args.resolved_scale_dtype or working
        small = {"float8_e4m3fn": 0.125, "uint8": 1.0}
        eps = small.get(dtype.name)
        eps = float(ml_dtypes.finfo(dtype).eps) if eps is None else eps
        found = np.array([eps], working)
        return found if found[0] else np.array([ml_dtypes.finfo(working).eps], working)

    def stored_zero_point(self, zero_point: Array, args: QuantizationArgs) -> Array:
        """The zero-point in its dtype."""
        assert args.zp_dtype is not None
        return reference.round_to_quantized_type_dtype(zero_point, args.zp_dtype, False)

    def mx(self, amax: Array, args: QuantizationArgs) -> Array:
        """The reference's MX scale."""
        return reference.calculate_qparams(-amax, amax, args)[0]


def _number(value: float, like: Array) -> Array:
    return np.array([value], like.dtype)


def _mx(how: str) -> Callable[..., Array]:
    """MX scales by another rule for the exponent."""

    def mx(amax: Array, args: QuantizationArgs) -> Array:
        exact = reference.calculate_qparams(-amax, amax, args)[0]
        plain = np.isfinite(amax.astype(F64)) & (amax.astype(F64) > 0)
        offset = 8 if args.num_bits == 8 else 2
        wide = np.where(plain, amax.astype(F64), 1.0)
        mantissa, e = np.frexp(wide)
        exponent = e - 1
        if how == "ceil":
            exponent = exponent + (mantissa > 0.5)
        elif how == "even":
            exponent = exponent + (mantissa >= 0.75)
        elif how == "log2":
            exponent = np.floor(np.log2(wide.astype(F32))).astype(int)
        elif how == "element":
            width = {4: 1, 6: 3, 8: 3}[args.num_bits]
            exponent = exponent + (mantissa >= 1 - 2.0 ** -(width + 2))
        elif how == "bias":
            exponent = exponent + (mantissa >= 1 - 2.0**-3) + 1
        elif how == "offset":
            offset -= 1
            exponent = exponent + (mantissa >= 1 - 2.0**-3)
        code = np.clip(exponent + 127 - offset, 0, 254)
        scale = cast(np.ldexp(1.0, code - 127), amax.dtype)
        return np.where(plain, np.where(scale == 0, exact, scale), exact)

    return mx


def _mx_code(name: str) -> Callable[..., Array]:
    """MX scales with one of the special codes treated in another way."""

    def mx(amax: Array, args: QuantizationArgs) -> Array:
        exact = reference.calculate_qparams(-amax, amax, args)[0]
        wide = amax.astype(F64)
        if name == "zero":
            return np.where(wide == 0, exact.dtype.type(1), exact)
        if name == "infinity":
            return np.where(
                np.isinf(wide), exact.dtype.type(ml_dtypes.finfo(exact.dtype).max), exact
            )
        if name == "subnormal":
            tiny = float(ml_dtypes.finfo(amax.dtype).smallest_normal)
            up = exact * exact.dtype.type(2)
            return np.where((wide > 0) & (wide < tiny), up, exact)
        up = np.where(wide > float(ml_dtypes.finfo(amax.dtype).max) * 0.97, np.inf, 0)
        return np.where(np.isfinite(wide) & (up > 0), up.astype(exact.dtype), exact)

    return mx


def _without_zero(lo: Array, hi: Array) -> Qparams:
    return lo, hi


def _range_without_zero(lo: Array, hi: Array) -> Qparams:
    """Zero missing above only."""
    return np.where(lo >= 0, lo.dtype.type(0), lo), hi


def _linear(how: str) -> Callable[..., Array]:
    def linear(
        v: Variant, lo: Array, hi: Array, low: float, high: float, args: QuantizationArgs
    ) -> Array:
        steps = high - low
        amax = np.maximum(np.abs(lo), np.abs(hi))
        if not args.symmetric:
            if how == "unrounded":
                wide = F64 if lo.dtype == F64 else F32
                return cast((hi.astype(wide) - lo.astype(wide)) / wide.type(steps), lo.dtype)
            if how == "reciprocal":
                return _times_reciprocal(v.add(hi, -lo), steps)
            return v.divide(v.add(hi, -lo), _number(steps, lo))
        if how == "q_max":
            return v.divide(amax, _number(high or 1.0, lo))
        if how == "reciprocal":
            return _times_reciprocal(amax, steps / 2)
        if how == "double":
            return v.divide(v.multiply(amax, _number(2, lo)), _number(steps, lo))
        if how == "max_only":
            return v.divide(hi, _number(steps / 2, lo))
        return v.divide(amax, _number(steps / 2, lo))

    return linear


def _times_reciprocal(x: Array, divisor: float) -> Array:
    wide = F64 if x.dtype == F64 else F32
    return cast(x.astype(wide) * (wide.type(1) / wide.type(divisor)), x.dtype)


def _zero_point(how: str) -> Callable[..., Array]:
    def zero_point(
        v: Variant, lo: Array, scale: Array, low: float, high: float, args: QuantizationArgs
    ) -> Array:
        if how == "rounded_scale" and args.resolved_scale_dtype is not None:
            scale = reference.round_to_quantized_type_dtype(scale, args.resolved_scale_dtype)
        quotient = v.divide(lo, scale)
        if how == "rounded_quotient":
            quotient = cast(np.rint(quotient.astype(F64)), quotient.dtype)
        z = v.add(_number(low, lo), -quotient)
        if how == "truncated":
            z = np.trunc(z.astype(F64)).astype(z.dtype)
        if how == "half_up":
            z = np.floor(z.astype(F64) + 0.5).astype(z.dtype)
        if how == "unclamped":
            return z
        if how == "wrapped":
            whole = np.rint(np.nan_to_num(z.astype(F64), nan=0, posinf=0, neginf=0))
            return ((whole.astype(np.int64) + 8) % 16 - 8).astype(z.dtype)
        return np.where(z < low, _number(low, z), np.where(z > high, _number(high, z), z))

    return zero_point


def _rounded(how: str) -> Callable[..., Array]:
    def rounded(scale: Array, args: QuantizationArgs) -> Array:
        dtype = args.resolved_scale_dtype
        if dtype is None or how == "not":
            return scale
        exact = reference.round_to_quantized_type_dtype(scale, dtype)
        if how == "overflow":
            high = float(ml_dtypes.finfo(dtype).max) if dtype.kind != "u" else 255.0
            over = scale.astype(F64) > high
            return np.where(over, exact.dtype.type(np.inf), exact)
        if how == "bfloat16":
            through = cast(scale, np.dtype(ml_dtypes.bfloat16))
            return cast(reference.round_to_quantized_type_dtype(through, dtype), scale.dtype)
        if how == "float16":
            through = np.clip(scale.astype(F32), -65504, 65504).astype(np.float16)
            return cast(reference.round_to_quantized_type_dtype(through, dtype), scale.dtype)
        above = exact.astype(F64) > scale.astype(F64)
        return np.where(above & (exact != 0), _one_below(exact, dtype), exact)

    return rounded


def _one_below(exact: Array, dtype: np.dtype) -> Array:
    """The value of ``dtype`` before a positive one."""
    stored = exact.astype(dtype)
    uint = np.dtype(f"u{dtype.itemsize}")
    raw = stored.view(uint)
    return np.where(raw > 0, raw - uint.type(1), raw).astype(uint).view(dtype).astype(exact.dtype)


def _smallest(how: str) -> Callable[..., Array]:
    def smallest(args: QuantizationArgs, working: np.dtype) -> Array:
        if how == "working":
            return np.array([ml_dtypes.finfo(working).eps], working)
        if how == "tiny":
            return np.array([ml_dtypes.finfo(working).smallest_normal], working)
        return np.array([{"one": 1.0, "zero": 0.0}[how]], working)

    return smallest


def _floor_everywhere(scale: Array, args: QuantizationArgs) -> Array:
    """The smallest safe scale as a lower bound of all scales, not of zeros alone."""
    rounded = Qparam().rounded(scale, args)
    small = Qparam().smallest(args, scale.dtype)
    return np.where(rounded < small, small, rounded)


def _global(how: str) -> Callable[..., Array]:
    def with_global(v: Variant, scale: Array, global_scale: Array | None) -> Array:
        if global_scale is None or how == "ignored":
            return scale
        g = global_scale.reshape(1)
        if how == "divided":
            return v.divide(scale, g)
        if how == "rounded":
            return cast(v.multiply(cast(g, scale.dtype), scale), promote(g.dtype, scale.dtype))
        wide = promote(g.dtype, scale.dtype)
        return cast(np.asarray(v.multiply(g, scale)), scale.dtype).astype(wide)

    return with_global


def _global_first(v: Variant, min_vals: Array, max_vals: Array, *a: Any, **k: Any) -> Qparams:  # noqa: ANN401
    """The global scale applied to the range, before the division."""
    args: QuantizationArgs = a[0]
    whole = a[1] if len(a) > 1 else k.get("global_scale")
    if whole is None or args.is_mx:
        return Qparam()(v, min_vals, max_vals, *a, **k)
    g = whole.reshape(1)
    lo, hi = v.multiply(g, np.atleast_1d(min_vals)), v.multiply(g, np.atleast_1d(max_vals))
    return Qparam()(v, lo, hi, args)


def _stored(how: str) -> Callable[..., Array]:
    def stored_zero_point(zero_point: Array, args: QuantizationArgs) -> Array:
        exact = Qparam().stored_zero_point(zero_point, args)
        if how == "int8":
            return reference.round_to_quantized_type_dtype(zero_point, np.dtype(np.int8), False)
        return exact.astype(F32)

    return stored_zero_point


def _dynamic(change: Callable[[Array], Array]) -> Callable[..., Qparams]:
    def compute(v: Variant, x: Array, *a: Any, **k: Any) -> Qparams:  # noqa: ANN401
        return reference.compute_dynamic_scales_and_zp(change(x), *a, **k)

    return compute


def _token_of_tensor(v: Variant, x: Array, args: QuantizationArgs, *a: Any, **k: Any) -> Qparams:  # noqa: ANN401
    """One scale for all the tokens of a 2-D tensor."""
    if args.strategy == "token" and x.ndim == 2:
        lo, hi = np.min(x).reshape(1, 1), np.max(x).reshape(1, 1)
        rows = (x.shape[0], 1)
        both = np.broadcast_to(lo, rows), np.broadcast_to(hi, rows)
        return reference.calculate_qparams(*both, args, *a, **k)
    return reference.compute_dynamic_scales_and_zp(x, args, *a, **k)


def _without_last(x: Array) -> Array:
    """The last element missed, unless it is alone."""
    if x.shape[-1:] in ((), (1,)):
        return x
    changed = np.array(x)
    changed[..., -1] = changed[..., 0]
    return changed


def _minmax_of(change: Callable[[Array], Array]) -> dict[str, Callable[..., Any]]:
    def observer(name: str) -> Callable[..., Any]:
        return lambda v, x, *a, **k: getattr(reference, name)(change(x), *a, **k)

    return {name: observer(name) for name in ("minmax", "static_minmax", "memoryless_minmax")}


def _nan_skipped(x: Array) -> Array:
    return np.where(np.isnan(x), x.dtype.type(0), x)


def _negative_zero(name: str) -> Callable[..., Qparams]:
    def observe(v: Variant, x: Array, *a: Any, **k: Any) -> Qparams:  # noqa: ANN401
        lo, hi = getattr(reference, name)(x, *a, **k)
        return np.where(lo == 0, lo.dtype.type(-0.0), lo), hi

    return observe


def _average(how: str) -> Callable[..., Qparams]:
    def minmax(v: Variant, x: Array, args: QuantizationArgs, state: Any = None) -> Qparams:  # noqa: ANN401
        now = reference.minmax(x, args)
        if state is None:
            return now
        c = 0.99 if how == "swapped" else 0.01
        found = []
        for start, end in zip(state, now, strict=True):
            if how == "difference":
                step = v.multiply(v.add(end, -start), np.array([c], start.dtype))
                found.append(v.add(start, step))
                continue
            wide = F64 if start.dtype == F64 else F32
            exact = start.astype(wide) * wide.type(1 - c) + end.astype(wide) * wide.type(c)
            found.append(cast(exact, start.dtype))
        return found[0], found[1]

    return minmax


def _static(v: Variant, x: Array, args: QuantizationArgs, state: Any = None) -> Qparams:  # noqa: ANN401
    return reference.minmax(x, args)


def _gparam(how: str) -> Callable[..., Array]:
    def generate(v: Variant, min_val: Array, max_val: Array, **k: Any) -> Array:  # noqa: ANN401
        exact = reference.generate_gparam(min_val, max_val, **k)
        lo, hi = Qparam().including_zero(np.atleast_1d(min_val), np.atleast_1d(max_val))
        amax = np.maximum(np.abs(lo), np.abs(hi)).reshape(1)
        with np.errstate(all="ignore"):
            if how == "max_only":
                return reference.generate_gparam(np.zeros_like(hi), hi)
            if how == "inf":
                inf = np.array([np.inf], F32)
                return np.where((exact == 1) & (amax < 1), inf, exact)
            if how == "inverse":
                return np.asarray((np.float32(1) / exact).astype(F32))
            usable = np.isfinite(amax.astype(F64)) & (amax.astype(F64) > 1e-4)
            if how == "float32":
                quotient = np.float32(2688) / amax.astype(F32)
            else:
                quotient = v.divide(np.array([2688], amax.dtype), amax).astype(F32)
            return np.where(usable & np.isfinite(quotient), quotient, exact).astype(F32)

    return generate


def _fault(name: str, description: str, **steps: Callable[..., Any]) -> Fault:
    qparam = Qparam(**steps)

    def calculate_qparams(v: Variant, *a: Any, **k: Any) -> Qparams:  # noqa: ANN401
        return qparam(v, *a, **k)

    return Fault(name, description, _QPARAMS[:1], {"calculate_qparams": calculate_qparams})


_OBSERVERS = ("minmax", "static_minmax", "memoryless_minmax")

PARAMETERS = (
    _fault("range_without_zero", "min and max as observed", including_zero=_without_zero),
    _fault("maximum_without_zero", "max as observed", including_zero=_range_without_zero),
    _fault("scale_by_q_max", "amax / q_max", linear=_linear("q_max")),
    _fault("scale_by_reciprocal", "amax * (1 / range)", linear=_linear("reciprocal")),
    _fault("scale_of_maximum", "max alone", linear=_linear("max_only")),
    _fault("range_unrounded", "hi - lo kept in float32", linear=_linear("unrounded")),
    _fault(
        "zero_point_of_rounded_scale", "lo / rounded scale", zero_point=_zero_point("rounded_scale")
    ),
    _fault("zero_point_truncated", "towards zero", zero_point=_zero_point("truncated")),
    _fault("zero_point_half_up", "ties up", zero_point=_zero_point("half_up")),
    _fault(
        "zero_point_of_rounded_quotient",
        "q_min - round(lo / scale)",
        zero_point=_zero_point("rounded_quotient"),
    ),
    _fault("zero_point_unclamped", "not clamped to the codes", zero_point=_zero_point("unclamped")),
    _fault("zero_point_wrapped", "wraps in 4 bits", zero_point=_zero_point("wrapped")),
    _fault("zero_point_in_int8", "zp_dtype ignored", stored_zero_point=_stored("int8")),
    _fault("zero_point_in_float32", "stored in float32", stored_zero_point=_stored("float32")),
    _fault("scale_not_rounded", "scale_dtype ignored", rounded=_rounded("not")),
    _fault("scale_rounded_down", "towards zero", rounded=_rounded("down")),
    _fault("scale_overflow_is_inf", "not clamped before the cast", rounded=_rounded("overflow")),
    _fault("scale_through_bfloat16", "rounded to bfloat16 first", rounded=_rounded("bfloat16")),
    _fault("scale_through_float16", "rounded to float16 first", rounded=_rounded("float16")),
    _fault("scale_floor", "eps as a lower bound of all scales", rounded=_floor_everywhere),
    _fault("eps_of_working_dtype", "eps of the wrong dtype", smallest=_smallest("working")),
    _fault("eps_is_tiny", "the smallest normal", smallest=_smallest("tiny")),
    _fault("eps_is_one", "1 for a zero scale", smallest=_smallest("one")),
    _fault("zero_scale_kept", "0 for a zero scale", smallest=_smallest("zero")),
    _fault("global_scale_divided", "scale / global_scale", with_global=_global("divided")),
    _fault("global_scale_unused", "scale alone", with_global=_global("ignored")),
    _fault(
        "global_scale_in_working_dtype",
        "the product rounded to the working dtype",
        with_global=_global("narrow"),
    ),
    Fault(
        "global_scale_first",
        "the range is scaled, not the scale",
        _QPARAMS[:1],
        {"calculate_qparams": _global_first},
    ),
    _fault("mx_floor", "the exponent of amax", mx=_mx("floor")),
    _fault("mx_ceil", "the next power of two", mx=_mx("ceil")),
    _fault("mx_even", "the nearest power of two", mx=_mx("even")),
    _fault("mx_log2", "floor(log2(amax)) in float32", mx=_mx("log2")),
    _fault("mx_element_mantissa", "rounds up by the mantissa of fp8", mx=_mx("element")),
    _fault("mx_bias", "exponent off by one", mx=_mx("bias")),
    _fault("mx_offset", "offset off by one", mx=_mx("offset")),
    _fault("mx_code_of_zero", "a zero group has scale 1", mx=_mx_code("zero")),
    _fault("mx_code_of_infinity", "255 is the largest number", mx=_mx_code("infinity")),
    _fault("mx_subnormal", "code 1 for subnormals", mx=_mx_code("subnormal")),
    _fault("mx_overflow", "rounding up to inf", mx=_mx_code("overflow")),
    Fault(
        "dynamic_last_element",
        "the last element is missed",
        _QPARAMS[1:],
        {"compute_dynamic_scales_and_zp": _dynamic(_without_last)},
    ),
    Fault(
        "dynamic_nan_skipped",
        "NaN taken as 0",
        _QPARAMS[1:],
        {"compute_dynamic_scales_and_zp": _dynamic(_nan_skipped)},
    ),
    Fault(
        "token_of_tensor",
        "one scale for all tokens in 2-D",
        _QPARAMS[1:],
        {"compute_dynamic_scales_and_zp": _token_of_tensor},
    ),
    Fault(
        "range_last_element", "the last element is missed", _OBSERVERS, _minmax_of(_without_last)
    ),
    Fault("range_nan_skipped", "NaN taken as 0", _OBSERVERS, _minmax_of(_nan_skipped)),
    Fault(
        "range_negative_zero",
        "a zero minimum is -0",
        _OBSERVERS,
        {name: _negative_zero(name) for name in _OBSERVERS},
    ),
    Fault("average_swapped", "c and 1 - c exchanged", ("minmax",), {"minmax": _average("swapped")}),
    Fault(
        "average_contracted", "one rounding in all", ("minmax",), {"minmax": _average("contracted")}
    ),
    Fault(
        "average_of_difference",
        "state + c * (range - state)",
        ("minmax",),
        {"minmax": _average("difference")},
    ),
    Fault(
        "state_ignored", "the running range forgets", ("static_minmax",), {"static_minmax": _static}
    ),
    Fault(
        "gparam_division",
        "one rounding instead of two",
        ("generate_gparam",),
        {"generate_gparam": _gparam("division")},
    ),
    Fault(
        "gparam_in_float32",
        "computed in float32",
        ("generate_gparam",),
        {"generate_gparam": _gparam("float32")},
    ),
    Fault(
        "gparam_inverse",
        "amax / 2688",
        ("generate_gparam",),
        {"generate_gparam": _gparam("inverse")},
    ),
    Fault(
        "gparam_of_maximum",
        "max alone",
        ("generate_gparam",),
        {"generate_gparam": _gparam("max_only")},
    ),
    Fault(
        "gparam_inf_kept",
        "inf instead of 1",
        ("generate_gparam",),
        {"generate_gparam": _gparam("inf")},
    ),
)
