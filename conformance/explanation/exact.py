"""Where a number lies between the numbers of a format, in rationals."""

from fractions import Fraction

import numpy as np

from qparity.reference import FORMATS, FloatFormat, IntFormat

from .steps import Rounding

Row = FloatFormat | IntFormat


def fraction(value: np.generic) -> Fraction | None:
    """A number exactly; None for NaN and the infinities."""
    number = float(value.astype(np.float64))
    return Fraction(number) if np.isfinite(number) else None


def rounding(exact: Fraction, result: np.generic, target: Row, source: Row | None) -> Rounding:
    """What became of an exact number that was rounded to a format.

    Args:
        exact: the number before.
        result: the number after.
        target: the format it was rounded to.
        source: the format that ``exact`` is a number of, which ulps are counted in; None if it is
            the exact result of an operation: then ulps are those of ``target``.
    """
    below, above = neighbours(exact, target)
    unit_row = target if source is None else source
    unit = gap(abs(below + above) / 2, unit_row)
    name = target.name
    return Rounding(
        *(exact, fraction(result), below, above, name, unit, unit_row.name),
        tie_goes=_tie_goes(below, above, target),
    )


def _tie_goes(below: Fraction, above: Fraction, row: Row) -> str:
    """Where the tie between two neighbours goes: that of an even mantissa, if there is one."""
    if isinstance(row, IntFormat):
        return "to even"
    beside_zero = 0 in (below, above)
    if row.mantissa_bits == 0:
        return "to zero" if beside_zero else "away from zero, as there is no mantissa"
    return "to zero" if beside_zero and not row.has_subnormals else "to even"


def neighbours(value: Fraction, row: Row) -> tuple[Fraction, Fraction]:
    """The numbers of a format, if it had no largest, next to a value; twice itself if it is one."""
    step = gap(abs(value), row)
    if isinstance(row, FloatFormat) and not row.has_subnormals:
        least = Fraction(row.smallest_normal)
        step = least if abs(value) < least else step
    below = step * (value // step)
    return (below, below) if below == value else (below, below + step)


def nearest(value: Fraction, row: FloatFormat) -> Fraction | None:
    """A value rounded to a float format, ties to even; None where that overflows."""
    below, above = neighbours(value, row)
    middle = (below + above) / 2
    if value != middle:
        rounded = below if value < middle else above
    else:
        rounded = below if (below / gap(abs(value), row)) % 2 == 0 else above
    return None if abs(rounded) > Fraction(row.max) else rounded


def gap(magnitude: Fraction, row: Row) -> Fraction:
    """The distance between neighbours of a format, at a magnitude."""
    if isinstance(row, IntFormat):
        return Fraction(1)
    exponent = row.min_exponent
    if magnitude:
        exponent = max(exponent, floor_log2(magnitude))
    return Fraction(2) ** (exponent - row.mantissa_bits)


def floor_log2(magnitude: Fraction) -> int:
    """The exponent of a positive number."""
    guess = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    return guess if Fraction(2) ** guess <= magnitude else guess - 1


def code_bits(value: np.generic, row: Row) -> int:
    """The code of a number of a format: two's complement, or sign, exponent and mantissa."""
    number = fraction(value)
    if number is None:
        raise ValueError(f"value: {value} has no code in {row.name}; allowed: a finite number")
    if isinstance(row, IntFormat):
        return int(number) & ((1 << row.bits) - 1)
    magnitude = abs(number)
    step = gap(magnitude, row)
    significand = int(magnitude / step)
    exponent = floor_log2(step) + row.mantissa_bits - row.min_exponent
    sign = int(np.signbit(value)) << (row.bits - 1)
    # without a zero, field 0 is a binade, too
    hidden = 0 if row.has_zero else 1 << row.mantissa_bits
    return sign | (exponent << row.mantissa_bits) + significand - hidden


def row_of(dtype: np.dtype) -> Row:
    """The row of a dtype in the table of formats."""
    return FORMATS["int8" if dtype.kind == "u" else dtype.name]
