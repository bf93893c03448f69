"""Elementary operations: the oracle, the hardware and the reference give the same bits."""

from collections.abc import Callable
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from qparity.reference import arithmetic as reference
from qparity.reference.dtypes import promote
from tests.oracle import arithmetic as exact
from tests.oracle.formats import FORMATS
from tests.oracle.number import exactly
from tests.oracle.rounding import Scalar
from tests.reference.oracle_bridge import WORKING, Array, assert_same, dtype_of, scalars_of
from tests.reference.oracle_inputs import DETERMINISTIC, SEEDS, any_code, drawn

Operation = Callable[[Scalar, Scalar], Scalar]

OPERATIONS: dict[str, tuple[Operation, Callable[[Array, Array], Array]]] = {
    "add": (exact.add, np.add),
    "subtract": (exact.subtract, np.subtract),
    "multiply": (exact.multiply, np.multiply),
    "divide": (exact.divide, np.divide),
}
SCALARS = [2688.0, 127.5, 7.5, 6.0, 448.0, 0.01, 0.99, 1 / 3, -128.0, 15.0, 896.0, 1e-3]


@pytest.mark.parametrize("left", WORKING)
@pytest.mark.parametrize("right", WORKING)
@settings(DETERMINISTIC, max_examples=20)
@given(seed=SEEDS)
def test_operation_is_the_exact_result_rounded(left: str, right: str, seed: int) -> None:
    """An operation gives the exact result rounded to float32 and then to the working dtype."""
    rng = Random(seed)
    a, b = drawn(any_code, left, (16,), rng), drawn(any_code, right, (16,), rng)
    working = exact.promote(left, right)
    wide = dtype_of(exact.wide(working).name)
    for name, (operation, ufunc) in OPERATIONS.items():
        expected = [operation(x, y) for x, y in zip(scalars_of(a), scalars_of(b), strict=True)]
        with np.errstate(all="ignore"):
            hardware = ufunc(a.astype(wide), b.astype(wide)).astype(dtype_of(working))
            ours = getattr(reference, name)(a, b)
        assert_same(hardware, expected, a, b)
        assert_same(ours, expected, a, b)


@pytest.mark.parametrize("name", WORKING)
@settings(DETERMINISTIC, max_examples=8)
@given(seed=SEEDS)
def test_python_scalars_follow_their_rules(name: str, seed: int) -> None:
    """A Python scalar stays wide in a product, and s / x is a rounded reciprocal times s."""
    x = drawn(any_code, name, (16,), Random(seed))
    values = scalars_of(x)
    for value in SCALARS:
        s = exactly(Fraction(value))
        with np.errstate(all="ignore"):
            product = reference.multiply_scalar(x, value)
            quotient = reference.scalar_divide(value, x)
            total = reference.add(x, reference.scalar(value, x))
            difference = reference.subtract(reference.scalar(value, x), x)
        assert_same(product, [exact.multiply_scalar(v, s) for v in values], x)
        assert_same(quotient, [exact.divide_scalar(s, v) for v in values], x)
        assert_same(total, [exact.add_scalar(v, s) for v in values], x)
        assert_same(difference, [exact.subtract_from_scalar(s, v) for v in values], x)


@pytest.mark.parametrize("a", WORKING)
@pytest.mark.parametrize("b", WORKING)
def test_promotion_equals_the_oracle(a: str, b: str) -> None:
    """The working dtype of two dtypes holds every value of both."""
    dtype = exact.promote(a, b)
    assert promote(dtype_of(a), dtype_of(b)).name == dtype
    for name in (a, b):
        assert FORMATS[name].mantissa_bits <= FORMATS[dtype].mantissa_bits
        assert FORMATS[name].exponent_bits <= FORMATS[dtype].exponent_bits
