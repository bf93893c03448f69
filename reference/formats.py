"""The number formats, as rows of data (SPEC section 2)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import ml_dtypes
import numpy as np

from .checks import check_range, check_type

__all__ = [
    "FLOAT4_E2M1FN",
    "FLOAT6_E2M3FN",
    "FLOAT6_E3M2FN",
    "FLOAT8_E4M3FN",
    "FLOAT8_E8M0FNU",
    "FORMATS",
    "FloatFormat",
    "IntFormat",
]


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format: sign, exponent and mantissa fields, and its specials.

    A value is a whole number of steps, 2 ** (e - mantissa_bits) near 2 ** e. What is not given
    is made from the rest: the name, the bias of IEEE 754, the largest value.

    Attributes:
        name: the name that ml_dtypes and the OCP specifications use, or one like theirs.
        exponent_bits: width of the exponent field, 1 to 11.
        mantissa_bits: width of the stored mantissa field, 0 to 52.
        bias: exponent bias; by default ``2 ** (exponent_bits - 1) - 1``.
        max: largest finite value; by default that of the last code that is no infinity or NaN.
        has_inf: whether the format has infinities, in its last exponent field, with NaN.
        has_nan: whether the format has NaN: all ones, or the rest of the field of infinity.
        signed: whether there is a sign; without one the least value is ``smallest`` or zero.
        has_zero: whether there is a zero; without one field 0 is an ordinary binade.
        has_subnormals: whether field 0 has the multiples of the smallest step; else it is zero.

    Raises:
        TypeError: if a field has a value of the wrong type.
        ValueError: if a value, or a combination of values, is not allowed.

    >>> FloatFormat(exponent_bits=3, mantissa_bits=2) == FORMATS["float6_e3m2fn"]
    True
    >>> ue5m3 = FloatFormat(exponent_bits=5, mantissa_bits=3, has_nan=True, signed=False)
    >>> ue5m3.name, ue5m3.bits, ue5m3.max
    ('float8_e5m3fnu', 8, 114688.0)
    """

    name: str = ""
    exponent_bits: int = 0
    mantissa_bits: int = 0
    bias: int = None  # type: ignore[assignment] # made from the rest
    max: float = None  # type: ignore[assignment] # made from the rest
    has_inf: bool = False
    has_nan: bool = False
    signed: bool = True
    has_zero: bool = True
    has_subnormals: bool = True

    def __post_init__(self) -> None:
        """Fill in what is not given, and check."""
        check_type("name", self.name, str)
        check_range("exponent_bits", self.exponent_bits, 1, 11)
        check_range("mantissa_bits", self.mantissa_bits, 0, 52)
        for field in ("has_inf", "has_nan", "signed", "has_zero", "has_subnormals"):
            check_type(field, getattr(self, field), bool)
        ieee_bias = 2 ** (self.exponent_bits - 1) - 1
        object.__setattr__(self, "bias", ieee_bias if self.bias is None else self.bias)
        check_range("bias", self.bias, -1100, 1100)
        self._check_specials()
        largest = self._largest()
        self._check_max(largest)
        object.__setattr__(self, "max", largest if self.max is None else float(self.max))
        object.__setattr__(self, "name", self.name or self._name(self.bias != ieee_bias))

    @property
    def bits(self) -> int:
        """Width of a code."""
        return int(self.signed) + self.exponent_bits + self.mantissa_bits

    @property
    def min(self) -> float:
        """Least finite value: ``-max``; without a sign 0, or ``smallest`` if there is no zero."""
        if self.signed:
            return -self.max
        return 0.0 if self.has_zero else self.smallest

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal, which the subnormals share."""
        return int(self.has_zero) - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest power of two, emax of the OCP specification."""
        return math.frexp(self.max)[1] - 1

    @property
    def smallest_normal(self) -> float:
        """``2 ** min_exponent``."""
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self) -> float:
        """``2 ** (min_exponent - mantissa_bits)``, the step around zero."""
        return 2.0 ** (self.min_exponent - self.mantissa_bits)

    @property
    def smallest(self) -> float:
        """Smallest positive value."""
        stepwise = self.has_zero and self.has_subnormals
        return self.smallest_subnormal if stepwise else self.smallest_normal

    @property
    def safe_scale(self) -> float:
        """What a scale of zero becomes: the step above 1, or the value in range next to that."""
        return min(max(2.0**-self.mantissa_bits, self.smallest), self.max)

    @property
    def dtype(self) -> np.dtype:
        """The numpy or ml_dtypes dtype of the format; uint8, the bits, where there is none."""
        known = FORMATS.get(self.name) == self
        return np.dtype(getattr(ml_dtypes, self.name, self.name) if known else np.uint8)

    def _check_specials(self) -> None:
        if self.has_inf and not (self.has_nan and self.mantissa_bits):
            raise ValueError(
                "has_inf: True is not allowed without NaN, or without mantissa bits to tell them "
                "apart; allowed: with has_nan=True and mantissa_bits of 1 or more"
            )
        if not self.has_zero and (self.signed or self.has_subnormals):
            raise ValueError(
                "has_zero: False is not allowed with a sign or subnormals; "
                "allowed: with signed=False, has_subnormals=False"
            )

    def _largest(self) -> float:
        """The value of the last code that is finite."""
        field, steps = 2**self.exponent_bits - 1, 2 ** (self.mantissa_bits + 1) - 1
        if self.has_inf or (self.has_nan and not self.mantissa_bits):
            field -= 1
        elif self.has_nan:
            steps -= 1
        if field < 1:
            raise ValueError(
                f"exponent_bits: {self.exponent_bits} leaves no normal value beside the specials; "
                "allowed: more bits"
            )
        if field - self.bias > 1023 or self.min_exponent - self.mantissa_bits < -1074:
            raise ValueError(
                f"bias: {self.bias} puts values beyond those of float64; "
                "allowed: one whose values float64 holds"
            )
        return math.ldexp(steps, field - self.bias - self.mantissa_bits)

    def _check_max(self, largest: float) -> None:
        if self.max is None:
            return
        check_type("max", self.max, float)
        in_range = self.smallest_normal <= self.max <= largest
        if not in_range or math.ldexp(self.max, self.mantissa_bits - self.max_exponent) % 1 != 0:
            raise ValueError(
                f"max: {self.max} is not allowed; allowed: None, or a normal value of the format "
                f"up to {largest}"
            )

    def _name(self, with_bias: bool) -> str:
        name = f"float{self.bits}_e{self.exponent_bits}m{self.mantissa_bits}"
        name += f"b{self.bias}" if with_bias else ""
        name += "" if self.has_inf else "fn"
        return name + ("" if self.signed else "u")


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
FLOAT6_E3M2FN = float_format("float6_e3m2fn")
FLOAT8_E4M3FN = float_format("float8_e4m3fn")
# of scales alone, powers of two without a zero; no library's cast is its rounding, so no dtype
FLOAT8_E8M0FNU = FloatFormat(
    exponent_bits=8, has_nan=True, signed=False, has_zero=False, has_subnormals=False
)
