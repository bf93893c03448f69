"""Formats as data, by enumeration: every value of a row, and the one that a number rounds to.

Nothing is computed in closed form. A code's value follows from its two fields, all values are
listed, and rounding searches the list.
"""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import ceil, floor

from .formats import power_of_two
from .number import NAN, Number, clamp, exactly

DOWN, NEAREST, UP = "down", "nearest", "up"


@dataclass(frozen=True, slots=True)
class Row:
    """A format of at most 8 bits; `exponent_bits` 0 is an integer of `mantissa_bits` and a sign.

    `max` cuts off the codes of infinities, NaN, and any others that are no values.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int = 0
    max: Fraction | None = None
    has_nan: bool = False
    signed: bool = True
    has_zero: bool = True
    has_subnormals: bool = True

    @property
    def is_integer(self) -> bool:
        """Whether this is an integer."""
        return self.exponent_bits == 0

    @property
    def is_fp4(self) -> bool:
        """Whether this is e2m1, which float64 reaches directly, and whose zero is +0."""
        return self == E2M1

    @property
    def greatest(self) -> Fraction:
        """The largest value."""
        return magnitudes(self)[-1][0]

    @property
    def low(self) -> Number:
        """The least value."""
        if not self.signed:
            return exactly(magnitudes(self)[0][0])
        return exactly(-self.greatest - (1 if self.is_integer else 0))

    @property
    def high(self) -> Number:
        """The largest value."""
        return exactly(self.greatest)


E2M1 = Row(2, 1, 1, Fraction(6))


@cache
def magnitudes(row: Row) -> tuple[tuple[Fraction, int], ...]:
    """(value, its steps) of the codes without sign, ascending; the steps say which are even."""
    if row.is_integer:
        return tuple((Fraction(code), code) for code in range(1 << row.mantissa_bits))
    found = []
    for field in range(1 << row.exponent_bits):
        for mantissa in range(1 << row.mantissa_bits):
            steps, exponent = (1 << row.mantissa_bits) + mantissa, field - row.bias
            if field == 0 and row.has_zero:
                steps, exponent = mantissa, 1 - row.bias
                if mantissa and not row.has_subnormals:
                    continue
            value = steps * power_of_two(exponent - row.mantissa_bits)
            if row.max is None or value <= row.max:
                found.append((value, steps))
    return tuple(found)


def midpoints(row: Row) -> list[Fraction]:
    """Half-way between neighbours, and the same distance beyond the last."""
    values = [value for value, _ in magnitudes(row)]
    inside = [(low + high) / 2 for low, high in pairwise(values)]
    return [*inside, values[-1] + (values[-1] - values[-2]) / 2]


def round_to_row(row: Row, x: Number, direction: str = NEAREST) -> Number:
    """The value next to x, after saturation: nearest, ties to even steps; down to zero; or up.

    NaN is NaN, or where the row has none the least value that is not negative.
    """
    least = exactly(magnitudes(row)[0][0])
    if x.is_nan:
        return NAN if row.has_nan else least
    x = clamp(x, row.low, row.high)
    negative = x.negative and row.signed
    if row.is_integer:
        to_integer = {DOWN: floor, NEAREST: round, UP: ceil}[direction]
        return Number("finite", negative, Fraction(to_integer(x.magnitude)))
    values = [value for value, _ in magnitudes(row)]
    below = bisect_right(values, x.magnitude) - 1
    place = below
    if values[below] != x.magnitude:
        to_lower, to_upper = x.magnitude - values[below], values[below + 1] - x.magnitude
        odd = magnitudes(row)[below][1] % 2 == 1
        nearer_up = to_upper < to_lower or (to_upper == to_lower and odd)
        place += {DOWN: False, NEAREST: nearer_up, UP: True}[direction]
    return Number("finite", negative, values[place])
