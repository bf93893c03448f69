"""What a kernel must know of args and dtype, as constants it is compiled for."""

import numpy as np
import torch
import triton.language as tl

from qparity.reference import FloatFormat, QuantizationArgs

from .arithmetic import CORRECTED, EXACT, INTERPRETED, POWER, RECIPROCAL
from .compress_kernels import E4M3, INT, SMALL_FLOAT
from .scales import E4M3_SCALE, FLOAT_SCALE, MX_SCALE, UNROUNDED

TRITON_DTYPES = {
    torch.float16: tl.float16,
    torch.bfloat16: tl.bfloat16,
    torch.float32: tl.float32,
}
# packed codes are loaded and stored in pieces, of which eight codes fill a whole number
PIECES = {8: torch.uint8, 16: torch.int16, 32: torch.int32}
_WIDE_PIECES = {2: 16, 4: 32, 6: 16}
_SCALE_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}

Constants = dict[str, object]


def piece_bits(bits: int) -> int:
    """The bits of the widest piece of which eight codes of ``bits`` fill a whole number."""
    return _WIDE_PIECES.get(bits, 8)


def format_constants(args: QuantizationArgs) -> Constants | None:
    """The row of the codes; None for a format that the kernels have no rule for."""
    row = args.code_format
    known = {"MIN": row.min, "MAX": row.max, "BITS": row.bits}
    if not isinstance(row, FloatFormat):
        return known | {"KIND": INT, "MANTISSA": 0, "MIN_EXPONENT": 0}
    kinds = {"float4_e2m1fn": SMALL_FLOAT, "float6_e2m3fn": SMALL_FLOAT, "float8_e4m3fn": E4M3}
    if type(args) is not QuantizationArgs or row.name not in kinds:
        return None
    fields = {"MANTISSA": row.mantissa_bits, "MIN_EXPONENT": row.min_exponent}
    return known | fields | {"KIND": kinds[row.name]}


def scale_constants(args: QuantizationArgs, dtype: torch.dtype, whole: bool) -> Constants | None:
    """How the scale is made of a range in ``dtype``; None where the kernels have no rule for it."""
    if type(args) is not QuantizationArgs:
        return None
    working = torch.float32 if whole else dtype
    constants: Constants = {"SCALE": TRITON_DTYPES[working], "SCALE_MAX": 0.0}
    constants |= {"MX_MANTISSA": 3 if args.num_bits == 6 else 1}
    constants |= {"MX_OFFSET": 8 if args.num_bits == 8 else 2}
    own = torch.finfo(working).eps
    resolved = args.resolved_scale_dtype
    if args.is_mx:
        return constants | {"SCALE_MODE": MX_SCALE, "EPS": 1.0}
    if resolved is None:
        return constants | {"SCALE_MODE": UNROUNDED, "EPS": own}
    if resolved.name == "float8_e4m3fn":
        return constants | {"SCALE_MODE": E4M3_SCALE, "EPS": 0.125}
    target = _SCALE_DTYPES.get(resolved.name)
    if target is None or (target not in (working, torch.float32) and working != torch.float32):
        return None
    limit = torch.tensor(torch.finfo(target).max).to(working)
    constants |= {"SCALE": TRITON_DTYPES[target], "SCALE_MAX": float(limit)}
    return constants | {"SCALE_MODE": FLOAT_SCALE, "EPS": torch.finfo(target).eps}


def division(args: QuantizationArgs, dtype: torch.dtype, whole: bool) -> int:
    """How a kernel that makes the scales divides by them."""
    if args.is_mx:
        return int(POWER.value)
    if dtype == torch.float32:
        return int(EXACT.value)
    if dtype == torch.bfloat16 and not whole:
        return int(RECIPROCAL.value)
    return int((EXACT if INTERPRETED.value else CORRECTED).value)


def global_constants(dtype: torch.dtype) -> Constants:
    """The constants of ``generate_gparam`` for a range in ``dtype``."""
    return {"NUMERATOR": 448.0 * 6.0, "TINY": float(np.float32(torch.finfo(dtype).tiny))}
