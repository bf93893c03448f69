"""Elementary operations: the oracle, the hardware and the reference give the same bits."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import arithmetic as reference
from tests.oracle import arithmetic as exact
from tests.oracle.formats import FORMATS
from tests.oracle.number import Number, exactly
from tests.oracle.rounding import Scalar
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    array_of,
    assert_same,
    dtype_of,
    scalars_of,
)
from tests.reference.oracle_strategies import codes_near_anything

Operation = Callable[[Scalar, Scalar], Scalar]
Pair = tuple[Array, Array]

OPERATIONS: dict[str, tuple[Operation, Callable[[Array, Array], Array]]] = {
    "add": (exact.add, np.add),
    "subtract": (exact.subtract, np.subtract),
    "multiply": (exact.multiply, np.multiply),
    "divide": (exact.divide, np.divide),
}
SCALARS = [2688.0, 127.5, 7.5, 6.0, 448.0, 0.01, 0.99, 1 / 3, -128.0, 15.0, 896.0, 1e-3]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Two arrays of working dtypes, of one length."""
    names = draw(st.tuples(st.sampled_from(WORKING), st.sampled_from(WORKING)))
    length = draw(st.integers(1, 24))
    a, b = (
        array_of(draw(st.lists(codes_near_anything(n), min_size=length, max_size=length)), n)
        for n in names
    )
    return a, b


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(pair=pairs())
def test_operation_is_the_exact_result_rounded(name: str, pair: Pair) -> None:
    """An operation gives the exact result rounded to float32 and then to the working dtype."""
    a, b = pair
    operation, ufunc = OPERATIONS[name]
    expected = [operation(x, y) for x, y in zip(scalars_of(a), scalars_of(b), strict=True)]
    working = exact.promote(a.dtype.name, b.dtype.name)
    wide = dtype_of(exact.wide(working).name)
    with np.errstate(all="ignore"):
        hardware = ufunc(a.astype(wide), b.astype(wide)).astype(dtype_of(working))
    assert_same(hardware, expected, a, b)
    with np.errstate(all="ignore"):
        assert_same(getattr(reference, name)(a, b), expected, a, b)


@pytest.mark.parametrize("value", SCALARS)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(pair=pairs())
def test_python_scalars_follow_their_rules(value: float, pair: Pair) -> None:
    """A Python scalar stays wide in a product, and s / x is a rounded reciprocal times s."""
    x, _ = pair
    s = exactly_float(value)
    with np.errstate(all="ignore"):
        product = reference.multiply_scalar(x, value)
        quotient = reference.scalar_divide(value, x)
        total = reference.add(x, reference.scalar(value, x))
        difference = reference.subtract(reference.scalar(value, x), x)
    assert_same(product, [exact.multiply_scalar(v, s) for v in scalars_of(x)], x)
    assert_same(quotient, [exact.divide_scalar(s, v) for v in scalars_of(x)], x)
    assert_same(total, [exact.add_scalar(v, s) for v in scalars_of(x)], x)
    assert_same(difference, [exact.subtract_from_scalar(s, v) for v in scalars_of(x)], x)


@pytest.mark.parametrize("a", WORKING)
@pytest.mark.parametrize("b", WORKING)
def test_promotion_equals_the_oracle(a: str, b: str) -> None:
    """The working dtype of two dtypes holds every value of both."""
    dtype = exact.promote(a, b)
    assert reference.promote(dtype_of(a), dtype_of(b)).name == dtype
    for name in (a, b):
        assert FORMATS[name].mantissa_bits <= FORMATS[dtype].mantissa_bits
        assert FORMATS[name].exponent_bits <= FORMATS[dtype].exponent_bits


def exactly_float(value: float) -> Number:
    """The exact number of a Python float."""
    numerator, denominator = value.as_integer_ratio()
    return exactly(Fraction(numerator, denominator))
