"""One call of the kernel that compresses blocks; None for what it does not cover."""

import torch
import triton

from qparity.reference import QuantizationArgs

from .block_kernels import compress_blocks
from .compress_units import (
    constants_of_quotient,
    constants_of_scale,
    dtype_of_scale,
    pointers_of,
)
from .encode_kernels import SMALL_FLOAT
from .given import Given
from .plan import TRITON_DTYPES, format_constants
from .scales import E4M3_SCALE, NO_GLOBAL

_LARGEST = 1 << 15


def fused_blocks(
    x: torch.Tensor, args: QuantizationArgs, given: Given | None = None
) -> dict[str, torch.Tensor] | None:
    """Codes, one in a byte, and stored scales of the blocks of a 2-D ``x``.

    Args:
        x: (rows, columns), float16, bfloat16 or float32; not empty.
        args: strategy ``block``.
        given: scales that are read; None: they are made.
    """
    if x.dtype not in TRITON_DTYPES or x.numel() == 0 or not args.symmetric:
        return None
    codes_of, (tall, wide) = format_constants(args), args.block_structure or (1, 1)
    scale_of = constants_of_scale(x.dtype, args, given, has_global=False)
    quotient_of = constants_of_quotient(x.dtype, args, given, NO_GLOBAL)
    coded = scale_of["SCALE_MODE"] is E4M3_SCALE
    dtype = dtype_of_scale(x.dtype, args, given, has_global=False, stored=True)
    rows, cols = x.shape
    counts = (triton.cdiv(rows, tall), triton.cdiv(cols, wide))
    if codes_of["KIND"] is SMALL_FLOAT or tall * wide > _LARGEST or (dtype is None and not coded):
        return None
    if given is not None and (not given.fits(counts) or given.global_scale is not None):
        return None
    x = x if x.stride(1) == 1 else x.contiguous()
    scale = torch.empty(
        counts, dtype=dtype if dtype is not None and not coded else torch.uint8, device=x.device
    )
    codes = torch.empty((rows, cols), dtype=torch.uint8, device=x.device)
    compress_blocks[(counts[0] * counts[1],)](
        x,
        codes,
        scale,
        *pointers_of(given, scale),
        rows,
        cols,
        counts[1],
        x.stride(0),
        X=TRITON_DTYPES[x.dtype],
        ROWS=tall,
        COLS=wide,
        TALL=triton.next_power_of_2(tall),
        WIDE=triton.next_power_of_2(wide),
        HAS_ZP=given is not None and given.zero_point is not None,
        **{key: codes_of[key] for key in ("KIND", "MIN", "MAX")},
        **scale_of,
        **{key: quotient_of[key] for key in ("GIVEN", "Y", "DIVISION")},
        STORE_CODE=coded,
        num_warps=8,
        maxnreg=80 if x.itemsize == 2 else None,
        enable_fp_fusion=False,
    )
    return {"codes": codes, "scale": scale.view(torch.float8_e4m3fn) if coded else scale}
