"""Faults of quantize, dequantize and fake_quantize."""

from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array
from .fault import Fault
from .variant import F32, F64, GROUPED, Variant, cast, promote, wide

_QUANTIZE = ("quantize", "fake_quantize", "compress")
_DEQUANTIZE = ("dequantize", "fake_quantize")
BF16 = np.dtype(reference.FORMATS["bfloat16"].dtype)
F16 = np.dtype(np.float16)


def _range(args: QuantizationArgs) -> tuple[float, float]:
    return reference.calculate_range(args)


def _rounded(y: Array, args: QuantizationArgs) -> Array:
    return reference.round_to_quantized_type_args(y, args, *_range(args))


def _reciprocal(v: Variant, a: Array, b: Array) -> Array:
    dtype = wide(a, b)
    return cast(a.astype(dtype) * (dtype.type(1) / b.astype(dtype)), promote(a.dtype, b.dtype))


def _approximate(v: Variant, a: Array, b: Array) -> Array:
    """A division that is one ulp off for some operands."""
    dtype = wide(a, b)
    exact = a.astype(dtype) / b.astype(dtype)
    off = np.nextafter(exact, exact * dtype.type(2))
    odd = (b.astype(dtype).view(f"u{dtype.itemsize}") & 1).astype(bool)
    return cast(np.where(odd, off, exact), promote(a.dtype, b.dtype))


def _through(dtype: np.dtype) -> Any:  # noqa: ANN401 - a step
    def to_codes(v: Variant, y: Array, args: QuantizationArgs) -> Array:
        return cast(_rounded(cast(y, dtype), args), y.dtype)

    return to_codes


def _rounding(how: str) -> Any:  # noqa: ANN401 - a step
    def to_codes(v: Variant, y: Array, args: QuantizationArgs) -> Array:
        low, high = _range(args)
        z = np.clip(y.astype(F64), low, high)
        if args.type == "int":
            return _keep_nan_rule(cast(_integer(z, how), y.dtype), y)
        grid = _grid(args)
        above = np.clip(np.searchsorted(grid, np.nan_to_num(z), side="left"), 1, len(grid) - 1)
        lower, upper = grid[above - 1], grid[above]
        fraction = (np.nan_to_num(z) - lower) / (upper - lower)
        whole = _integer(fraction, how, z)
        picked = np.where(whole >= 1, upper, lower)
        exact = _rounded(y, args)
        return np.where(np.isnan(y) | (z == 0) | (picked == exact), exact, cast(picked, y.dtype))

    return to_codes


def _integer(z: Array, how: str, sign_of: Array | None = None) -> Array:
    sign = np.sign(z if sign_of is None else sign_of)
    magnitude_first = sign_of is None
    if how == "up":
        return np.floor(z + 0.5)
    if how == "down":
        return np.ceil(z - 0.5)
    if how == "floor":
        return np.floor(z)
    if how == "truncate":
        return np.trunc(z) if magnitude_first else np.where(sign < 0, np.ceil(z), np.floor(z))
    away = np.floor(np.abs(z) + 0.5) * np.sign(z)
    return away if magnitude_first else np.where(sign < 0, np.ceil(z - 0.5), np.floor(z + 0.5))


def _keep_nan_rule(codes: Array, y: Array) -> Array:
    return np.where(np.isnan(y), y.dtype.type(0), codes)


def _grid(args: QuantizationArgs) -> Array:
    every = np.arange(1 << args.num_bits, dtype=np.uint8).view(args.code_format.dtype)
    finite = every.astype(F64)
    return np.unique(finite[np.isfinite(finite)])


def _after_rounding(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    y = v.divide(x, s)
    if zero_point is None:
        return y
    rounded = cast(np.rint(y.astype(F64)), y.dtype)
    return v.add(rounded, v.offset(zero_point, x.dtype))


def _contracted(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    """x * (1/s) + zero_point with one rounding in all."""
    if zero_point is None:
        return v.divide(x, s)
    dtype = wide(x, s)
    reciprocal = (dtype.type(1) / s.astype(dtype)).astype(F64)
    exact = x.astype(F64) * reciprocal + v.offset(zero_point, x.dtype).astype(F64)
    return cast(exact.astype(dtype), promote(x.dtype, s.dtype))


def _unrounded(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    """Each operation in float32, rounded only to the code."""
    dtype = wide(x, s)
    y = x.astype(dtype) / s.astype(dtype)
    return y if zero_point is None else np.asarray(y + zero_point.astype(dtype))


def _subtracted(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    y = v.divide(x, s)
    return y if zero_point is None else v.add(y, -v.offset(zero_point, x.dtype))


def _ignored_zero_point(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    return v.divide(x, s)


def _times_global(v: Variant, scale: Array, global_scale: Array | None) -> Array:
    return scale if global_scale is None else v.multiply(scale, np.atleast_1d(global_scale))


def _no_global(v: Variant, scale: Array, global_scale: Array | None) -> Array:
    return scale


def _global_in_scale_dtype(v: Variant, scale: Array, global_scale: Array | None) -> Array:
    exact = Variant.effective_scale(v, scale, global_scale)
    return cast(cast(exact, BF16), exact.dtype)


def _clamped_after(v: Variant, y: Array, args: QuantizationArgs) -> Array:
    """Rounded to a byte first, which wraps, then clamped."""
    if args.type != "int":
        return _rounded(y, args)
    low, high = _range(args)
    whole = np.rint(np.nan_to_num(y.astype(F64), nan=0, posinf=2**30, neginf=-(2**30)))
    wrapped = (np.clip(whole, -(2**30), 2**30).astype(np.int64) + 128) % 256 - 128
    clipped = np.clip(wrapped, low, high)
    return np.where(clipped == _rounded(y, args), _rounded(y, args), clipped.astype(y.dtype))


def _symmetric_clamp(v: Variant, y: Array, args: QuantizationArgs) -> Array:
    low, high = _range(args)
    return reference.round_to_quantized_type_args(y, args, -high if high else low, high)


def _wide_clamp(v: Variant, y: Array, args: QuantizationArgs) -> Array:
    """A clamp at one code less than there is."""
    low, high = _range(args)
    step = 1.0 if args.type == "int" else high / 8
    return reference.round_to_quantized_type_args(y, args, low, high - step)


def _overflow_is_nan(v: Variant, y: Array, args: QuantizationArgs) -> Array:
    codes = _rounded(y, args)
    if args.type == "int":
        return codes
    high = _range(args)[1]
    return np.where(np.abs(y.astype(F64)) > high * 1.0357, y.dtype.type(np.nan), codes)


def _nan_is_largest(v: Variant, y: Array, args: QuantizationArgs) -> Array:
    high = _range(args)[1]
    return np.where(np.isnan(y), y.dtype.type(high), _rounded(y, args))


def _flushed(v: Variant, a: Array, b: Array) -> Array:
    exact = Variant.divide(v, a, b)
    tiny = float(np.finfo(np.float32).smallest_normal)
    return np.where(np.abs(exact.astype(F64)) < tiny, exact.dtype.type(0), exact)


def _flushed_operands(v: Variant, a: Array, b: Array) -> Array:
    tiny = float(np.finfo(np.float32).smallest_normal)

    def flush(x: Array) -> Array:
        return np.where(np.abs(x.astype(F64)) < tiny, x.dtype.type(0), x)

    return Variant.divide(v, flush(a), flush(b))


def _lost_sign(v: Variant, y: Array, args: QuantizationArgs) -> Array:
    codes = _rounded(y, args)
    return np.where(codes == 0, codes.dtype.type(0), codes)


def _kept_sign(v: Variant, y: Array, args: QuantizationArgs) -> Array:
    """The sign of a zero kept where fp4 has +0."""
    codes = _rounded(y, args)
    return np.where(y == 0, y, codes)


def _stale_group(
    v: Variant, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None
) -> Array:
    """The first element of a group uses the scale of the group before."""
    exact = Variant.spread(v, value, x, args, g_idx)
    if args.strategy not in GROUPED or g_idx is not None or exact.shape[-1] < 2:
        return exact
    size = args.group_size or 1
    stale = exact.copy()
    stale[..., size::size] = exact[..., size - 1 : -1 : size][
        ..., : stale[..., size::size].shape[-1]
    ]
    return stale


def _by_column(
    v: Variant, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None
) -> Array:
    """Columns dealt to the groups in turn, instead of in runs."""
    exact = Variant.spread(v, value, x, args, g_idx)
    size = args.group_size or 1
    if args.strategy not in GROUPED or g_idx is not None:
        return exact
    groups = exact.shape[-1] // size
    order = (np.arange(exact.shape[-1]) % groups) * size
    return exact[..., order]


def _g_idx_ignored(v: Variant, value: Array, g_idx: Array, x: Array) -> Array:
    size = x.shape[-1] // value.shape[-1] if x.shape[-1] % value.shape[-1] == 0 else 1
    order = np.minimum(np.arange(x.shape[-1]) // max(size, 1), value.shape[-1] - 1)
    return np.broadcast_to(np.take(value, order, axis=-1), x.shape)


def _g_idx_inverted(v: Variant, value: Array, g_idx: Array, x: Array) -> Array:
    order = np.argsort(np.argsort(g_idx, kind="stable"), kind="stable") % value.shape[-1]
    return np.broadcast_to(np.take(value, order, axis=-1), x.shape)


def _transposed_blocks(
    v: Variant, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None
) -> Array:
    if args.strategy == "block" and args.block_structure is not None:
        rows, cols = args.block_structure
        counts = -(-x.shape[0] // rows), -(-x.shape[1] // cols)
        value = np.broadcast_to(value, counts)
        full = value.T.reshape(value.shape).repeat(rows, 0).repeat(cols, 1)
        return full[: x.shape[0], : x.shape[1]]
    return Variant.spread(v, value, x, args, g_idx)


def _tail(name: str) -> Any:  # noqa: ANN401 - a step
    """The last elements after whole vectors of 16 are computed with a reciprocal."""

    def operation(
        v: Variant, x: Array, scale: Array, zero_point: Array | None, *a: Any, **k: Any
    ) -> Array:  # noqa: ANN401
        exact: Array = getattr(Variant, name)(v, x, scale, zero_point, *a, **k)
        flat = exact.reshape(-1).copy()
        rest = flat.size % 16
        if flat.size > 16 and rest:
            flat[-rest:] = flat.dtype.type(0)
        return flat.reshape(exact.shape)

    return operation


def _zero_point_ignored(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    return Variant.values(v, codes, s, None)


def _zero_point_after(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    """codes * s - zero_point * s."""
    values = v.multiply(cast(codes, s.dtype), s)
    if zero_point is None:
        return values
    return v.add(values, -v.multiply(cast(zero_point, s.dtype), s))


def _unrounded_difference(v: Variant, codes: Array, s: Array, zero_point: Array | None) -> Array:
    """(codes - zero_point) * s with one rounding at the end."""
    if zero_point is None:
        return Variant.values(v, codes, s, None)
    dtype = wide(s, s)
    return cast((codes.astype(dtype) - zero_point.astype(dtype)) * s.astype(dtype), s.dtype)


def _none_is_zero(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    y = Variant.scaled(v, x, s, zero_point)
    return v.add(y, np.zeros(1, x.dtype)) if zero_point is None else y


def _zero_is_none(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    if zero_point is not None and not zero_point.astype(F64).any():
        zero_point = None
    return Variant.scaled(v, x, s, zero_point)


def _dequantize_dtype(v: Variant, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - arguments pass
    values = Variant.dequantize(v, *a, **k)
    asked = k.get("dtype")
    return values if asked is None else cast(values, asked)


def _mutates(v: Variant, x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - arguments pass
    result = Variant.quantize(v, x, *a, **k)
    np.multiply(x, x.dtype.type(1) if x.size < 3 else x.dtype.type(2), out=x)
    return result


def _wrong_shape(v: Variant, x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401
    result = Variant.quantize(v, x, *a, **k)
    return result.reshape(-1) if x.ndim > 2 else result


def _wrong_dtype(v: Variant, x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401
    result = Variant.quantize(v, x, *a, **k)
    return result.astype(F32) if result.dtype == BF16 else result


def _strides_ignored(v: Variant, x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401
    """The memory of a transposed x read in order."""
    if x.ndim > 1 and x.flags.f_contiguous and not x.flags.c_contiguous:
        x = x.T.reshape(-1).reshape(x.shape)
    return Variant.quantize(v, x, *a, **k)


QUANTIZING = (
    Fault(
        "reciprocal_multiply", "x * (1 / s) in place of x / s", _QUANTIZE, {"divide": _reciprocal}
    ),
    Fault(
        "approximate_division", "a division that is an ulp off", _QUANTIZE, {"divide": _approximate}
    ),
    Fault("fma", "x * (1 / s) + zero_point contracted", _QUANTIZE, {"scaled": _contracted}),
    Fault("unrounded_intermediate", "x / s kept in float32", _QUANTIZE, {"scaled": _unrounded}),
    Fault(
        "through_bfloat16", "y rounded to bfloat16 first", _QUANTIZE, {"to_codes": _through(BF16)}
    ),
    Fault("through_float16", "y rounded to float16 first", _QUANTIZE, {"to_codes": _through(F16)}),
    Fault(
        "through_float32",
        "float64 y rounded to float32 first",
        _QUANTIZE,
        {"to_codes": _through(F32)},
    ),
    Fault("half_away", "ties away from zero", _QUANTIZE, {"to_codes": _rounding("away")}),
    Fault("half_up", "ties up", _QUANTIZE, {"to_codes": _rounding("up")}),
    Fault("half_down", "ties down", _QUANTIZE, {"to_codes": _rounding("down")}),
    Fault("truncation", "towards zero", _QUANTIZE, {"to_codes": _rounding("truncate")}),
    Fault("floor", "towards minus infinity", _QUANTIZE, {"to_codes": _rounding("floor")}),
    Fault(
        "zero_point_after_rounding",
        "round(x / s) + zero_point",
        _QUANTIZE,
        {"scaled": _after_rounding},
    ),
    Fault("zero_point_subtracted", "x / s - zero_point", _QUANTIZE, {"scaled": _subtracted}),
    Fault("zero_point_ignored", "x / s alone", _QUANTIZE, {"scaled": _ignored_zero_point}),
    Fault("none_is_zero", "a missing zero-point added as 0", _QUANTIZE, {"scaled": _none_is_zero}),
    Fault("zero_is_none", "a zero-point of 0 not added", _QUANTIZE, {"scaled": _zero_is_none}),
    Fault(
        "global_scale_multiplied",
        "s = scale * global_scale",
        (*_QUANTIZE, "dequantize"),
        {"effective_scale": _times_global},
    ),
    Fault(
        "global_scale_ignored",
        "s = scale",
        (*_QUANTIZE, "dequantize"),
        {"effective_scale": _no_global},
    ),
    Fault(
        "effective_scale_in_bfloat16",
        "scale / global_scale rounded to bfloat16",
        (*_QUANTIZE, "dequantize"),
        {"effective_scale": _global_in_scale_dtype},
    ),
    Fault(
        "clamp_after_cast", "a byte wraps before the clamp", _QUANTIZE, {"to_codes": _clamped_after}
    ),
    Fault(
        "symmetric_clamp", "the smallest code never used", _QUANTIZE, {"to_codes": _symmetric_clamp}
    ),
    Fault("narrow_clamp", "the largest code never used", _QUANTIZE, {"to_codes": _wide_clamp}),
    Fault(
        "overflow_is_nan", "fp codes do not saturate", _QUANTIZE[:2], {"to_codes": _overflow_is_nan}
    ),
    Fault(
        "nan_is_largest",
        "NaN becomes the largest code",
        _QUANTIZE[:2],
        {"to_codes": _nan_is_largest},
    ),
    Fault("flushed_quotient", "subnormal quotients are 0", _QUANTIZE[:2], {"divide": _flushed}),
    Fault(
        "flushed_operands", "subnormal operands are 0", _QUANTIZE[:2], {"divide": _flushed_operands}
    ),
    Fault("lost_sign_of_zero", "-0 codes become +0", _QUANTIZE, {"to_codes": _lost_sign}),
    Fault("kept_sign_of_zero", "fp4 keeps -0 of a zero", _QUANTIZE[:2], {"to_codes": _kept_sign}),
    Fault(
        "stale_scale",
        "a group begins with its neighbour's scale",
        (*_QUANTIZE, "dequantize"),
        {"spread": _stale_group},
    ),
    Fault(
        "interleaved_groups",
        "columns dealt to groups in turn",
        (*_QUANTIZE, "dequantize"),
        {"spread": _by_column},
    ),
    Fault(
        "g_idx_ignored",
        "columns in runs though g_idx is given",
        (*_QUANTIZE[:2], "dequantize"),
        {"of_groups": _g_idx_ignored},
    ),
    Fault(
        "g_idx_not_inverted",
        "g_idx used as an order",
        (*_QUANTIZE[:2], "dequantize"),
        {"of_groups": _g_idx_inverted},
    ),
    Fault(
        "transposed_blocks",
        "block scales read column by column",
        _QUANTIZE[:2],
        {"spread": _transposed_blocks},
    ),
    Fault(
        "tail_elements",
        "elements after whole vectors are not written",
        ("quantize", "fake_quantize"),
        {"quantize": _tail("quantize"), "fake_quantize": _tail("fake_quantize")},
    ),
    Fault(
        "dequantize_zero_point_ignored", "codes * s", _DEQUANTIZE, {"values": _zero_point_ignored}
    ),
    Fault(
        "dequantize_distributed",
        "codes * s - zero_point * s",
        _DEQUANTIZE,
        {"values": _zero_point_after},
    ),
    Fault(
        "dequantize_unrounded",
        "the difference is not rounded",
        _DEQUANTIZE,
        {"values": _unrounded_difference},
    ),
    Fault(
        "dequantize_dtype_honoured",
        "dtype applied where it is ignored",
        ("dequantize",),
        {"dequantize": _dequantize_dtype},
    ),
    Fault("mutated_input", "x is overwritten", ("quantize",), {"quantize": _mutates}),
    Fault("wrong_shape", "codes come back flat", ("quantize",), {"quantize": _wrong_shape}),
    Fault(
        "wrong_dtype",
        "bfloat16 codes come back in float32",
        ("quantize",),
        {"quantize": _wrong_dtype},
    ),
    Fault(
        "strides_ignored",
        "a transposed x is read in memory order",
        ("quantize",),
        {"quantize": _strides_ignored},
    ),
)
