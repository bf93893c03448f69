"""Rounding to a dtype or to the codes of a format, by one kernel; None for what it lacks."""

import numpy as np
import numpy.typing as npt
import torch
import triton
import triton.language as tl

from qparity.reference import FORMATS, FloatFormat, QuantizationArgs

from ..torch_bridge import torch_dtype
from .encode_kernels import E4M3, INT, SMALL_FLOAT
from .memory_order import bound_in, in_memory_order, raw
from .plan import TRITON_DTYPES, Constants, value_constants
from .rounding_kernels import WIDE, round_to_codes, round_to_dtype

_BLOCK = 4096
_OUT = {torch.int8: tl.int8, torch.uint8: tl.uint8, torch.float64: tl.float64} | TRITON_DTYPES


def round_to_quantized_type_dtype(
    x: torch.Tensor, dtype: npt.DTypeLike, cast_to_original_dtype: bool = True
) -> torch.Tensor | None:
    """As ``torch_eager.round_to_quantized_type_dtype``."""
    name = np.dtype(dtype).name
    target = target_constants(name)
    if x.dtype not in TRITON_DTYPES or x.numel() == 0 or target is None:
        return None
    if cast_to_original_dtype:
        returned = x.dtype
    elif target["KIND"] is SMALL_FLOAT and name != "float8_e5m2":
        return None
    else:
        returned = torch_dtype(dtype)
    x, out = in_memory_order(x, returned)
    n = x.numel()
    round_to_dtype[(triton.cdiv(n, _BLOCK),)](
        x,
        raw(out),
        n,
        **limits_of(name, x.dtype),
        **target,
        BACK=bool(cast_to_original_dtype),
        X=TRITON_DTYPES[x.dtype],
        BLOCK=_BLOCK,
        enable_fp_fusion=False,
    )
    return out


def round_to_quantized_type_args(
    x: torch.Tensor,
    args: QuantizationArgs,
    q_min: torch.Tensor | float,
    q_max: torch.Tensor | float,
    cast_to_original_dtype: bool = True,
) -> torch.Tensor | None:
    """As ``torch_eager.round_to_quantized_type_args``; bounds on a device are left to it."""
    constants = value_constants(args)
    row = args.code_format
    if x.dtype not in TRITON_DTYPES or x.numel() == 0:
        return None
    if any(isinstance(bound, torch.Tensor) and not bound.is_cpu for bound in (q_min, q_max)):
        return None
    low, high = (bound_in(x.dtype, float(bound)) for bound in (q_min, q_max))
    if not row.min <= low <= high <= row.max:
        return None
    as_codes = constants["KIND"] is E4M3 and not cast_to_original_dtype
    x, out = in_memory_order(x, torch.float8_e4m3fn if as_codes else x.dtype)
    n = x.numel()
    round_to_codes[(triton.cdiv(n, _BLOCK),)](
        x,
        raw(out),
        n,
        low,
        high,
        **constants,
        AS_CODES=as_codes,
        X=TRITON_DTYPES[x.dtype],
        BLOCK=_BLOCK,
        enable_fp_fusion=False,
    )
    return out


def target_constants(name: str) -> Constants | None:
    """What a kernel must know of a dtype to round to it; None if it has no rule for it."""
    none = {"BITS": 8, "MANTISSA": 0, "MIN_EXPONENT": 0, "MIN": 0.0, "MAX": 0.0, "TO": tl.float32}
    if name in ("int8", "uint8"):
        info = np.iinfo(name)
        integer = tl.int8 if name == "int8" else tl.uint8
        return none | {"KIND": INT, "MIN": float(info.min), "MAX": float(info.max), "TO": integer}
    row = FORMATS.get(name)
    if not isinstance(row, FloatFormat):
        return None
    if row.bits > 8:
        return none | {"KIND": WIDE, "TO": _OUT[torch_dtype(row.dtype)]}
    fields = {"BITS": row.bits, "MANTISSA": row.mantissa_bits, "MIN_EXPONENT": row.min_exponent}
    kind = E4M3 if name == "float8_e4m3fn" else SMALL_FLOAT
    return none | fields | {"KIND": kind, "MIN": row.min, "MAX": row.max}


def limits_of(name: str, dtype: torch.dtype) -> dict[str, float]:
    """The finite bounds of a dtype by name, rounded to that of what they limit."""
    low, high = (0.0, 255.0) if name == "uint8" else (FORMATS[name].min, FORMATS[name].max)
    return {"low": bound_in(dtype, low), "high": bound_in(dtype, high)}
