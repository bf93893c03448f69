"""Scale, zero-point and global scale of ranges, by one kernel; None for what it does not cover."""

import numpy as np
import torch
import triton

from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FloatFormat,
    IntFormat,
    QuantizationArgs,
)

from ..torch_bridge import torch_dtype
from ..torch_eager.scales import EXPONENT_RULES
from .memory_order import raw
from .plan import TRITON_DTYPES, global_constants, scale_constants
from .qparams_kernels import global_scale_of_range, qparams_of_ranges

_BLOCK = 1024


def calculate_qparams(
    min_vals: torch.Tensor,
    max_vals: torch.Tensor,
    args: QuantizationArgs,
    global_scale: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """As ``torch_eager.calculate_qparams``."""
    x = _dtype_of(min_vals, max_vals)
    if x is None:
        return None
    working = x
    if global_scale is not None:
        if global_scale.numel() != 1 or global_scale.dtype not in TRITON_DTYPES:
            return None
        if args.scale_rule in EXPONENT_RULES:
            return None
        working = torch.promote_types(x, global_scale.dtype)
    min_vals, max_vals = min_vals.contiguous(), max_vals.contiguous()
    shape = min_vals.shape or (1,)
    zp_dtype = torch.int8 if args.zp_dtype is None else torch_dtype(args.zp_dtype)
    scale = torch.empty(shape, dtype=working, device=min_vals.device)
    zero_point = torch.empty(shape, dtype=zp_dtype, device=min_vals.device)
    n = scale.numel()
    qparams_of_ranges[(triton.cdiv(n, _BLOCK),)](
        min_vals,
        max_vals,
        scale if global_scale is None else global_scale,
        scale,
        raw(zero_point),
        n,
        X=TRITON_DTYPES[x],
        HAS_GLOBAL=global_scale is not None,
        SYMMETRIC=args.symmetric,
        MIN=args.code_format.min,
        MAX=args.code_format.max,
        **scale_constants(args, x, working),
        BLOCK=_BLOCK,
        enable_fp_fusion=False,
    )
    return scale, zero_point


def generate_gparam(
    min_val: torch.Tensor,
    max_val: torch.Tensor,
    *,
    scale_data: FloatFormat | IntFormat = FLOAT8_E4M3FN,
    quant_data: FloatFormat | IntFormat = FLOAT4_E2M1FN,
) -> torch.Tensor | None:
    """As ``torch_eager.generate_gparam``."""
    x = _dtype_of(min_val, max_val)
    numerator = scale_data.max * quant_data.max
    float32 = np.finfo(np.float32)
    if x is None or min_val.numel() != 1 or not float32.tiny <= numerator <= float32.max:
        return None
    global_scale = torch.empty(1, dtype=torch.float32, device=min_val.device)
    constants = global_constants(x) | {"NUMERATOR": float(np.float32(numerator))}
    global_scale_of_range[(1,)](
        min_val,
        max_val,
        global_scale,
        X=TRITON_DTYPES[x],
        **constants,
        num_warps=1,
        enable_fp_fusion=False,
    )
    return global_scale


def _dtype_of(min_vals: torch.Tensor, max_vals: torch.Tensor) -> torch.dtype | None:
    """The dtype of ranges; None of those that no kernel covers."""
    known = min_vals.dtype in TRITON_DTYPES and max_vals.dtype in TRITON_DTYPES
    alike = tuple(min_vals.shape or (1,)) == tuple(max_vals.shape or (1,))
    if not known or not alike or min_vals.numel() == 0:
        return None
    return torch.promote_types(min_vals.dtype, max_vals.dtype)
