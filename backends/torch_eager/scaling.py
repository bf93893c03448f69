"""x / s + zero_point, piece by piece: what quantize, fake_quantize and packing begin with."""

from collections.abc import Iterator

import torch

from qparity.reference import QuantizationArgs

from .arithmetic import divide
from .dtypes import FLOAT8, ZERO_POINTS, as_tensor, cast, one_number
from .layout import Units, spread
from .rounding import saturate


def scaled_pieces(
    work: Units,
    out: torch.Tensor,
    args: QuantizationArgs,
    *,
    shifted: bool,
    in_float32: bool = False,
    axis: int | None = None,
) -> Iterator[tuple[torch.Tensor, ...]]:
    """``(out, y, *rest)``: y = x / s + zero_point, clamped to the range of the codes.

    y is in float32 or float64, may be overwritten, and has the values of the working dtype. The
    parameters after s, the zero-point first if ``shifted``, are in rest, as they are.
    """
    for x, out_piece, s, *rest in work.pieces(out, axis):
        # float32 throughout, if asked for
        dividend = x.to(torch.float32) if in_float32 else x
        # to the working dtype
        y = divide(dividend, spread(s, x))
        if shifted:
            # the zero-point to the dtype of x, the sum to the working dtype
            y.add_(spread(cast(rest[0], dividend.dtype), x).to(y.dtype))
        y = y if y.dtype == torch.float64 else y.to(torch.float32)
        saturate(y, args)
        yield out_piece, y, *rest


def checked(
    x: torch.Tensor,
    field: str,
    allowed: tuple[torch.dtype, ...],
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    global_scale: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """``x``, scale, zero-point and global scale, of dtypes that they may have."""
    x, scale = as_tensor(x, field, allowed), as_tensor(scale, "scale")
    if zero_point is not None:
        zero_point = as_tensor(zero_point, "zero_point", ZERO_POINTS)
    return x, scale, zero_point, one_number(global_scale)


def effective_scale(
    scale: torch.Tensor, global_scale: torch.Tensor | None, in_float32: bool = False
) -> torch.Tensor:
    """The quotient scale / global_scale, rounded to their working dtype, or to float32."""
    if in_float32:
        scale = scale.to(torch.float32)
        global_scale = None if global_scale is None else global_scale.to(torch.float32)
    return scale if global_scale is None else divide(scale, global_scale)


def only_zeros(zero_point: torch.Tensor) -> bool:
    """Whether a zero-point is known to be zeros, which change no code but that of -0.0.

    One on a device is not looked at, so that the host does not wait for it.
    """
    looked_at = zero_point.is_cpu and zero_point.dtype not in FLOAT8
    return looked_at and not bool(zero_point.any())
