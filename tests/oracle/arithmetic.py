"""One elementary operation in a working dtype.

The exact result is rounded to float32 and then to the working dtype; for float64, once.
"""

from collections.abc import Callable

from . import number as exact
from .formats import FLOAT32, FLOAT64, FORMATS, Format
from .number import ONE, Number
from .rounding import Scalar, cast, round_to_format

WORKING = ("float16", "bfloat16", "float32", "float64")


def promote(a: str, b: str) -> str:
    """The working dtype of an operation on a and b; float16 with bfloat16 is float32."""
    if a == b:
        return a
    return "float64" if "float64" in (a, b) else "float32"


def wide(dtype: str) -> Format:
    """Where an operation of that working dtype is evaluated."""
    return FLOAT64 if dtype == "float64" else FLOAT32


def rounded(x: Number, dtype: str) -> Scalar:
    """An exact result as the hardware gives it: evaluated wide, then rounded to dtype."""
    return Scalar(round_to_format(FORMATS[dtype], round_to_format(wide(dtype), x)), dtype)


def elementary(op: Callable[[Number, Number], Number], a: Scalar, b: Scalar) -> Scalar:
    """One exact operation, rounded to the promoted dtype."""
    return rounded(op(a.number, b.number), promote(a.dtype, b.dtype))


def add(a: Scalar, b: Scalar) -> Scalar:
    """The sum in the promoted dtype."""
    return elementary(exact.add, a, b)


def subtract(a: Scalar, b: Scalar) -> Scalar:
    """The difference in the promoted dtype."""
    return elementary(exact.subtract, a, b)


def multiply(a: Scalar, b: Scalar) -> Scalar:
    """The product in the promoted dtype."""
    return elementary(exact.multiply, a, b)


def divide(a: Scalar, b: Scalar) -> Scalar:
    """The quotient in the promoted dtype."""
    return elementary(exact.divide, a, b)


def python_scalar(s: Number, dtype: str) -> Scalar:
    """A Python number, which is a float64, in another dtype."""
    return cast(Scalar(s, "float64"), dtype)


def add_scalar(x: Scalar, s: Number) -> Scalar:
    """The sum x + s; the Python scalar s is first rounded to x's dtype."""
    return add(x, python_scalar(s, x.dtype))


def subtract_from_scalar(s: Number, x: Scalar) -> Scalar:
    """The difference s - x; the Python scalar s is first rounded to x's dtype."""
    return subtract(python_scalar(s, x.dtype), x)


def multiply_scalar(x: Scalar, s: Number) -> Scalar:
    """The product x * s; the Python scalar s stays float32 (float64 for float64)."""
    return rounded(exact.multiply(x.number, python_scalar(s, wide(x.dtype).name).number), x.dtype)


def divide_by_scalar(x: Scalar, s: Number) -> Scalar:
    """The quotient x / s; the Python scalar s stays float32 (float64 for float64)."""
    return rounded(exact.divide(x.number, python_scalar(s, wide(x.dtype).name).number), x.dtype)


def divide_scalar(s: Number, x: Scalar) -> Scalar:
    """The quotient s / x by a Python scalar s: 1/x rounded, times s, rounded."""
    reciprocal = rounded(exact.divide(ONE, x.number), x.dtype)
    return multiply_scalar(reciprocal, s)
