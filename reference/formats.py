"""The number formats, as rows of data (SPEC section 2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import ml_dtypes
import numpy as np

__all__ = ["FLOAT4_E2M1FN", "FLOAT6_E2M3FN", "FLOAT8_E4M3FN", "FORMATS", "FloatFormat", "IntFormat"]


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format: sign, exponent and mantissa fields, and its specials.

    Attributes:
        name: the name that ml_dtypes and the OCP specifications use.
        exponent_bits: width of the exponent field.
        mantissa_bits: width of the stored mantissa field.
        bias: exponent bias; the smallest normal is ``2 ** (1 - bias)``.
        max: largest finite value; ``min`` is its negative.
        has_inf: whether the format has infinities.
        has_nan: whether the format has NaN.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    max: float
    has_inf: bool
    has_nan: bool

    @property
    def bits(self) -> int:
        """Width of a code."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def min(self) -> float:
        """Smallest finite value, ``-max``."""
        return -self.max

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal, which the subnormals share."""
        return 1 - self.bias

    @property
    def smallest_normal(self) -> float:
        """``2 ** min_exponent``."""
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self) -> float:
        """``2 ** (min_exponent - mantissa_bits)``, the step around zero."""
        return 2.0 ** (self.min_exponent - self.mantissa_bits)

    @property
    def dtype(self) -> np.dtype:
        """The numpy or ml_dtypes dtype of the same name."""
        return np.dtype(getattr(ml_dtypes, self.name, self.name))


@dataclass(frozen=True, slots=True)
class IntFormat:
    """A two's complement integer of ``bits`` bits, stored in int8."""

    name: str
    bits: int

    @property
    def min(self) -> float:
        """``-2 ** (bits - 1)``."""
        return -(2.0 ** (self.bits - 1))

    @property
    def max(self) -> float:
        """``2 ** (bits - 1) - 1``."""
        return 2.0 ** (self.bits - 1) - 1.0

    @property
    def dtype(self) -> np.dtype:
        """The dtype its codes are stored in."""
        return np.dtype(np.int8)


_FLOAT_ROWS = (
    #            name             e   m   bias  max                    inf    nan
    FloatFormat("float4_e2m1fn", 2, 1, 1, 6.0, False, False),
    FloatFormat("float6_e2m3fn", 2, 3, 1, 7.5, False, False),
    FloatFormat("float6_e3m2fn", 3, 2, 3, 28.0, False, False),
    FloatFormat("float8_e4m3fn", 4, 3, 7, 448.0, False, True),
    FloatFormat("float8_e5m2", 5, 2, 15, 57344.0, True, True),
    FloatFormat("float16", 5, 10, 15, 65504.0, True, True),
    FloatFormat("bfloat16", 8, 7, 127, float(ml_dtypes.finfo(ml_dtypes.bfloat16).max), True, True),
    FloatFormat("float32", 8, 23, 127, float(np.finfo(np.float32).max), True, True),
    FloatFormat("float64", 11, 52, 1023, float(np.finfo(np.float64).max), True, True),
)

FORMATS: Mapping[str, FloatFormat | IntFormat] = MappingProxyType(
    {row.name: row for row in _FLOAT_ROWS}
    | {f"int{bits}": IntFormat(f"int{bits}", bits) for bits in range(1, 9)}
)


def float_format(name: str) -> FloatFormat:
    """The row of a float format, by name.

    Raises:
        ValueError: if there is no float format of that name.
    """
    row = FORMATS.get(name)
    if not isinstance(row, FloatFormat):
        allowed = [r.name for r in _FLOAT_ROWS]
        raise ValueError(f"format: {name!r} is not a float format; allowed: {allowed}")
    return row


FLOAT4_E2M1FN = float_format("float4_e2m1fn")
FLOAT6_E2M3FN = float_format("float6_e2m3fn")
FLOAT8_E4M3FN = float_format("float8_e4m3fn")
