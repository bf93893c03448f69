"""Scale, zero-point and global scale of a range (SPEC section 5)."""

import torch

from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FloatFormat,
    IntFormat,
    QuantizationArgs,
)

from ..torch_bridge import numpy_dtype, torch_dtype
from .arithmetic import clamp, divide, divide_number, multiply, subtract
from .dtypes import as_args, as_tensor, cast, constant, one_number
from .rounding import round_to_quantized_type_dtype
from .scales import EXPONENT_RULES, round_scale, safe_scale, symmetric_scale


def calculate_range(args: QuantizationArgs) -> tuple[float, float]:
    """The smallest and largest code value: int (-2^(b-1), 2^(b-1)-1); fp8 448, fp6 7.5, fp4 6.

    Args:
        args: names the format.

    Returns:
        ``(q_min, q_max)`` as Python floats.

    Raises:
        TypeError: if ``args`` are none.

    Source: SPEC section 5; upstream ``calculate_range``.
    """
    row = as_args(args).code_format
    return row.min, row.max


def calculate_qparams(
    min_vals: torch.Tensor,
    max_vals: torch.Tensor,
    args: QuantizationArgs,
    global_scale: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
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
        TypeError: if a tensor has another dtype.
        ValueError: if the shapes differ, or a global scale comes with args whose rule is one of
            exponents: MX, ``floor``, ``ceil``, ``even``.

    Source: SPEC sections 5 and 6; upstream ``calculate_qparams``.
    """
    lo, hi = _including_zero(min_vals, max_vals)
    q_min, q_max = calculate_range(args)
    zp_dtype = torch.int8 if args.zp_dtype is None else torch_dtype(args.zp_dtype)
    if args.symmetric:
        amax = torch.maximum(lo.abs(), hi.abs())
        zero_point = torch.zeros_like(lo, dtype=zp_dtype)
        scale = symmetric_scale(amax, args)
    else:
        # each of the four operations to the dtype of the ranges
        scale = divide(subtract(hi, lo), constant(q_max - q_min, lo.dtype, lo.device))
        zero_point = subtract(constant(q_min, lo.dtype, lo.device), divide(lo, scale))
        zero_point = clamp(zero_point, q_min, q_max)
        zero_point = round_to_quantized_type_dtype(
            zero_point, numpy_dtype(zp_dtype), cast_to_original_dtype=False
        )
    whole = one_number(global_scale)
    if whole is not None:
        if args.scale_rule in EXPONENT_RULES:
            of = "MX" if args.is_mx else f"scale_rule {args.scale_rule!r}"
            raise ValueError(f"global_scale: not allowed for {of}; allowed: None")
        # to the promoted dtype
        scale = multiply(whole, scale)
    scale = round_scale(scale, args)
    scale = torch.where(scale == 0, safe_scale(args, scale), scale)
    return scale, zero_point


def generate_gparam(
    min_val: torch.Tensor,
    max_val: torch.Tensor,
    *,
    scale_data: FloatFormat | IntFormat = FLOAT8_E4M3FN,
    quant_data: FloatFormat | IntFormat = FLOAT4_E2M1FN,
) -> torch.Tensor:
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
        TypeError: if a tensor has another dtype.
        ValueError: if there is more than one number.

    Source: SPEC section 5; upstream ``generate_gparam``.
    """
    lo, hi = _including_zero(min_val, max_val)
    if lo.numel() != 1:
        raise ValueError(f"min_val: shape {tuple(lo.shape)} is not one number; allowed: (1,)")
    amax = torch.maximum(lo.abs(), hi.abs()).reshape(1)
    tiny = constant(torch.finfo(amax.dtype).tiny, amax.dtype, amax.device)
    amax = torch.where(amax < tiny, tiny, amax)
    # rounded twice, the reciprocal and the product
    global_scale = divide_number(scale_data.max * quant_data.max, amax)
    finite = torch.isfinite(global_scale)
    one = constant(1.0, amax.dtype, amax.device)
    # to float32
    return cast(torch.where(finite, global_scale, one), torch.float32)


def _including_zero(
    min_vals: torch.Tensor, max_vals: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """``min(min_vals, 0)`` and ``max(max_vals, 0)`` in one dtype; NaN stays.

    A zero has either sign, which no result depends on.
    """
    lo, hi = as_tensor(min_vals, "min_vals"), as_tensor(max_vals, "max_vals")
    if lo.shape != hi.shape:
        raise ValueError(
            f"max_vals: shape {tuple(hi.shape)} is not allowed; "
            f"allowed: {tuple(lo.shape)}, that of min_vals"
        )
    working = torch.promote_types(lo.dtype, hi.dtype)
    lo, hi = lo.to(working), hi.to(working)
    return torch.clamp(lo, max=0.0), torch.clamp(hi, min=0.0)
