"""What to feed the oracle: codes that seek ties, edges and specials.

Hypothesis chooses dtypes, args and shapes and a seed; the codes of an array come from the seed.
A report shows the bits of each element that differs, so that nothing needs to shrink.
"""

from collections.abc import Callable
from fractions import Fraction
from random import Random

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.oracle.formats import FORMATS, Format, magnitude
from tests.oracle.rounding import nearest_even
from tests.reference.oracle_bridge import Array, array_of

# the same cases in every run, however slow the machine is
DETERMINISTIC = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
SEEDS = st.integers(0, 2**64 - 1)


def code_near(fmt: Format, value: Fraction) -> int:
    """The code of fmt nearest to value, at most the largest finite one, with its sign."""
    code = min(nearest_even(fmt, abs(value)), fmt.largest_code)
    return code + (fmt.sign_bit if value < 0 else 0)


def moved(fmt: Format, code: int, ulps: int) -> int:
    """The code some places further from zero, within zero and infinity."""
    unsigned, sign = code % fmt.sign_bit, code & fmt.sign_bit
    last = fmt.largest_code + (fmt.specials == "ieee")
    return min(max(unsigned + ulps, 0), last) + sign


def midpoint(fmt: Format, code: int) -> Fraction:
    """Half-way between a magnitude and the next, beyond the last one too."""
    return (magnitude(fmt, code) + magnitude(fmt, code + 1)) / 2


def special_codes(fmt: Format) -> list[int]:
    """Zero, the ends of the subnormals and of the range, one, infinity, NaN; of both signs."""
    one = fmt.bias << fmt.mantissa_bits
    normal = 1 << fmt.mantissa_bits
    magnitudes = [0, 1, 2, normal - 1, normal, one - 1, one, one + 1]
    magnitudes += [fmt.largest_code - 1, fmt.largest_code, fmt.largest_code + 1, fmt.sign_bit - 1]
    return [code + sign for code in magnitudes for sign in (0, fmt.sign_bit)]


def any_sign(fmt: Format, rng: Random) -> int:
    """The sign bit, or nothing."""
    return rng.choice((0, fmt.sign_bit))


def near(fmt: Format, value: Fraction, rng: Random) -> int:
    """The code of fmt nearest to value, or one up to 2 ulp from it."""
    return moved(fmt, code_near(fmt, value), rng.randint(-2, 2))


def ordinary_code(name: str, rng: Random) -> int:
    """The code of a magnitude between 2^-10 and 2^10."""
    fmt = FORMATS[name]
    low, high = max(1, fmt.bias - 10), fmt.bias + 10
    return rng.randint(low << fmt.mantissa_bits, high << fmt.mantissa_bits)


def any_code(name: str, rng: Random) -> int:
    """Any bits, an ordinary value, a special, or a code up to 2 ulp from a power of two."""
    fmt = FORMATS[name]
    match rng.randrange(4):
        case 0:
            return rng.getrandbits(fmt.bits)
        case 1:
            return ordinary_code(name, rng) + any_sign(fmt, rng)
        case 2:
            return rng.choice(special_codes(fmt))
    power = rng.randrange(1 << (fmt.exponent_bits + 1)) << fmt.mantissa_bits
    return moved(fmt, power, rng.randint(-2, 2))


def drawn(
    code: Callable[[str, Random], int], name: str, shape: tuple[int, ...], rng: Random
) -> Array:
    """An array of a dtype and shape, of codes that a function draws one by one."""
    size = 1
    for length in shape:
        size *= length
    return array_of([code(name, rng) for _ in range(size)], name, shape)
