"""The table of formats and the ranges, against the exact value of each code."""

from fractions import Fraction

import numpy as np
import pytest

from qparity.reference import FORMATS as REFERENCE_FORMATS
from qparity.reference import FloatFormat, QuantizationArgs, calculate_range
from tests.oracle.args import calculate_range as exact_range
from tests.oracle.formats import FORMATS, decode
from tests.oracle.number import Number, exactly
from tests.reference.oracle_bridge import array_of, dtype_of, oracle_args, scalars_of

NARROW = [name for name, row in FORMATS.items() if row.bits <= 16]
SIGNED = [name for name, row in FORMATS.items() if row.specials != "scale"]
TYPES = [("int", bits) for bits in range(1, 9)] + [("float", bits) for bits in (4, 6, 8)]

# name: bits, max, smallest normal, smallest subnormal, infinities, NaN codes
TABLE = {
    "float4_e2m1fn": (4, Fraction(6), Fraction(1), Fraction(1, 2), [], []),
    "float6_e2m3fn": (6, Fraction(15, 2), Fraction(1), Fraction(1, 8), [], []),
    "float6_e3m2fn": (6, Fraction(28), Fraction(1, 4), Fraction(1, 16), [], []),
    "float8_e4m3fn": (8, Fraction(448), Fraction(1, 64), Fraction(1, 512), [], [0x7F, 0xFF]),
    "float8_e5m2": (
        8,
        Fraction(57344),
        Fraction(1, 2**14),
        Fraction(1, 2**16),
        [0x7C, 0xFC],
        [0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF],
    ),
    "float8_e8m0fnu": (8, Fraction(2**127), Fraction(1, 2**127), Fraction(1, 2**127), [], [0xFF]),
}


def patterned_codes(name: str) -> list[int]:
    """Codes of a wide format: each exponent field with the mantissas next to its ends."""
    row = FORMATS[name]
    full = (1 << row.mantissa_bits) - 1
    mantissas = (0, 1, full // 2, full // 2 + 1, full - 1, full)
    fields = range(1 << (row.exponent_bits + 1))
    return [(field << row.mantissa_bits) + mantissa for field in fields for mantissa in mantissas]


@pytest.mark.parametrize("name", NARROW)
def test_every_code_has_the_value_that_ml_dtypes_gives_it(name: str) -> None:
    """The oracle and ml_dtypes read every code of a format as the same number."""
    codes = list(range(1 << FORMATS[name].bits))
    with np.errstate(invalid="ignore"):
        widened = array_of(codes, name).astype(np.float64)
    assert [decode(FORMATS[name], code) for code in codes] == [
        scalar.number for scalar in scalars_of(widened)
    ]


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_wide_codes_have_the_value_that_python_gives_them(name: str) -> None:
    """The oracle and Python read a binary32 or binary64 code as the same rational."""
    for code in patterned_codes(name):
        number = decode(FORMATS[name], code)
        value = float(array_of([code], name)[0])
        if np.isfinite(value):
            assert number == Number("finite", bool(np.signbit(value)), abs(Fraction(value)))
        else:
            assert (number.is_nan, number.is_inf) == (np.isnan(value), np.isinf(value))


@pytest.mark.parametrize("name", TABLE)
def test_formats_are_those_of_the_specification(name: str) -> None:
    """The oracle's rows have the limits and special codes of the specification's table."""
    row = FORMATS[name]
    values = [decode(row, code) for code in range(1 << row.bits)]
    subnormal = min(v.magnitude for v in values if v.kind == "finite" and not v.is_zero)
    assert (
        row.bits,
        row.max.value,
        row.smallest_normal.value,
        subnormal,
        [code for code, v in enumerate(values) if v.is_inf],
        [code for code, v in enumerate(values) if v.is_nan],
    ) == TABLE[name]


def test_reference_has_every_format() -> None:
    """The reference's table holds each signed format of the specification and int1 to int8."""
    assert set(REFERENCE_FORMATS) == {*SIGNED, *(f"int{bits}" for bits in range(1, 9))}


@pytest.mark.parametrize("name", SIGNED)
def test_reference_rows_equal_the_oracle(name: str) -> None:
    """A row of the reference's table has the fields and limits that the codes have."""
    row, exact = REFERENCE_FORMATS[name], FORMATS[name]
    assert isinstance(row, FloatFormat)
    assert row.bits == exact.bits
    assert exactly(Fraction(row.max)) == exact.max
    assert exactly(Fraction(row.min)) == exact.min
    assert row.dtype == dtype_of(name)
    assert row.exponent_bits == exact.exponent_bits
    assert row.mantissa_bits == exact.mantissa_bits
    assert row.bias == exact.bias
    assert exactly(Fraction(row.smallest_normal)) == exact.smallest_normal
    assert exactly(Fraction(row.smallest_subnormal)) == decode(exact, 1)
    assert row.has_inf == (exact.specials == "ieee")
    assert row.has_nan == (exact.specials != "finite")


@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
def test_ranges_equal_the_oracle(kind: str, num_bits: int) -> None:
    """The range of a quantized type is that of its codes."""
    args = QuantizationArgs(num_bits=num_bits, type=kind)
    q_min, q_max = calculate_range(args)
    expected = exact_range(oracle_args(args))
    assert (exactly(Fraction(q_min)), exactly(Fraction(q_max))) == expected
