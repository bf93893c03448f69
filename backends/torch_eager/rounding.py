"""Rounding to a format: to nearest, ties to even, after saturation (SPEC sections 2, 4 and 5)."""

import math

import numpy as np
import torch

from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FORMATS,
    FloatFormat,
    QuantizationArgs,
)

from .arithmetic import clamp
from .dtypes import (
    FLOAT8,
    WORKING,
    DTypeLike,
    as_args,
    as_dtype,
    as_tensor,
    cast,
    constant,
    evaluation_dtype,
)

_FIELDS = {
    torch.float32: (torch.int32, 23, 127),
    torch.float64: (torch.int64, 52, 1023),
}
_INTEGERS = (torch.int8, torch.uint8)


def round_to_quantized_type_dtype(
    x: torch.Tensor, dtype: DTypeLike, cast_to_original_dtype: bool = True
) -> torch.Tensor:
    """Clamp to the range of ``dtype``, then round to it.

    Args:
        x: any shape; float16, bfloat16, float32 or float64.
        dtype: int8, uint8, or a float dtype of the format table.
        cast_to_original_dtype: return the rounded values in the dtype of ``x``, else in ``dtype``.

    Returns:
        A tensor of the shape of ``x`` (0-D becomes (1,)). Out of range saturates to the finite
        bounds, first rounded to the dtype of ``x``. NaN stays NaN; where ``dtype`` has none it
        becomes +0. The sign of zero is kept by floats.

    Raises:
        TypeError: if ``x`` is not such a tensor or ``dtype`` is no dtype.
        ValueError: if ``dtype`` is not in the table, or is fp4 or fp6, which torch has no dtype
            for, without ``cast_to_original_dtype``.

    Source: SPEC section 5; upstream ``round_to_quantized_type_dtype``.
    """
    x = as_tensor(x, "x")
    row = FORMATS.get(np.dtype(dtype).name)
    if isinstance(row, FloatFormat) and row.bits < 8:
        if not cast_to_original_dtype:
            raise ValueError(
                f"dtype: torch has no {row.name}; allowed: cast_to_original_dtype=True"
            )
        y = wide_copy(clamp(x, row.min, row.max), torch.float32 if row.bits == 6 else None)
        round_to_format(nan_to_zero(y), row)
        return cast(y, x.dtype)
    target = as_dtype(dtype, "dtype", (*_INTEGERS, *FLOAT8, *WORKING))
    if target in _INTEGERS:
        info = torch.iinfo(target)
        # NaN becomes 0; to nearest integer, ties to even
        rounded = nan_to_zero(wide_copy(clamp(x, info.min, info.max))).round_().to(target)
    else:
        limits = torch.finfo(target)
        # once to the target; float64 by way of float32
        rounded = cast(clamp(x, limits.min, limits.max), target)
    return cast(rounded, x.dtype) if cast_to_original_dtype else rounded


def round_to_quantized_type_args(
    x: torch.Tensor,
    args: QuantizationArgs,
    q_min: torch.Tensor | float,
    q_max: torch.Tensor | float,
    cast_to_original_dtype: bool = True,
) -> torch.Tensor:
    """Clamp to ``[q_min, q_max]``, then round to the codes of ``args``, as float values.

    Args:
        x: any shape; float16, bfloat16, float32 or float64.
        args: names the format: int1 to int8, fp4 (e2m1), fp6 (e2m3) or fp8 (e4m3); or has it.
        q_min: one number, the smallest code; see ``calculate_range``.
        q_max: one number, the largest code.
        cast_to_original_dtype: False leaves fp8 in float8_e4m3fn; it changes nothing else.

    Returns:
        The rounded values, of the shape of ``x`` (0-D becomes (1,)) and its dtype. NaN becomes +0
        for int, fp4 and fp6, and stays NaN for fp8, and where else a format has NaN. Integers, fp6
        and fp8 keep the sign of zero; in fp4 (e2m1) a zero gives +0, and a non-zero value that
        rounds to zero keeps its sign. A format without a sign gives +0.

    Raises:
        TypeError: if ``x`` is not such a tensor.
        ValueError: if a bound is not one number.

    Source: SPEC sections 5 and 7; upstream ``round_to_quantized_type_args``.
    """
    x, args = as_tensor(x, "x"), as_args(args)
    y = wide_copy(clamp(x, _bound(q_min, "q_min"), _bound(q_max, "q_max")))
    rounded = cast(round_to_codes(y, args), x.dtype)
    if args.code_format == FLOAT8_E4M3FN and not cast_to_original_dtype:
        return cast(rounded, torch.float8_e4m3fn)
    return rounded


def saturate(y: torch.Tensor, args: QuantizationArgs) -> None:
    """Clamp a tensor of ours to the range of the codes; NaN stays."""
    clamp(y, args.code_format.min, args.code_format.max, out=y)


def round_to_codes(y: torch.Tensor, args: QuantizationArgs) -> torch.Tensor:
    """The values of the codes nearest to ``y``, which is wide, ours, in range, and overwritten."""
    row = args.code_format
    if not isinstance(row, FloatFormat):
        # NaN becomes +0; to nearest integer, ties to even
        integers = nan_to_zero(y).round_()
        return integers if row.signed else integers.abs_()
    if row == FLOAT4_E2M1FN:
        # NaN and -0.0 become +0
        positive_zero(nan_to_zero(y))
    else:
        # float64 to float32
        y = y.to(torch.float32)
        if not row.has_nan:
            # NaN becomes +0
            nan_to_zero(y)
    round_to_format(y, row)
    return y if row.signed else y.abs_()


def round_to_format(y: torch.Tensor, row: FloatFormat, direction: str = "nearest") -> None:
    """Round ``y`` (wide, ours, in range) to the values of ``row``; NaN and the sign stay.

    Near y the values are multiples of 2^(e - M), e = max(exponent of y, smallest exponent). The
    number 2^(e - M + F), F the fraction bits of y's dtype, has that step. ``"down"`` is the next
    value at y or toward zero, ``"up"`` the next at it or away from zero.
    """
    _, fraction, _ = _FIELDS[y.dtype]
    magnitude = y.abs()
    anchor = exponent_bits(magnitude, row.min_exponent)
    anchor.add_((fraction - row.mantissa_bits) << fraction)
    step_of_format = anchor.view(y.dtype)
    # to nearest, ties to even, by the addition
    magnitude.add_(step_of_format).sub_(step_of_format)
    if direction != "nearest":
        step = step_of_format * 2.0**-fraction
        _to_one_side(magnitude, y.abs(), step, direction)
    if row.has_zero and not row.has_subnormals:
        _flush(magnitude, y.abs(), row, direction)
    torch.copysign(magnitude, y, out=y)


def _to_one_side(
    rounded: torch.Tensor, magnitude: torch.Tensor, step: torch.Tensor, direction: str
) -> None:
    """One step back, where the nearest value lies on the wrong side."""
    if direction == "down":
        rounded.sub_(step * (rounded > magnitude))
    else:
        rounded.add_(step * (rounded < magnitude))


def _flush(
    rounded: torch.Tensor, magnitude: torch.Tensor, row: FloatFormat, direction: str
) -> None:
    """Below the smallest normal there is only zero, which half of it rounds to."""
    least = row.smallest_normal
    above = {"nearest": least / 2, "up": 0.0, "down": least}[direction]
    # to nearest, ties to zero, or to that side
    flushed = torch.where(magnitude > above, least, 0.0).to(rounded.dtype)
    rounded.copy_(torch.where(magnitude < least, flushed, rounded))


def exponent_bits(magnitude: torch.Tensor, lowest: int) -> torch.Tensor:
    """The bits of the power of two at or below each value, at least ``2^lowest``."""
    integer, fraction, bias = _FIELDS[magnitude.dtype]
    infinity = (2 * bias + 1) << fraction
    bits = torch.bitwise_and(magnitude.view(integer), infinity)
    return bits.clamp_(min=(lowest + bias) << fraction)


def code_bits(y: torch.Tensor, row: FloatFormat) -> torch.Tensor:
    """The codes, as uint8, of the values of ``row`` nearest to ``y``: sign, exponent, mantissa.

    ``y`` is wide, ours, in range and without NaN; ``row`` is fp4 or fp6, whose smallest exponent
    is 0. With 2^e the power of two at or below |y|, but at least 1, the code without its sign is
    |y| / 2^e, rounded to M bits, plus e, in units of 2^-M.
    """
    integer, fraction, bias = _FIELDS[y.dtype]
    mantissa = row.mantissa_bits
    magnitude = y.abs()
    power = exponent_bits(magnitude, row.min_exponent)
    magnitude.div_(power.view(y.dtype))
    one_ulp_is_step = 2.0 ** (fraction - mantissa)
    # to nearest, ties to even, by the addition
    codes = magnitude.add_(one_ulp_is_step).view(integer)
    shift = fraction - mantissa
    codes.add_(power.bitwise_right_shift_(shift))
    codes.sub_(((fraction - mantissa + bias) << fraction) + (bias << mantissa))
    sign = torch.bitwise_right_shift(y.view(integer), 8 * y.itemsize - row.bits)
    return codes.bitwise_or_(sign.bitwise_and_(1 << (row.bits - 1))).to(torch.uint8)


def nan_to(y: torch.Tensor, value: float) -> torch.Tensor:
    """``y``, which is ours, with another value for NaN."""
    return y.nan_to_num_(nan=value, posinf=math.inf, neginf=-math.inf)


def nan_to_zero(y: torch.Tensor) -> torch.Tensor:
    """``y``, which is ours, with +0 for NaN."""
    return nan_to(y, 0.0)


def positive_zero(y: torch.Tensor) -> torch.Tensor:
    """``y``, which is ours, with +0 for -0.0."""
    return y.add_(constant(0.0, y.dtype, y.device))


def wide_copy(x: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A contiguous copy in the evaluation dtype, or in ``dtype``, that may be overwritten."""
    wide = evaluation_dtype(x.dtype) if dtype is None else dtype
    return x.to(wide, copy=True, memory_format=torch.contiguous_format)


def _bound(value: torch.Tensor | float, field: str) -> float:
    if isinstance(value, torch.Tensor):
        if value.numel() != 1:
            raise ValueError(
                f"{field}: shape {tuple(value.shape)} is not one number; allowed: a scalar"
            )
        return float(value.item())
    return float(value)
