"""Quantize and dequantize with given scales, by one kernel; None for what it does not cover."""

import numpy as np
import numpy.typing as npt
import torch

from qparity.reference import QuantizationArgs

from ..torch_eager.dtypes import CODES, WORKING, ZERO_POINTS, as_dtype
from ..torch_eager.layout import GROUPS
from ..torch_eager.quantize import code_dtype, dtype_of_s
from .elementwise_kernels import DEQUANTIZE, FAKE_QUANTIZE, QUANTIZE
from .launch import launch
from .plan import TRITON_DTYPES


def quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    dtype: npt.DTypeLike | None = None,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
    compute_dtype: npt.DTypeLike | None = None,
) -> torch.Tensor | None:
    """As ``torch_eager.quantize``."""
    in_float32 = _in_float32(compute_dtype)
    if in_float32 is None or not _covered(g_idx, zero_point, x, scale, global_scale):
        return None
    natural = torch.promote_types(x.dtype, dtype_of_s(scale.dtype, global_scale))
    out = code_dtype(dtype, args, x.dtype if args.strategy in GROUPS else natural)
    return launch(QUANTIZE, x, scale, zero_point, args, out, global_scale, in_float32=in_float32)


def dequantize(
    x_q: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None = None,
    args: QuantizationArgs | None = None,
    *,
    dtype: npt.DTypeLike | None = None,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
) -> torch.Tensor | None:
    """As ``torch_eager.dequantize``."""
    if (
        args is None
        or x_q.dtype not in CODES
        or not _covered(g_idx, zero_point, scale, global_scale)
    ):
        return None
    out = dtype_of_s(scale.dtype, global_scale)
    if args.strategy in GROUPS:
        out = scale.dtype if dtype is None else as_dtype(dtype, "dtype", WORKING)
    return launch(DEQUANTIZE, x_q, scale, zero_point, args, out, global_scale)


def fake_quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
    compute_dtype: npt.DTypeLike | None = None,
) -> torch.Tensor | None:
    """As ``torch_eager.fake_quantize``."""
    in_float32 = _in_float32(compute_dtype)
    if in_float32 is None or not _covered(g_idx, zero_point, x, scale, global_scale):
        return None
    out = x.dtype if args.strategy in GROUPS else dtype_of_s(scale.dtype, global_scale)
    return launch(
        FAKE_QUANTIZE, x, scale, zero_point, args, out, global_scale, in_float32=in_float32
    )


def dequantize_stored(
    codes: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    out: torch.dtype,
    global_scale: torch.Tensor | None,
    *,
    packed: tuple[int, ...] | None,
    loaded_scale: torch.Tensor | None,
) -> torch.Tensor | None:
    """``dequantize`` of codes and scales as they are stored.

    Args:
        codes: one an element; or int32 words, if ``packed`` is the shape of the codes.
        scale: in its own dtype, e4m3, or E8M0 codes in uint8.
        zero_point: int8, or None.
        args: format and strategy.
        out: dtype of the result.
        global_scale: one float, or None.
        packed: shape of the codes in words.
        loaded_scale: bfloat16, of the shape of ``scale``, to be filled with it.
    """
    return launch(
        DEQUANTIZE,
        codes,
        scale,
        zero_point,
        args,
        out,
        global_scale,
        packed=packed,
        loaded_scale=loaded_scale,
    )


def _covered(
    g_idx: torch.Tensor | None,
    zero_point: torch.Tensor | None,
    *floats: torch.Tensor | None,
) -> bool:
    known = zero_point is None or zero_point.dtype in ZERO_POINTS
    wide = all(tensor is None or tensor.dtype in TRITON_DTYPES for tensor in floats)
    return g_idx is None and known and wide


def _in_float32(compute_dtype: npt.DTypeLike | None) -> bool | None:
    """Whether all is evaluated in float32; None for a dtype that is not allowed."""
    if compute_dtype is None:
        return False
    return True if np.dtype(compute_dtype) == np.float32 else None
