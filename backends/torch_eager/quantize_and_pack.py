"""Quantize a weight and pack its codes, piece by piece."""

import torch

from qparity.reference import FloatFormat, QuantizationArgs

from .dtypes import WORKING, cast
from .layout import units
from .packing import check_packable, join_bytes, join_words, pack_to_int32
from .quantize import quantize
from .rounding import code_bits, nan_to_zero, positive_zero
from .scaling import checked, effective_scale, only_zeros, scaled_pieces
from .state_dict import naming


def quantize_and_pack(
    weight: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    g_idx: torch.Tensor | None,
    global_scale: torch.Tensor | None,
) -> torch.Tensor:
    """``quantize``, then the codes packed: int in int32 words, fp4 and fp6 in bytes.

    Args:
        weight: as ``x`` of ``quantize``, and so the other arguments. fp4 and fp6 want 2-D.
        scale: as for ``quantize``.
        zero_point: as for ``quantize``.
        args: int, fp4 or fp6.
        g_idx: as for ``quantize``.
        global_scale: as for ``quantize``.

    Returns:
        What ``pack_to_int32``, ``pack_fp4_to_uint8`` or ``pack_fp6_to_uint8`` makes of the codes,
        without ever holding them all.

    Raises:
        TypeError: if a tensor has a dtype that its field may not have.
        ValueError: if shapes do not fit.

    Source: SPEC section 8.
    """
    weight, scale, zero_point, whole = checked(
        weight, "weight", WORKING, scale, zero_point, global_scale
    )
    row = args.code_format
    if isinstance(row, FloatFormat):
        check_packable(weight, "weight", row)
        width, dtype = weight.shape[1] * row.bits // 8, torch.uint8
    elif weight.ndim != 2 or args.strategy == "block":
        codes = quantize(
            weight, scale, zero_point, args, dtype="int8", g_idx=g_idx, global_scale=whole
        )
        with naming({"value": "weight"}):
            return pack_to_int32(codes, row.bits)
    else:
        width, dtype = -(-weight.shape[1] * row.bits // 32), torch.int32
    s = effective_scale(scale, whole)
    work = units(weight, args, g_idx, (("scale", s), ("zero_point", zero_point)))
    out = torch.empty((weight.shape[0], width), dtype=dtype, device=weight.device)
    integer = not isinstance(row, FloatFormat)
    shifted = zero_point is not None and not (integer and only_zeros(zero_point))
    for piece, y, *_ in scaled_pieces(work, out, args, shifted=shifted, axis=0):
        # NaN becomes +0
        y = nan_to_zero(y).reshape(piece.shape[0], weight.shape[1])
        if isinstance(row, FloatFormat):
            # fp4: -0.0 becomes +0; fp6: float64 to float32
            y = positive_zero(y) if row.bits == 4 else cast(y, torch.float32)
            piece.copy_(join_bytes(code_bits(y, row), row.bits))
        else:
            # to nearest integer, ties to even
            codes = y.round_().add_(2.0 ** (row.bits - 1)).to(torch.uint8)
            piece.copy_(join_words(codes, row.bits))
    return out
