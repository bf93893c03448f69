"""Rounding at every code and every midpoint, and 2 ulp around, against the exact oracle."""

from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from qparity.reference import (
    QuantizationArgs,
    calculate_range,
    round_to_quantized_type_args,
    round_to_quantized_type_dtype,
)
from tests.oracle import rounding as exact
from tests.oracle.args import calculate_range as exact_range
from tests.oracle.formats import FORMATS, INTEGER_BITS, Format, integer_range, magnitude
from tests.oracle.rounding import Scalar
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    array_of,
    assert_same,
    codes_of,
    dtype_of,
    oracle_args,
    scalar_of,
    scalars_of,
)
from tests.reference.oracle_inputs import (
    DETERMINISTIC,
    SEEDS,
    any_code,
    code_near,
    drawn,
    midpoint,
    moved,
    special_codes,
)

NARROW = ["float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e4m3fn", "float8_e5m2"]
HALVES = ["float16", "bfloat16"]
INTEGERS = list(INTEGER_BITS)
TYPES = [("int", bits) for bits in range(1, 9)] + [("float", bits) for bits in (4, 6, 8)]
ULPS = range(-2, 3)


def codes_around(name: str, values: Iterable[Fraction]) -> list[int]:
    """Codes of a working dtype 0 to 2 ulp from each value, of both signs, and specials."""
    fmt = FORMATS[name]
    codes = {moved(fmt, code_near(fmt, value), ulps) for value in values for ulps in ULPS}
    return sorted(codes | {code + fmt.sign_bit for code in codes} | set(special_codes(fmt)))


@cache
def inputs_for_float(target: str, name: str) -> Array:
    """Every code and every midpoint of a narrow format, and what is 2 ulp around, in a dtype."""
    fmt = FORMATS[target]
    codes = range(fmt.largest_code + 1)
    values = [magnitude(fmt, code) for code in codes] + [midpoint(fmt, code) for code in codes]
    return array_of(codes_around(name, values), name)


@cache
def inputs_for_integers(low: int, high: int, name: str) -> Array:
    """Every integer and half-integer of a range and one beyond, and what is 2 ulp around."""
    halves = range(2 * max(-low, high) + 4)
    return array_of(codes_around(name, [Fraction(half, 2) for half in halves]), name)


def inputs_for_half(target: str, name: str) -> Array:
    """Midpoints of a 16-bit format in a wider dtype, with alternate signs.

    float32: every midpoint, and for each fifth one what is 1 or 2 ulp from it, in turn; float64:
    each 11th. Every 64th and the last with all of what is 2 ulp around, and its code.
    """
    fmt, own = FORMATS[target], FORMATS[name]
    found = set(special_codes(own))
    for code in range(0, fmt.largest_code + 1, 1 if name == "float32" else 11):
        sign = own.sign_bit if code % 2 else 0
        tie = code_near(own, midpoint(fmt, code))
        found.add(tie + sign)
        if code % 5 == 0:
            found.add(moved(own, tie, (-2, -1, 1, 2)[code // 5 % 4]) + sign)
        if code % 64 == 0 or code > fmt.largest_code - 8:
            found |= {moved(own, tie, ulps) + sign for ulps in ULPS}
            found.add(code_near(own, magnitude(fmt, code)) + sign)
    return array_of(sorted(found), name)


def check_dtype(x: Array, target: str) -> None:
    """Both verbs of rounding to a dtype equal the oracle on x, and x stays as it was."""
    before = codes_of(x)
    expected = [exact.round_to_quantized_type_dtype(v, target, False) for v in scalars_of(x)]
    narrow = round_to_quantized_type_dtype(x, dtype_of(target), cast_to_original_dtype=False)
    assert_same(narrow, expected, x, shape=x.shape)
    back = round_to_quantized_type_dtype(x, dtype_of(target))
    returned = {value: exact.cast(value, x.dtype.name) for value in set(expected)}
    assert_same(back, [returned[value] for value in expected], x, shape=x.shape)
    assert codes_of(x) == before


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("target", NARROW)
def test_rounding_to_a_narrow_dtype(target: str, name: str) -> None:
    """Each code and midpoint of a narrow format, 2 ulp around too, rounds as the oracle says."""
    check_dtype(inputs_for_float(target, name), target)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("target", INTEGERS)
def test_rounding_to_an_integer_dtype(target: str, name: str) -> None:
    """Each integer and half-integer, 2 ulp around too, rounds as the oracle says."""
    low, high = (int(end.value) for end in integer_range(target))
    check_dtype(inputs_for_integers(low, high, name), target)


@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize("target", HALVES)
def test_rounding_to_a_half_dtype(target: str, name: str) -> None:
    """Midpoints of the 16-bit formats, 2 ulp around too, round as the oracle says."""
    check_dtype(inputs_for_half(target, name), target)


@pytest.mark.parametrize(("target", "name"), [HALVES, HALVES[::-1]])
def test_rounding_between_halves(target: str, name: str) -> None:
    """Every fifth float16 rounds to bfloat16 as the oracle says, and the other way round."""
    codes = {*range(0, 1 << 16, 5), *special_codes(FORMATS[name])}
    check_dtype(array_of(sorted(codes), name), target)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("target", WORKING)
@settings(DETERMINISTIC, max_examples=10)
@given(seed=SEEDS)
def test_rounding_to_a_working_dtype(target: str, name: str, seed: int) -> None:
    """A working dtype, wider ones included, rounds to another as the oracle says."""
    check_dtype(drawn(any_code, name, (4, 10), Random(seed)), target)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
def test_rounding_to_a_quantized_type(kind: str, num_bits: int, name: str) -> None:
    """Each code and midpoint of a quantized type, 2 ulp around too, rounds as the oracle says."""
    args = QuantizationArgs(num_bits=num_bits, type=kind)
    own = oracle_args(args)
    low, high = exact_range(own)
    if kind == "int":
        x = inputs_for_integers(int(low.value), int(high.value), name)
    else:
        x = inputs_for_float(own.format.name, name)
    for keep in (True, False):
        expected = [
            exact.round_to_quantized_type_args(v, own, low, high, keep) for v in scalars_of(x)
        ]
        actual = round_to_quantized_type_args(x, args, *calculate_range(args), keep)
        assert_same(actual, expected, x, shape=x.shape)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("target", [*NARROW, *HALVES])
def test_ml_dtypes_casts_what_is_clamped_to_the_same(target: str, name: str) -> None:
    """Where float32 is on the way, the cast of ml_dtypes equals the oracle."""
    if target in HALVES:
        codes = sorted({*codes_around(name, sample_of_midpoints(FORMATS[target]))})
        x = array_of(codes, name)
    else:
        x = inputs_for_float(target, name)
    x = x[np.isfinite(x)]
    last = FORMATS[target].max
    x = x[[not exact_beyond(v, last.value) for v in scalars_of(x)]]
    wide = x.astype(np.float32)
    if target == "float4_e2m1fn":
        x = wide
    expected = [exact.round_to_quantized_type_dtype(v, target, False) for v in scalars_of(x)]
    assert_same(wide.astype(dtype_of(target)), expected, x)


def exact_beyond(x: Scalar, last: Fraction) -> bool:
    """Whether a finite number is outside of [-last, last]."""
    return x.number.magnitude > last


def sample_of_midpoints(fmt: Format) -> list[Fraction]:
    """Each 29th midpoint of a format."""
    return [midpoint(fmt, code) for code in range(0, fmt.largest_code, 29)]


@pytest.mark.parametrize("target", NARROW)
def test_nearest_even_is_the_nearest_of_all_codes(target: str) -> None:
    """The oracle's rounding picks the nearest of all enumerated values, the even of two."""
    fmt, rng = FORMATS[target], Random(target)
    values = [magnitude(fmt, code) for code in range(fmt.largest_code + 1)]
    ties = [midpoint(fmt, code) for code in range(fmt.largest_code)]
    between = [tie + rng.choice((-1, 1)) * Fraction(1, 2**80) for tie in ties]
    for value in [*values, *ties, *between]:
        distances = [abs(value - other) for other in values]
        least = min(distances)
        nearest = [code for code, distance in enumerate(distances) if distance == least]
        assert exact.nearest_even(fmt, value) in nearest
        assert len(nearest) == 1 or exact.nearest_even(fmt, value) % 2 == 0


@pytest.mark.parametrize("target", [*HALVES, "float32", "float64"])
@settings(DETERMINISTIC, max_examples=20)
@given(seed=SEEDS)
def test_nearest_even_is_the_nearest_of_two_neighbours(target: str, seed: int) -> None:
    """The oracle's rounding picks the nearer of the two values found by bisection of all codes."""
    fmt, rng = FORMATS[target], Random(seed)
    codes = range(fmt.largest_code + 1)
    for _ in range(8):
        wide = scalar_of(any_code("float64", rng), "float64").number.magnitude
        tie = midpoint(fmt, rng.randrange(fmt.largest_code))
        near_tie = tie * (1 + rng.randint(-1, 1) * Fraction(1, 2**80))
        value = min(rng.choice([wide, near_tie]), fmt.max.value)
        below = bisect_right(codes, value, key=lambda code: magnitude(fmt, code)) - 1
        to_lower = value - magnitude(fmt, below)
        to_upper = magnitude(fmt, below + 1) - value
        if to_lower == to_upper:
            assert exact.nearest_even(fmt, value) == below + below % 2
        else:
            assert exact.nearest_even(fmt, value) == below + (to_upper < to_lower)
