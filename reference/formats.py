"""The number formats, as rows of data (SPEC section 2)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .checks import check_range, check_type
from .float_format import FloatFormat
from .float_rows import FLOAT_ROWS

__all__ = [
    "FLOAT4_E2M1FN",
    "FLOAT6_E2M3FN",
    "FLOAT6_E3M2FN",
    "FLOAT8_E4M3FN",
    "FLOAT8_E5M2",
    "FLOAT8_E8M0FNU",
    "FORMATS",
    "FloatFormat",
    "IntFormat",
]


@dataclass(frozen=True, slots=True)
class IntFormat:
    """An integer of ``bits`` bits: two's complement, stored in int8, or without a sign in uint8.

    Attributes:
        name: ``"int4"``, ``"uint4"``; made from the rest if not given.
        bits: 1 to 8.
        signed: whether there is a sign.

    Raises:
        TypeError: if a field has a value of the wrong type.
        ValueError: if there are other bits than 1 to 8.

    >>> IntFormat(bits=4, signed=False).max
    15.0
    """

    name: str = ""
    bits: int = 8
    signed: bool = True

    def __post_init__(self) -> None:
        """Fill in the name, and check."""
        check_type("name", self.name, str)
        check_range("bits", self.bits, 1, 8)
        check_type("signed", self.signed, bool)
        name = f"{'' if self.signed else 'u'}int{self.bits}"
        object.__setattr__(self, "name", self.name or name)

    @property
    def min(self) -> float:
        """``-2 ** (bits - 1)``, or 0 without a sign."""
        return -(2.0 ** (self.bits - 1)) if self.signed else 0.0

    @property
    def max(self) -> float:
        """``2 ** (bits - 1) - 1``, or ``2 ** bits - 1`` without a sign."""
        return 2.0 ** (self.bits - int(self.signed)) - 1.0

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest power of two."""
        return math.frexp(self.max)[1] - 1

    @property
    def mantissa_bits(self) -> int:
        """Bits of ``max`` after the first one."""
        return max(self.max_exponent, 0)

    @property
    def has_nan(self) -> bool:
        """Integers have no NaN."""
        return False

    @property
    def safe_scale(self) -> float:
        """What a scale of zero becomes: 1."""
        return 1.0

    @property
    def dtype(self) -> np.dtype:
        """The dtype its codes are stored in."""
        return np.dtype(np.int8 if self.signed else np.uint8)


FORMATS: Mapping[str, FloatFormat | IntFormat] = MappingProxyType(
    {name: FloatFormat(name, *row) for name, row in FLOAT_ROWS.items()}
    | {f"int{bits}": IntFormat(f"int{bits}", bits) for bits in range(1, 9)}
)


def float_format(name: str) -> FloatFormat:
    """The row of a float format, by name.

    Raises:
        ValueError: if there is no float format of that name.
    """
    row = FORMATS.get(name)
    if not isinstance(row, FloatFormat):
        allowed = list(FLOAT_ROWS)
        raise ValueError(f"format: {name!r} is not a float format; allowed: {allowed}")
    return row


FLOAT4_E2M1FN = float_format("float4_e2m1fn")
FLOAT6_E2M3FN = float_format("float6_e2m3fn")
FLOAT6_E3M2FN = float_format("float6_e3m2fn")
FLOAT8_E4M3FN = float_format("float8_e4m3fn")
FLOAT8_E5M2 = float_format("float8_e5m2")
# of scales alone, powers of two without a zero; no library's cast is its rounding, so no dtype
FLOAT8_E8M0FNU = FloatFormat(
    exponent_bits=8, has_nan=True, signed=False, has_zero=False, has_subnormals=False
)
