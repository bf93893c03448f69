"""Exact numbers, and distances between them, as a reader takes them."""

from decimal import Context, Decimal
from fractions import Fraction

__all__ = ["decimal_of", "distance_of"]

_FAR, _VERY_FAR = 64, 4096


def decimal_of(value: Fraction, digits: int) -> str:
    """A number in some digits; with dots where there are more."""
    number = Context(prec=digits).divide(Decimal(value.numerator), Decimal(value.denominator))
    text, e, exponent = f"{number:g}".partition("e")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text}{e}{exponent}" + ("" if Fraction(number) == value else "\N{HORIZONTAL ELLIPSIS}")


def distance_of(apart: Fraction, ulps: Fraction) -> str:
    """A distance above 0 in ulps, and where those are thousands, in value."""
    if ulps >= _VERY_FAR:
        return f"{float(apart):.3g} in value"
    whole = ulps.denominator == 1 or ulps >= _FAR
    return f"{round(ulps) if whole else f'{float(ulps):.3g}'} ulp{'s' if ulps > 1 else ''}"
