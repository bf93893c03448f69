"""The operations of SPEC section 4 as steps: the reference computes, rationals watch."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from qparity.reference import FloatFormat, IntFormat, arithmetic

from ..bits import Array
from .exact import fraction, rounding, row_of
from .steps import Step

Exact = Callable[[Fraction, Fraction], Fraction | None]


def divide(name: str, formula: str, section: int, a: Array, b: Array) -> Step:
    """``a / b`` as a step."""
    value = arithmetic.divide(a, b)
    return _operation(name, formula, section, value, a, b, lambda p, q: p / q if q else None)


def multiply(name: str, formula: str, section: int, a: Array, b: Array) -> Step:
    """``a * b`` as a step."""
    return _operation(name, formula, section, arithmetic.multiply(a, b), a, b, lambda p, q: p * q)


def add(name: str, formula: str, section: int, a: Array, b: Array) -> Step:
    """``a + b`` as a step."""
    return _operation(name, formula, section, arithmetic.add(a, b), a, b, lambda p, q: p + q)


def subtract(name: str, formula: str, section: int, a: Array, b: Array) -> Step:
    """``a - b`` as a step."""
    return _operation(name, formula, section, arithmetic.subtract(a, b), a, b, lambda p, q: p - q)


def multiply_scalar(name: str, formula: str, section: int, x: Array, number: float) -> Step:
    """``x * number`` as a step; the number stays in float32 (float64 for float64)."""
    value = arithmetic.multiply_scalar(x, number)
    wide = arithmetic.evaluation_dtype(x.dtype)
    scalar = np.array([number], np.float64).astype(wide)
    return _operation(name, formula, section, value, x, scalar, lambda p, q: p * q)


def scalar(value: float, like: Array) -> Array:
    """A Python scalar as an operand of ``+``, ``-`` and ``/``."""
    return arithmetic.scalar(value, like)


def plain(name: str, formula: str, section: int, value: Array, note: str = "") -> Step:
    """A step in which nothing can be rounded."""
    return Step(name, formula, section, _one(value), None, note)


def cast(name: str, formula: str, section: int, x: Array, dtype: np.dtype) -> Step:
    """``x`` rounded to a dtype, as a step."""
    return rounded(name, formula, section, arithmetic.cast(x, dtype), x)


def clamp(name: str, formula: str, section: int, x: Array, low: float, high: float) -> Step:
    """``x`` limited to a range, as a step."""
    value = arithmetic.clamp(x, low, high)
    changed = arithmetic.bits(value) != arithmetic.bits(x)
    note = "saturated" if changed.any() and not np.isnan(x).any() else ""
    return plain(name, formula, section, value, note)


def rounded(
    name: str,
    formula: str,
    section: int,
    value: Array,
    source: Array,
    target: FloatFormat | IntFormat | None = None,
    note: str = "",
    rule: str = "nearest",
) -> Step:
    """A number and what it was rounded to, as a step; ulps are those of the number's dtype."""
    exact, result = fraction(_one(source)), _one(value)
    row = row_of(result.dtype) if target is None else target
    found = None if exact is None else rounding(exact, result, row, row_of(source.dtype))
    found = None if found is None else replace(found, rule=rule)
    return Step(name, formula, section, result, found, note)


def _operation(
    name: str, formula: str, section: int, value: Array, a: Array, b: Array, exactly: Exact
) -> Step:
    operands = fraction(_one(a)), fraction(_one(b))
    result = _one(value)
    exact = None if None in operands else exactly(*operands)  # type: ignore[arg-type]
    found = None if exact is None else rounding(exact, result, row_of(result.dtype), None)
    return Step(name, formula, section, result, found)


def _one(array: Array) -> np.generic:
    (value,) = array.reshape(1)
    assert isinstance(value, np.generic)
    return value
