"""Scale, zero-point and global scale of a range (SPEC section 5)."""

import ml_dtypes
import numpy as np

from .args import EXPONENT_RULES, QuantizationArgs, as_args
from .arithmetic import (
    cast,
    clamp,
    divide,
    multiply,
    quiet,
    scalar,
    scalar_divide,
    subtract,
)
from .dtypes import FLOAT32, Array, as_array, promote
from .formats import FLOAT4_E2M1FN, FLOAT8_E4M3FN, FloatFormat, IntFormat
from .rounding import round_to_quantized_type_dtype
from .scales import round_scale, safe_scale, symmetric_scale

__all__ = ["calculate_qparams", "calculate_range", "generate_gparam"]


def calculate_range(args: QuantizationArgs) -> tuple[float, float]:
    """The smallest and largest code value: int (-2^(b-1), 2^(b-1)-1); fp8 448, fp6 7.5, fp4 6.

    Args:
        args: names the format, or has it.

    Returns:
        ``(q_min, q_max)`` as Python floats.

    Source: SPEC section 5; upstream ``calculate_range``.

    >>> calculate_range(QuantizationArgs(num_bits=4))
    (-8.0, 7.0)
    """
    row = as_args(args).code_format
    return row.min, row.max


@quiet
def calculate_qparams(
    min_vals: Array, max_vals: Array, args: QuantizationArgs, global_scale: Array | None = None
) -> tuple[Array, Array]:
    """The scale and zero-point that map a range to the codes of ``args``.

    lo = min(min, 0), hi = max(max, 0)
    symmetric:  scale = max(|lo|, |hi|) / ((q_max - q_min) / 2), zero_point = 0
    asymmetric: scale = (hi - lo) / (q_max - q_min), zero_point = q_min - lo / scale, clamped
    then scale = global_scale * scale; rounded to scale_dtype; a zero made the smallest safe scale
    ``FormatArgs``: other rules and formats of the scale, see ``scales``

    Args:
        min_vals: observed minima, any shape; float16, bfloat16, float32 or float64.
        max_vals: observed maxima, of the same shape.
        args: the format, symmetry, ``scale_dtype`` and ``zp_dtype``.
        global_scale: one float, or None.

    Returns:
        ``(scale, zero_point)`` of the shape of ``min_vals`` (0-D becomes (1,)). The scale has the
        dtype of the ranges, promoted with that of ``global_scale``; its values are those of
        ``scale_dtype``. The zero-point has ``zp_dtype``. A NaN range gives a NaN scale; a
        zero-point that is not a number (also 0/0 of a zero range) is 0 in an integer dtype, NaN
        in a float one. Overflow saturates to ``scale_dtype``, or is inf where that is None.

    Raises:
        TypeError: if an array has another dtype.
        ValueError: if the shapes differ, or a global scale comes with args whose rule is one of
            exponents: MX, ``floor``, ``ceil``, ``even``.

    Source: SPEC sections 5 and 6; upstream ``calculate_qparams``.

    >>> lo, hi = np.array([-1], np.float32), np.array([3], np.float32)
    >>> calculate_qparams(lo, hi, QuantizationArgs(num_bits=2, symmetric=False))
    (array([1.3333334], dtype=float32), array([-1], dtype=int8))
    """
    lo, hi = _including_zero(min_vals, max_vals)
    q_min, q_max = calculate_range(args)
    if args.symmetric:
        amax = np.maximum(np.abs(lo), np.abs(hi))
        zero_point = np.zeros_like(lo)
        scale = symmetric_scale(amax, args)
    else:
        scale = divide(subtract(hi, lo), scalar(q_max - q_min, lo))
        zero_point = subtract(scalar(q_min, lo), divide(lo, scale))
        zero_point = clamp(zero_point, q_min, q_max)
    if global_scale is not None:
        scale = multiply(_one_number(global_scale, args), scale)
    scale = round_scale(scale, args)
    scale = np.where(scale == 0, safe_scale(args, scale.dtype), scale)
    zp_dtype = args.zp_dtype if args.zp_dtype is not None else scale.dtype
    return scale, round_to_quantized_type_dtype(zero_point, zp_dtype, cast_to_original_dtype=False)


@quiet
def generate_gparam(
    min_val: Array,
    max_val: Array,
    *,
    scale_data: FloatFormat | IntFormat = FLOAT8_E4M3FN,
    quant_data: FloatFormat | IntFormat = FLOAT4_E2M1FN,
) -> Array:
    """The global scale of a tensor: its largest local scale becomes the largest of its dtype.

    amax = max(|min(min, 0)|, |max(max, 0)|), at least the smallest normal of the dtype
    global_scale = scale_data.max * quant_data.max / amax, by way of the rounded reciprocal

    Args:
        min_val: the minimum of the tensor, one number; float16, bfloat16, float32 or float64.
        max_val: the maximum of the tensor, one number.
        scale_data: format of the local scales.
        quant_data: format of the codes.

    Returns:
        float32 of shape (1,). NaN and inf become 1.0; an infinite range gives 0.

    Raises:
        TypeError: if an array has another dtype.
        ValueError: if there is more than one number.

    Source: SPEC section 5; upstream ``generate_gparam``.

    >>> generate_gparam(np.array([-2], np.float32), np.array([1], np.float32))
    array([1344.], dtype=float32)
    """
    for field, row in (("scale_data", scale_data), ("quant_data", quant_data)):
        if not isinstance(row, (FloatFormat, IntFormat)):
            raise TypeError(
                f"{field}: {row!r} is not allowed; allowed: a FloatFormat or an IntFormat"
            )
    lo, hi = _including_zero(min_val, max_val)
    if lo.size != 1:
        raise ValueError(f"min_val: shape {lo.shape} is not one number; allowed: (1,)")
    amax = np.maximum(np.abs(lo), np.abs(hi)).reshape(1)
    tiny = ml_dtypes.finfo(amax.dtype).smallest_normal
    amax = np.where(amax < tiny, tiny, amax)
    # rounded twice: the reciprocal, then the product
    global_scale = scalar_divide(scale_data.max * quant_data.max, amax)
    finite = np.isfinite(global_scale)
    return cast(np.where(finite, global_scale, amax.dtype.type(1)), FLOAT32)


def _including_zero(min_vals: Array, max_vals: Array) -> tuple[Array, Array]:
    """``min(min_vals, 0)`` and ``max(max_vals, 0)`` in one dtype; NaN stays, a zero is +0."""
    lo, hi = as_array(min_vals, "min_vals"), as_array(max_vals, "max_vals")
    if lo.shape != hi.shape:
        raise ValueError(
            f"max_vals: shape {hi.shape} is not allowed; allowed: {lo.shape}, that of min_vals"
        )
    working = promote(lo.dtype, hi.dtype)
    lo, hi = cast(lo, working), cast(hi, working)
    zero = working.type(0)
    return np.where(lo >= zero, zero, lo), np.where(hi <= zero, zero, hi)


def _one_number(global_scale: Array, args: QuantizationArgs) -> Array:
    if args.scale_rule in EXPONENT_RULES:
        of = "MX" if args.is_mx else f"scale_rule {args.scale_rule!r}"
        raise ValueError(f"global_scale: not allowed for {of}; allowed: None")
    value = as_array(global_scale, "global_scale")
    if value.size != 1:
        raise ValueError(f"global_scale: shape {value.shape} is not allowed; allowed: (1,)")
    return value.reshape(1)
