"""What a kernel must know of args and dtype, as constants it is compiled for."""

import numpy as np
import torch
import triton.language as tl

from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FloatFormat,
    IntFormat,
    QuantizationArgs,
)

from ..torch_bridge import torch_dtype
from ..torch_eager.scales import EXPONENT_RULES
from .arithmetic import CORRECTED, EXACT, INTERPRETED, POWER, RECIPROCAL
from .codes import DOWN, NEAREST, UP
from .encode_kernels import E4M3, INT, SMALL_FLOAT
from .memory_order import bound_in
from .scales import (
    E4M3_SCALE,
    EXPONENT_SCALE,
    FLOAT_SCALE,
    MX_SCALE,
    QUOTIENT_SCALE,
    UNROUNDED,
)

TRITON_DTYPES = {
    torch.float16: tl.float16,
    torch.bfloat16: tl.bfloat16,
    torch.float32: tl.float32,
}
# packed codes are loaded and stored in pieces, of which eight codes fill a whole number
PIECES = {8: torch.uint8, 16: torch.int16, 32: torch.int32}
_WIDE_PIECES = {2: 16, 4: 32, 6: 16}
# codes of these bits are best packed and unpacked 32 at once, which fill as many words
JOINED_BITS = (3, 5, 6, 7)
STORED_DTYPES = TRITON_DTYPES | {
    torch.int8: tl.int8,
    torch.uint8: tl.uint8,
    torch.float64: tl.float64,
    torch.float8_e4m3fn: tl.float8e4nv,
    torch.float8_e5m2: tl.float8e5,
}
_DIRECTIONS = {"nearest": NEAREST, "rceil": UP, "floor": DOWN, "ceil": UP, "even": DOWN}

Constants = dict[str, object]


def piece_bits(bits: int) -> int:
    """The bits of the widest piece of which eight codes of ``bits`` fill a whole number."""
    return _WIDE_PIECES.get(bits, 8)


def format_constants(args: QuantizationArgs) -> Constants:
    """The row of the codes, for kernels that make codes of it."""
    row = args.code_format
    known: Constants = {"MIN": row.min, "MAX": row.max, "BITS": row.bits}
    if not isinstance(row, FloatFormat):
        return known | {"KIND": INT, "MANTISSA": 0, "MIN_EXPONENT": 0}
    kind = E4M3 if row == FLOAT8_E4M3FN else SMALL_FLOAT
    fields = {"MANTISSA": row.mantissa_bits, "MIN_EXPONENT": row.min_exponent}
    return known | fields | {"KIND": kind}


def value_constants(args: QuantizationArgs) -> Constants:
    """The row of the codes, for kernels that round to its values: what ``rounded`` takes."""
    row, codes = args.code_format, format_constants(args)
    del codes["BITS"]
    return codes | {
        "SUBNORMALS": getattr(row, "has_subnormals", True),
        "SIGNED": row.signed,
        "HAS_NAN": row.has_nan,
        "PLUS_ZERO": row == FLOAT4_E2M1FN,
    }


def scale_constants(args: QuantizationArgs, dtype: torch.dtype, working: torch.dtype) -> Constants:
    """How a scale, computed in ``working``, and a zero-point are made of a range in ``dtype``.

    They are what ``scales.scale_and_zero_point`` takes under these names.
    """
    code, row, rule = args.code_format, args.scale_format, args.scale_rule
    eps = torch.finfo(working).eps
    constants: Constants = {
        "WORKING": TRITON_DTYPES[working],
        "SCALE_MODE": UNROUNDED,
        "SCALE": TRITON_DTYPES[working],
        "SCALE_MIN": 0.0,
        "SCALE_MAX": 0.0,
        "SCALE_MANTISSA": 0,
        "SCALE_MIN_EXPONENT": 0,
        "SCALE_SUBNORMALS": True,
        "SCALE_NAN": True,
        "DIRECTION": NEAREST,
        "AMAX_MANTISSA": -1,
        "EMAX": 0,
        "EPS": eps if row is None else bound_in(working, row.safe_scale) or eps,
        **_zero_point_constants(args, dtype),
    }
    resolved = None if args.resolved_scale_dtype is None else torch_dtype(args.resolved_scale_dtype)
    if rule in EXPONENT_RULES:
        constants |= {"EMAX": code.max_exponent}
    if rule == "mx":
        constants |= {"SCALE_MODE": MX_SCALE, "AMAX_MANTISSA": 3 if args.num_bits == 6 else 1}
    elif row is None or resolved == torch.float64:
        pass
    elif resolved == torch.float8_e4m3fn and rule == "nearest":
        constants |= {"SCALE_MODE": E4M3_SCALE}
    elif resolved in TRITON_DTYPES:
        # one that has all values of the working dtype rounds nothing
        if resolved == working or torch.promote_types(resolved, working) != resolved:
            limit = bound_in(working, row.max)
            constants |= {"SCALE_MODE": FLOAT_SCALE, "SCALE_MAX": limit}
            constants |= {"SCALE": TRITON_DTYPES[resolved]}
    else:
        constants |= {"SCALE_MODE": EXPONENT_SCALE if rule in EXPONENT_RULES else QUOTIENT_SCALE}
        constants |= _row_constants(row) | {"DIRECTION": _DIRECTIONS[rule]}
        if rule == "even":
            constants |= {"AMAX_MANTISSA": code.mantissa_bits}
    return constants


def _row_constants(row: FloatFormat | IntFormat) -> Constants:
    """The row of a scale; integers are spaced as floats are below the exponent they all have."""
    known: Constants = {"SCALE_MIN": row.min, "SCALE_MAX": row.max, "SCALE_NAN": row.has_nan}
    if not isinstance(row, FloatFormat):
        return known | {"SCALE_MANTISSA": row.bits, "SCALE_MIN_EXPONENT": row.bits}
    return known | {
        "SCALE_MANTISSA": row.mantissa_bits,
        "SCALE_MIN_EXPONENT": row.min_exponent,
        "SCALE_SUBNORMALS": row.has_subnormals or not row.has_zero,
    }


def zero_point_dtype(args: QuantizationArgs) -> torch.dtype:
    """The dtype of a zero-point."""
    return torch.int8 if args.zp_dtype is None else torch_dtype(args.zp_dtype)


def _zero_point_constants(args: QuantizationArgs, dtype: torch.dtype) -> Constants:
    row, zp = args.code_format, zero_point_dtype(args)
    if zp in (torch.int8, torch.uint8):
        limits: torch.iinfo | torch.finfo = torch.iinfo(zp)
    else:
        limits = torch.finfo(zp)
    low, high = (bound_in(dtype, float(bound)) for bound in (limits.min, limits.max))
    return {"ZP": STORED_DTYPES[zp], "ZP_MIN": max(row.min, low), "ZP_MAX": min(row.max, high)}


def division(args: QuantizationArgs, dtype: torch.dtype, whole: bool) -> int:
    """How a kernel that makes the scales divides by them."""
    row = args.scale_format
    if not whole and _divides_by_powers(args, dtype):
        return int(POWER.value)
    if dtype == torch.float32:
        return int(EXACT.value)
    if dtype == torch.bfloat16 and not whole:
        return int(RECIPROCAL.value)
    # of a negative global scale a scale without a sign is anything
    of_any_size = whole and row is not None and row.min >= 0
    # Newton's step makes NaN of an infinite quotient, which a finite scale of an infinite x has
    held = isinstance(row, FloatFormat) and row.has_inf and row.max > torch.finfo(dtype).max
    finite = not whole and row is not None and not held
    return int((EXACT if INTERPRETED.value or of_any_size or finite else CORRECTED).value)


def division_by_given(dtype: torch.dtype, s: torch.dtype) -> int:
    """How a kernel divides x, of a dtype, by scales of the dtype ``s`` that it reads."""
    return int((RECIPROCAL if dtype == s == torch.bfloat16 else EXACT).value)


def _divides_by_powers(args: QuantizationArgs, dtype: torch.dtype) -> bool:
    """Whether scales are powers of two by which no quotient is rounded that a code depends on."""
    row, code = args.scale_format, args.code_format
    if not isinstance(row, FloatFormat) or row.mantissa_bits > 0 or row.smallest < 2.0**-127:
        return False
    # half the smallest code is a normal number of the dtype
    normal = not isinstance(code, FloatFormat) or code.smallest >= 2 * torch.finfo(dtype).tiny
    return args.symmetric and normal


def global_constants(dtype: torch.dtype) -> Constants:
    """The constants of ``generate_gparam`` for a range in ``dtype``."""
    return {"NUMERATOR": 448.0 * 6.0, "TINY": float(np.float32(torch.finfo(dtype).tiny))}
