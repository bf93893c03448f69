"""From a range to a scale, by the rule and the format of the scale (SPEC section 5).

The rules of plain args: ``"nearest"``, and ``"mx"`` of section 6. Others, for ``FormatArgs``:

    rule     what is rounded to the scale's format                         to the value
    nearest  amax / half the range of the codes, times the global scale    nearest, ties to even
    rceil    the same                                                      at or above: none clips
    floor    amax / 2^emax, emax the exponent of the largest code          at or below
    ceil     the same                                                      at or above
    even     the same of amax rounded to the mantissa bits of a code       at or below
"""

from collections.abc import Mapping

import ml_dtypes
import numpy as np

from .args import EXPONENT_RULES, QuantizationArgs
from .arithmetic import cast, clamp, divide, scalar
from .dtypes import FLOAT32, FLOAT64, Array
from .formats import FLOAT4_E2M1FN, FloatFormat, IntFormat
from .mx import mx_scale
from .rounding import round_to_format, round_to_quantized_type_dtype
from .tables import tabulated

_DIRECTIONS: Mapping[str, str] = {
    "nearest": "nearest",
    "rceil": "up",
    "floor": "down",
    "ceil": "up",
    "even": "down",
}
_TO_INTEGER = {"nearest": np.rint, "down": np.floor, "up": np.ceil}


def symmetric_scale(amax: Array, args: QuantizationArgs) -> Array:
    """The scale of the largest magnitude: a quotient still to be rounded, or made from exponents.

    scale = amax / half the range of the codes; or by SPEC section 6; or by a rule of exponents.
    """
    if args.is_mx:
        return mx_scale(amax, args.num_bits)
    if args.scale_rule in EXPONENT_RULES:
        rows = args.code_format, args.scale_format
        return tabulated(_exponent_scale, amax, *rows, args.scale_rule)
    half_range = (args.code_format.max - args.code_format.min) / 2
    return divide(amax, scalar(half_range, amax))


def round_scale(scale: Array, args: QuantizationArgs) -> Array:
    """A quotient rounded to the format of the scale, and returned to its own dtype."""
    row, dtype = args.scale_format, args.resolved_scale_dtype
    if row is None or args.scale_rule in EXPONENT_RULES:
        return scale
    if dtype is not None and args.scale_rule == "nearest":
        return round_to_quantized_type_dtype(scale, dtype)
    return tabulated(_quotient_scale, scale, row, args.scale_rule)


def safe_scale(args: QuantizationArgs, working: np.dtype) -> Array:
    """What replaces a zero scale: by the format it was rounded to, in the working dtype."""
    row = args.scale_format
    value = float(ml_dtypes.finfo(working).eps) if row is None else row.safe_scale
    safe = cast(np.array([value], FLOAT64), working)
    return safe if safe[0] > 0 else np.array([ml_dtypes.finfo(working).eps], working)


def _exponent_scale(
    amax: Array, code: FloatFormat | IntFormat, row: FloatFormat | IntFormat, rule: str
) -> Array:
    """The value of the scale's format at or beside amax / 2^emax, which is exact in float64."""
    # what is less than 2^-900 of float64 is as that: below every format, and not zero
    exact = np.where(amax > 0, np.maximum(amax.astype(FLOAT64), 2.0**-900), amax.astype(FLOAT64))
    if rule == "even":
        mantissa, exponent = np.frexp(exact)
        # to the mantissa bits of a code, to nearest, ties to even
        steps = np.rint(np.ldexp(mantissa, code.mantissa_bits + 1))
        exact = np.ldexp(steps, exponent - code.mantissa_bits - 1)
    # to the format, to one side, then to the working dtype
    return cast(
        _round_to_row(np.ldexp(exact, -code.max_exponent), row, _DIRECTIONS[rule]), amax.dtype
    )


def _quotient_scale(scale: Array, row: FloatFormat | IntFormat, rule: str) -> Array:
    by_way_of_float32 = rule == "nearest" and row != FLOAT4_E2M1FN and isinstance(row, FloatFormat)
    single = cast(scale, FLOAT32) if by_way_of_float32 else scale
    # to the format, to nearest even or up, then to the working dtype
    return cast(_round_to_row(single.astype(FLOAT64), row, _DIRECTIONS[rule]), scale.dtype)


def _round_to_row(y: Array, row: FloatFormat | IntFormat, direction: str) -> Array:
    """The value of a format at or beside ``y``, float64, after saturation; NaN is 0 if it must.

    Down is toward zero, up away from it.
    """
    y = clamp(y, row.min, row.max)
    if isinstance(row, FloatFormat):
        rounded = round_to_format(y, row, direction)
    else:
        rounded = np.copysign(_TO_INTEGER[direction](np.abs(y)), y)
    if not row.has_nan:
        rounded = np.where(np.isnan(rounded), max(row.min, 0.0), rounded)
    return rounded if row.signed else np.abs(rounded)
