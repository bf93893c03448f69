"""Quantize, dequantize, and both without leaving floats (SPEC section 7)."""

import torch

from qparity.reference import FORMATS, FloatFormat, IntFormat, QuantizationArgs

from ..torch_bridge import numpy_dtype
from .arithmetic import multiply, subtract
from .dtypes import (
    CODES,
    FLOAT8,
    WORKING,
    DTypeLike,
    as_args,
    as_dtype,
    cast,
)
from .layout import GROUPS, spread, units
from .rounding import round_to_codes
from .scaling import checked, effective_scale, only_zeros, scaled_pieces


def quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    dtype: DTypeLike | None = None,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
    compute_dtype: DTypeLike | None = None,
) -> torch.Tensor:
    """The codes of ``x``: ``round(clamp(x / (scale / global_scale) + zero_point))``.

    Args:
        x: float16, bfloat16, float32 or float64.
        scale: as from ``calculate_qparams``: broadcasts to ``x``, or for the groups (..., groups)
            or one per row, for ``block`` one per block.
        zero_point: shaped like the scale, or None, which is not the same as 0: -0.0 + 0 is +0.
        args: format and strategy.
        dtype: of the codes: int8 for integers, a float of 16 bits or more, or one of 8 bits that
            holds all codes. None: floats, in the dtype of ``x`` for the groups, else in the
            working dtype.
        g_idx: group of each column, for the groups; a negative entry means not given.
        global_scale: one float that the scale is divided by first, or None.
        compute_dtype: None: each operation is rounded to the working dtype. float32: they are
            evaluated in float32, and only the code is rounded.

    Returns:
        The codes, of the shape of ``x`` (0-D becomes (1,)). Out of range saturates, inf included.
        NaN (also 0/0 and inf/inf) becomes the code of +0, but stays NaN in fp8. -0.0 stays where
        the codes are floats and no zero-point is added, except in fp4, where it becomes +0.

    Raises:
        TypeError: if a tensor has a dtype that its field may not have.
        ValueError: if shapes do not fit, or ``dtype`` cannot hold the codes.

    Source: SPEC section 7; upstream ``quantize``.
    """
    args = as_args(args)
    x, scale, zero_point, global_scale = checked(x, "x", WORKING, scale, zero_point, global_scale)
    in_float32 = _in_float32(compute_dtype)
    s = effective_scale(scale, global_scale, in_float32)
    natural = torch.promote_types(x.dtype, dtype_of_s(scale.dtype, global_scale))
    returned = code_dtype(dtype, args, x.dtype if args.strategy in GROUPS else natural)
    work = units(x, args, g_idx, (("scale", s), ("zero_point", zero_point)))
    out = work.empty(returned)
    shifted = zero_point is not None and not (returned == torch.int8 and only_zeros(zero_point))
    for out_piece, y, *_ in scaled_pieces(work, out, args, shifted=shifted, in_float32=in_float32):
        # the cast to float8 is the rounding; else to the codes, exact in the dtype of out
        narrow = y.dtype == torch.float32 and _is_row_of(out.dtype, args.code_format)
        out_piece.copy_(y if narrow else round_to_codes(y, args))
    return work.restore(out)


def dequantize(
    x_q: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None = None,
    args: QuantizationArgs | None = None,
    *,
    dtype: DTypeLike | None = None,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
) -> torch.Tensor:
    """The values of codes: ``(x_q - zero_point) * s``, s = scale / global_scale.

    Args:
        x_q: codes: int8, float8_e4m3fn, float8_e5m2, or floats.
        scale: as for ``quantize``.
        zero_point: shaped like the scale, or None.
        args: format and strategy; required.
        dtype: of the result, for the groups only; the other strategies ignore it, as upstream does.
        g_idx: as for ``quantize``.
        global_scale: as for ``quantize``.

    Returns:
        The values, of the shape of ``x_q``, evaluated in the dtype of s, and returned in it; the
        groups return ``dtype``, or the dtype of ``scale``. NaN codes give NaN; overflow gives inf.

    Raises:
        TypeError: if a tensor has a dtype that its field may not have, or ``args`` is missing.
        ValueError: if shapes do not fit.

    Source: SPEC section 7; upstream ``dequantize``.
    """
    args = as_args(args)
    x_q, scale, zero_point, global_scale = checked(
        x_q, "x_q", CODES, scale, zero_point, global_scale
    )
    s = effective_scale(scale, global_scale)
    returned = s.dtype
    if args.strategy in GROUPS:
        returned = scale.dtype if dtype is None else as_dtype(dtype, "dtype", WORKING)
    work = units(x_q, args, g_idx, (("scale", s), ("zero_point", zero_point)))
    out = work.empty(returned)
    for x_piece, out_piece, *parameters in work.pieces(out):
        out_piece.copy_(cast(_values(x_piece, *parameters), returned))
    return work.restore(out)


def fake_quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
    compute_dtype: DTypeLike | None = None,
) -> torch.Tensor:
    """The values that ``x`` has after quantization: ``dequantize(quantize(x))`` in floats.

    Args:
        x: as for ``quantize``, and so the other arguments.
        scale: as for ``quantize``.
        zero_point: as for ``quantize``.
        args: format and strategy.
        g_idx: as for ``quantize``.
        global_scale: as for ``quantize``.
        compute_dtype: as for ``quantize``; the second half is the same for both.

    Returns:
        The values, of the shape of ``x``, in the dtype of s = scale / global_scale; the groups
        return the dtype of ``x``. NaN, zero and overflow as in the two halves.

    Raises:
        TypeError: if a tensor has a dtype that its field may not have.
        ValueError: if shapes do not fit.

    Source: SPEC section 7; upstream ``fake_quantize``.
    """
    args = as_args(args)
    x, scale, zero_point, global_scale = checked(x, "x", WORKING, scale, zero_point, global_scale)
    in_float32 = _in_float32(compute_dtype)
    divisor, factor = (
        effective_scale(scale, global_scale, in_float32),
        effective_scale(scale, global_scale),
    )
    fields = (("scale", divisor), ("zero_point", zero_point), ("scale", factor))
    work = units(x, args, g_idx, fields)
    out = work.empty(x.dtype if args.strategy in GROUPS else factor.dtype)
    shifted = zero_point is not None
    for out_piece, y, *given in scaled_pieces(
        work, out, args, shifted=shifted, in_float32=in_float32
    ):
        *shift, s = given
        values = _values(round_to_codes(y, args), s, *shift)
        # groups: to the dtype of x
        out_piece.copy_(cast(values, out.dtype))
    return work.restore(out)


def _values(
    codes: torch.Tensor, s: torch.Tensor, zero_point: torch.Tensor | None = None
) -> torch.Tensor:
    """(codes - zero_point) * s, each operand in the dtype of s."""
    values = cast(codes, s.dtype)
    if zero_point is not None:
        values = subtract(values, spread(cast(zero_point, s.dtype), values))
    return multiply(values, spread(s, values))


def _in_float32(compute_dtype: DTypeLike | None) -> bool:
    if compute_dtype is None:
        return False
    return as_dtype(compute_dtype, "compute_dtype", (torch.float32,)) == torch.float32


def dtype_of_s(scale: torch.dtype, global_scale: torch.Tensor | None) -> torch.dtype:
    """The dtype of s = scale / global_scale, by that of the scale."""
    return scale if global_scale is None else torch.promote_types(scale, global_scale.dtype)


def code_dtype(
    dtype: DTypeLike | None, args: QuantizationArgs, natural: torch.dtype
) -> torch.dtype:
    """The dtype the codes are returned in, which must hold them all; ``natural`` if not given.

    Raises:
        ValueError: if it cannot hold the codes.
    """
    if dtype is None:
        return natural
    target, row = as_dtype(dtype, "dtype", CODES), args.code_format
    if not _holds(target, row):
        allowed = [numpy_dtype(known).name for known in CODES if _holds(known, row)]
        raise ValueError(f"dtype: {target} cannot hold the codes of {row.name}; allowed: {allowed}")
    return target


def _is_row_of(dtype: torch.dtype, row: FloatFormat | IntFormat) -> bool:
    return dtype in FLOAT8 and FORMATS[numpy_dtype(dtype).name] == row


def _holds(dtype: torch.dtype, row: FloatFormat | IntFormat) -> bool:
    """Whether every code of a format is a number of a dtype; floats of 16 bits hold all."""
    if dtype == torch.int8:
        return isinstance(row, IntFormat) and row.max <= torch.iinfo(torch.int8).max
    if dtype in WORKING:
        return True
    limits = torch.finfo(dtype)
    if isinstance(row, IntFormat):
        # the first integer whose successor is no number of the dtype
        return max(-row.min, row.max) <= 2 / limits.eps
    precise = 2.0**-row.mantissa_bits >= limits.eps
    smallest = limits.tiny * limits.eps
    return precise and row.max <= limits.max and row.smallest_subnormal >= smallest
