"""The scale of a symmetric range as steps: a quotient, or made from exponents (SPEC 5 and 6)."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from qparity.reference import QuantizationArgs
from qparity.reference.args import EXPONENT_RULES
from qparity.reference.formats import float_format
from qparity.reference.scales import symmetric_scale

from ..bits import Array, bits_of
from . import operations
from .exact import floor_log2, fraction, gap, rounding
from .steps import Rounding, Step
from .words import distance_of


def scale_steps(amax: Array, args: QuantizationArgs) -> Iterator[Step]:
    """The steps whose last is the scale, before a global scale and its own rounding."""
    if args.is_mx:
        yield from _mx(amax, args)
    elif args.scale_rule in EXPONENT_RULES:
        yield from _of_exponents(amax, args)
    else:
        half = (args.code_format.max - args.code_format.min) / 2
        divisor = operations.scalar(half, amax)
        yield operations.divide("scale", f"amax / {half:g}", 5, amax, divisor)


def _of_exponents(amax: Array, args: QuantizationArgs) -> Iterator[Step]:
    """amax, for ``even`` to the mantissa bits of a code; / 2^emax; to a side, in its format."""
    row, code, rule = args.scale_format, args.code_format, args.scale_rule
    assert row is not None
    scale, exact = symmetric_scale(amax, args), fraction(amax[0])
    if not exact:
        formula = f"amax / 2^{code.max_exponent}, rule {rule}"
        yield operations.plain("scale", formula, 5, scale)
        return
    if rule == "even":
        found = _to_mantissa(exact, code.mantissa_bits, amax.dtype)
        assert found.result is not None
        exact = found.result
        yield Step("amax", f"amax to {found.target}", 5, _number(exact, amax.dtype), found)
    exact /= Fraction(2) ** code.max_exponent
    yield Step("quotient", f"amax / 2^{code.max_exponent}", 5, _number(exact, amax.dtype))
    note = f"saturated at {row.max:g}" if exact > row.max else ""
    note = f"{row.min:g} is the least scale" if exact < row.min else note
    limited = min(max(exact, Fraction(row.min)), Fraction(row.max))
    # in float64, which holds every scale; then in the working dtype, which may not
    wide = symmetric_scale(amax.astype(np.float64), args)
    whole = fraction(wide[0]) == fraction(scale[0])
    value = (scale if whole else wide)[0]
    found = replace(rounding(limited, value, row, float_format(amax.dtype.name)), rule=rule)
    yield Step("scale", f"quotient in {row.name}", 5, value, found, note)
    if not whole:
        yield operations.cast("scale", f"scale in {amax.dtype.name}", 5, wide, amax.dtype)


def _to_mantissa(exact: Fraction, bits: int, dtype: np.dtype) -> Rounding:
    """A positive number to some mantissa bits, to nearest, ties to even."""
    row = float_format(dtype.name)
    step = Fraction(2) ** (floor_log2(exact) - bits)
    below = step * (exact // step)
    above = below if below == exact else below + step
    unit = gap((below + above) / 2, row)
    target = f"{bits} mantissa bit{'s' * (bits != 1)}"
    return Rounding(exact, step * round(exact / step), below, above, target, unit, row.name)


def _number(exact: Fraction, dtype: np.dtype) -> np.generic:
    """A positive number in a dtype, or in float64 if that does not hold it; beyond is infinity."""
    most = Fraction(float(np.finfo(np.float64).max))
    wide = np.array([float(exact) if exact <= most else np.inf], np.float64)
    with np.errstate(all="ignore"):
        narrow = wide.astype(dtype)
    value = (narrow if fraction(narrow[0]) == exact else wide)[0]
    assert isinstance(value, np.generic)
    return value


def _mx(amax: Array, args: QuantizationArgs) -> Iterator[Step]:
    """field = (bits + 2^(M-m-1)) >> M; scale = 2^(127 + field - B - offset - 127)."""
    row, scale = float_format(amax.dtype.name), symmetric_scale(amax, args)
    mantissa, offset = 3 if args.num_bits == 6 else 1, 8 if args.num_bits == 8 else 2
    if np.isfinite(amax).all():
        half = 1 << (row.mantissa_bits - mantissa - 1)
        field = (bits_of(amax).astype(np.int64) + half) >> row.mantissa_bits
        code = np.clip(127 + field - row.bias - offset, 0, 254) if field[0] else field
        formula = f"(bits + {half:#x}) >> {row.mantissa_bits}"
        note = _threshold(amax, mantissa)
        yield operations.plain("field", formula, 6, field.astype(np.uint16), note)
        formula = f"127 + field - {row.bias} - {offset}, in 0 to 254"
        yield operations.plain("exponent", formula, 6, code.astype(np.uint8))
    yield operations.plain("scale", "2^(exponent - 127)", 6, scale)


def _threshold(amax: Array, mantissa: int) -> str:
    """Where the largest magnitude stands to the one that rounds up to the next power of two."""
    value = fraction(amax[0])
    if not value:
        return "zero"
    power = Fraction(2) ** floor_log2(value)
    border = power * (2 - Fraction(1, 2 ** (mantissa + 1)))
    ulp = power / 2 ** float_format(amax.dtype.name).mantissa_bits
    apart = abs(value - border) / ulp
    side = "below" if value < border else "above"
    where = f"{distance_of(abs(value - border), apart)} {side}" if apart else "at"
    way = "down" if value < border else "up"
    return f"to the power of two {way}: {where} {float(border):g}"
