"""What to feed the oracle: Hypothesis strategies that seek ties, edges and specials."""

from fractions import Fraction

from hypothesis import strategies as st

from tests.oracle.formats import FORMATS, Format, magnitude
from tests.oracle.rounding import nearest_even


def code_near(fmt: Format, value: Fraction) -> int:
    """The code of fmt nearest to value, at most the largest finite one, with its sign."""
    code = min(nearest_even(fmt, abs(value)), fmt.largest_code)
    return code + (fmt.sign_bit if value < 0 else 0)


def moved(fmt: Format, code: int, ulps: int) -> int:
    """The code some places further from zero, within zero and infinity."""
    unsigned, sign = code % fmt.sign_bit, code & fmt.sign_bit
    last = fmt.largest_code + (fmt.specials == "ieee")
    return min(max(unsigned + ulps, 0), last) + sign


def special_codes(fmt: Format) -> list[int]:
    """Zero, the ends of the subnormals and of the range, one, infinity, NaN; of both signs."""
    one = fmt.bias << fmt.mantissa_bits
    normal = 1 << fmt.mantissa_bits
    magnitudes = [0, 1, 2, normal - 1, normal, one - 1, one, one + 1]
    magnitudes += [fmt.largest_code - 1, fmt.largest_code, fmt.largest_code + 1, fmt.sign_bit - 1]
    return [code + sign for code in magnitudes for sign in (0, fmt.sign_bit)]


def codes_near_anything(name: str) -> st.SearchStrategy[int]:
    """Codes of a dtype: any bits, specials, powers of two, and what is within 2 ulp of them."""
    fmt = FORMATS[name]
    ulps = st.integers(-2, 2)
    powers = st.integers(0, (1 << (fmt.exponent_bits + 1)) - 1).map(
        lambda field: field << fmt.mantissa_bits
    )
    near_powers = st.builds(lambda code, n: moved(fmt, code, n), powers, ulps)
    any_bits = st.integers(0, (1 << fmt.bits) - 1)
    return st.one_of(
        any_bits, ordinary_codes(name), near_powers, st.sampled_from(special_codes(fmt))
    )


def ordinary_codes(name: str) -> st.SearchStrategy[int]:
    """Codes of magnitudes between 2^-10 and 2^10, of both signs."""
    fmt = FORMATS[name]
    low = max(1, fmt.bias - 10) << fmt.mantissa_bits
    high = (fmt.bias + 10) << fmt.mantissa_bits
    unsigned = st.integers(low, high)
    return st.builds(lambda code, sign: code + sign, unsigned, st.sampled_from([0, fmt.sign_bit]))


def midpoint(fmt: Format, code: int) -> Fraction:
    """Half-way between a magnitude and the next, beyond the last one too."""
    return (magnitude(fmt, code) + magnitude(fmt, code + 1)) / 2
