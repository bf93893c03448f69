"""Number formats as rows of data, and the exact value of each code.

    sign | exponent field | mantissa field
    field > 0:  2^(field - bias) * (1 + mantissa / 2^mantissa_bits)
    field = 0:  2^(1 - bias) * mantissa / 2^mantissa_bits

`specials` says which of these codes mean something else:
    "ieee"    the largest field is infinity (mantissa 0) and NaN
    "fn"      the code of all ones is NaN, there is no infinity
    "finite"  none
    "scale"   no sign, no zero (field 0 is 2^-bias), all ones is NaN
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

from .number import INF, NAN, Number, exactly, negate


@dataclass(frozen=True, eq=False)
class Format:
    """One row of the specification's table of formats."""

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    specials: str

    @cached_property
    def sign_bit(self) -> int:
        """The weight of the sign bit; the magnitudes are the codes below it."""
        return 1 << (self.exponent_bits + self.mantissa_bits)

    @cached_property
    def bits(self) -> int:
        """The width of a code."""
        return self.exponent_bits + self.mantissa_bits + (self.specials != "scale")

    @cached_property
    def largest_code(self) -> int:
        """The code of the largest finite magnitude."""
        if self.specials == "ieee":
            return self.sign_bit - (1 << self.mantissa_bits) - 1
        return self.sign_bit - (1 if self.specials == "finite" else 2)

    @property
    def max(self) -> Number:
        """The largest finite value."""
        return decode(self, self.largest_code)

    @property
    def min(self) -> Number:
        """The least finite value of a signed format."""
        return negate(self.max)

    @property
    def smallest_normal(self) -> Number:
        """The smallest value whose exponent field is not that of the subnormals."""
        return exactly(power_of_two((0 if self.specials == "scale" else 1) - self.bias))

    @property
    def eps(self) -> Number:
        """The gap between 1 and the next larger value."""
        return exactly(power_of_two(-self.mantissa_bits))


FLOAT4_E2M1FN = Format("float4_e2m1fn", 2, 1, 1, "finite")
FLOAT6_E2M3FN = Format("float6_e2m3fn", 2, 3, 1, "finite")
FLOAT6_E3M2FN = Format("float6_e3m2fn", 3, 2, 3, "finite")
FLOAT8_E4M3FN = Format("float8_e4m3fn", 4, 3, 7, "fn")
FLOAT8_E5M2 = Format("float8_e5m2", 5, 2, 15, "ieee")
FLOAT8_E8M0FNU = Format("float8_e8m0fnu", 8, 0, 127, "scale")
FLOAT16 = Format("float16", 5, 10, 15, "ieee")
BFLOAT16 = Format("bfloat16", 8, 7, 127, "ieee")
FLOAT32 = Format("float32", 8, 23, 127, "ieee")
FLOAT64 = Format("float64", 11, 52, 1023, "ieee")

FORMATS = {
    row.name: row
    for row in (
        FLOAT4_E2M1FN,
        FLOAT6_E2M3FN,
        FLOAT6_E3M2FN,
        FLOAT8_E4M3FN,
        FLOAT8_E5M2,
        FLOAT8_E8M0FNU,
        FLOAT16,
        BFLOAT16,
        FLOAT32,
        FLOAT64,
    )
}

INTEGER_BITS = {"int8": (True, 8), "uint8": (False, 8)}


def power_of_two(exponent: int) -> Fraction:
    """The rational 2^exponent."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def step_exponent(fmt: Format, field: int) -> int:
    """The exponent of the gap between neighbours of one exponent field."""
    lowest = 0 if fmt.specials == "scale" else 1
    return max(field, lowest) - fmt.bias - fmt.mantissa_bits


@lru_cache(maxsize=1 << 16)
def magnitude(fmt: Format, code: int) -> Fraction:
    """The value of a code without its sign, as if no code were special.

    Defined beyond the last code too: the value where the next one would stand.
    """
    field, steps = divmod(code, 1 << fmt.mantissa_bits)
    if field > 0 or fmt.specials == "scale":
        steps += 1 << fmt.mantissa_bits
    exponent = step_exponent(fmt, field)
    return Fraction(steps << exponent) if exponent >= 0 else Fraction(steps, 1 << -exponent)


@lru_cache(maxsize=1 << 16)
def decode(fmt: Format, code: int) -> Number:
    """The number that a code stands for. ValueError if there is no such code."""
    if not 0 <= code < 1 << fmt.bits:
        raise ValueError(f"code: {code} is none of {fmt.name}; allowed: 0..{(1 << fmt.bits) - 1}")
    unsigned, negative = code % fmt.sign_bit, code >= fmt.sign_bit
    if unsigned <= fmt.largest_code:
        return Number("finite", negative, magnitude(fmt, unsigned))
    if fmt.specials == "ieee" and unsigned == fmt.largest_code + 1:
        return negate(INF) if negative else INF
    return NAN


def integer_range(dtype: str) -> tuple[Number, Number]:
    """(least, greatest) of an integer dtype."""
    signed, bits = INTEGER_BITS[dtype]
    if signed:
        return exactly(-(1 << (bits - 1))), exactly((1 << (bits - 1)) - 1)
    return exactly(0), exactly((1 << bits) - 1)
