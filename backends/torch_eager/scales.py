"""From a range to a scale, by the rule and the format of the scale (SPEC section 5).

rule     what is rounded to the scale's format                         to the value
nearest  amax / half the range of the codes, times the global scale    nearest, ties to even
rceil    the same                                                      at or above: none clips
floor    amax / 2^emax, emax the exponent of the largest code          at or below
ceil     the same                                                      at or above
even     the same of amax rounded to the mantissa bits of a code       at or below
mx       by section 6
"""

from collections.abc import Mapping

import torch

from qparity.reference import FLOAT4_E2M1FN, FloatFormat, IntFormat, QuantizationArgs

from .arithmetic import clamp, divide
from .dtypes import cast, constant
from .mx import mx_scale
from .rounding import exponent_bits, nan_to, round_to_format, round_to_quantized_type_dtype

EXPONENT_RULES = ("mx", "floor", "ceil", "even")
_DIRECTIONS: Mapping[str, str] = {
    "nearest": "nearest",
    "rceil": "up",
    "floor": "down",
    "ceil": "up",
    "even": "down",
}
_FAR = 900
_TO_INTEGER = {"nearest": torch.round, "down": torch.floor, "up": torch.ceil}


def symmetric_scale(amax: torch.Tensor, args: QuantizationArgs) -> torch.Tensor:
    """The scale of the largest magnitude: a quotient still to be rounded, or made from exponents.

    scale = amax / half the range of the codes; or by SPEC section 6; or by a rule of exponents.
    """
    if args.is_mx:
        return mx_scale(amax, args.num_bits)
    row, code = args.scale_format, args.code_format
    if args.scale_rule in EXPONENT_RULES and row is not None:
        return _exponent_scale(amax, code, row, args.scale_rule)
    # to the dtype of the ranges
    return divide(amax, constant((code.max - code.min) / 2, amax.dtype, amax.device))


def round_scale(scale: torch.Tensor, args: QuantizationArgs) -> torch.Tensor:
    """A quotient rounded to the format of the scale, and returned to its own dtype."""
    row, dtype, rule = args.scale_format, args.resolved_scale_dtype, args.scale_rule
    if row is None or rule in EXPONENT_RULES:
        return scale
    if dtype is not None and rule == "nearest":
        return round_to_quantized_type_dtype(scale, dtype)
    by_way_of_float32 = rule == "nearest" and row != FLOAT4_E2M1FN and isinstance(row, FloatFormat)
    y = scale.to(torch.float32) if by_way_of_float32 else scale
    # to the format, to nearest even or up, then to the working dtype
    return cast(_round_to_row(y.to(torch.float64), row, _DIRECTIONS[rule]), scale.dtype)


def safe_scale(args: QuantizationArgs, scale: torch.Tensor) -> torch.Tensor:
    """What replaces a zero scale: by the format it was rounded to, in its own dtype."""
    own = constant(torch.finfo(scale.dtype).eps, scale.dtype, scale.device)
    if args.scale_format is None:
        return own
    safe = constant(args.scale_format.safe_scale, scale.dtype, scale.device)
    # float64's eps is no float16
    return torch.where(safe == 0, own, safe)


def _exponent_scale(
    amax: torch.Tensor, code: FloatFormat | IntFormat, row: FloatFormat | IntFormat, rule: str
) -> torch.Tensor:
    """The value of the scale's format at or beside amax / 2^emax, which is exact in float64."""
    y = amax.to(torch.float64)
    # beyond every format is as far as any; so no power of two of these overflows or is subnormal
    y = torch.where(y > 0, y.clamp(2.0**-_FAR, 2.0**_FAR), y)
    if rule == "even":
        anchor = exponent_bits(y, -_FAR).add_((52 - code.mantissa_bits) << 52).view(y.dtype)
        # to the mantissa bits of a code, to nearest, ties to even, by the addition
        y = (y + anchor) - anchor
    y = y * 2.0**-code.max_exponent
    # to the format, to one side, then to the working dtype
    return cast(_round_to_row(y, row, _DIRECTIONS[rule]), amax.dtype)


def _round_to_row(y: torch.Tensor, row: FloatFormat | IntFormat, direction: str) -> torch.Tensor:
    """The value of a format at or beside ``y``, float64, after saturation; NaN is 0 if it must.

    Down is toward zero, up away from it.
    """
    y = clamp(y, row.min, row.max).contiguous()
    if isinstance(row, FloatFormat):
        y = y.clone()
        round_to_format(y, row, direction)
    else:
        y = torch.copysign(_TO_INTEGER[direction](y.abs()), y)
    if not row.has_nan:
        y = nan_to(y, max(row.min, 0.0))
    return y if row.signed else y.abs()
