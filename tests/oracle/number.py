"""Exact numbers: a rational, an infinity or NaN, with a sign that zero has too.

Two numbers are equal exactly when their bits mean the same: `-0 != +0`, `NaN == NaN`.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Number:
    """`kind` is "finite", "inf" or "nan"; `magnitude` is 0 unless finite."""

    kind: str
    negative: bool
    magnitude: Fraction

    @property
    def is_nan(self) -> bool:
        """Whether this is NaN."""
        return self.kind == "nan"

    @property
    def is_inf(self) -> bool:
        """Whether this is an infinity of either sign."""
        return self.kind == "inf"

    @property
    def is_zero(self) -> bool:
        """Whether this is a zero of either sign."""
        return self.kind == "finite" and self.magnitude == 0

    @property
    def value(self) -> Fraction:
        """The signed rational of a finite number."""
        if self.kind != "finite":
            raise ValueError(f"number: {self} has no rational value; allowed: finite")
        return -self.magnitude if self.negative else self.magnitude


NAN = Number("nan", False, Fraction(0))
INF = Number("inf", False, Fraction(0))
ZERO = Number("finite", False, Fraction(0))
ONE = Number("finite", False, Fraction(1))


def exactly(value: Fraction | int) -> Number:
    """The number of a rational; 0 is +0."""
    return Number("finite", value < 0, abs(Fraction(value)))


def negate(a: Number) -> Number:
    """The number with the other sign; NaN stays NaN."""
    return a if a.is_nan else Number(a.kind, not a.negative, a.magnitude)


def absolute(a: Number) -> Number:
    """The number without its sign."""
    return Number(a.kind, False, a.magnitude)


def add(a: Number, b: Number) -> Number:
    """Sum; inf - inf is NaN; a zero sum is -0 only when both are negative."""
    if a.is_nan or b.is_nan or (a.is_inf and b.is_inf and a.negative != b.negative):
        return NAN
    if a.is_inf or b.is_inf:
        return a if a.is_inf else b
    total = a.value + b.value
    if total == 0:
        return Number("finite", a.negative and b.negative, Fraction(0))
    return exactly(total)


def subtract(a: Number, b: Number) -> Number:
    """Difference: a + (-b)."""
    return add(a, negate(b))


def multiply(a: Number, b: Number) -> Number:
    """Product; 0 * inf is NaN; the sign is the product of the signs, of zeros too."""
    if a.is_nan or b.is_nan or (a.is_zero and b.is_inf) or (a.is_inf and b.is_zero):
        return NAN
    kind = "inf" if a.is_inf or b.is_inf else "finite"
    return Number(kind, a.negative != b.negative, a.magnitude * b.magnitude)


def divide(a: Number, b: Number) -> Number:
    """Quotient; 0/0 and inf/inf are NaN; a/0 is inf and a/inf is 0, signed."""
    if a.is_nan or b.is_nan or (a.is_zero and b.is_zero) or (a.is_inf and b.is_inf):
        return NAN
    negative = a.negative != b.negative
    if a.is_inf or b.is_zero:
        return Number("inf", negative, Fraction(0))
    return Number("finite", negative, Fraction(0) if b.is_inf else a.magnitude / b.magnitude)


def less(a: Number, b: Number) -> bool:
    """Whether a < b in the order of the extended reals; zeros are equal; false with NaN."""
    if a.is_nan or b.is_nan:
        return False
    if a.is_inf or b.is_inf:
        rank_a = (-1 if a.negative else 1) if a.is_inf else 0
        rank_b = (-1 if b.negative else 1) if b.is_inf else 0
        return rank_a < rank_b
    if a.negative != b.negative:
        return a.negative and not (a.is_zero and b.is_zero)
    return b.magnitude < a.magnitude if a.negative else a.magnitude < b.magnitude


def clamp(a: Number, low: Number, high: Number) -> Number:
    """The number within [low, high] nearest to a; NaN and the sign of zero are kept."""
    if less(a, low):
        return low
    return high if less(high, a) else a


def minimum(a: Number, b: Number) -> Number:
    """The smaller; NaN if either is; a zero is +0."""
    if a.is_nan or b.is_nan:
        return NAN
    smaller = a if less(a, b) else b
    return ZERO if smaller.is_zero else smaller


def maximum(a: Number, b: Number) -> Number:
    """The larger; NaN if either is; a zero is +0."""
    if a.is_nan or b.is_nan:
        return NAN
    larger = b if less(a, b) else a
    return ZERO if larger.is_zero else larger
