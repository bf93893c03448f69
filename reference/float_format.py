"""A float format, as a row of data (SPEC section 2)."""

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from .checks import check_range, check_type
from .float_rows import FLOAT_ROWS

__all__ = ["FloatFormat"]

# the one format without a zero that has a name of its own
_E8M0 = "float8_e8m0fnu"


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A binary floating-point format: sign, exponent and mantissa fields, and its specials.

    A value is a whole number of steps, 2 ** (e - mantissa_bits) near 2 ** e. What is not given
    is made from the rest: the name, the bias of IEEE 754, the largest value.

    Attributes:
        name: the name that ml_dtypes and the OCP specifications use, or one like theirs; if made,
            none that they have for other values: ``"float8_e4m3fn_nonan"``.
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

    >>> FloatFormat(exponent_bits=3, mantissa_bits=2).name
    'float6_e3m2fn'
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
        name = self._name(self.bias != ieee_bias)
        object.__setattr__(self, "name", self.name or name + self._unlike(name, largest))

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
        fields = (self.exponent_bits, self.mantissa_bits, self.bias, self.max)
        row = (*fields, self.has_inf, self.has_nan)
        usual = self.signed and self.has_zero and self.has_subnormals
        known = usual and FLOAT_ROWS.get(self.name) == row
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

    def _unlike(self, name: str, largest: float) -> str:
        """What to add to a name that another format has: ``_nonan``, ``_max240`` and so on."""
        without_zero = name == _E8M0
        row = FLOAT_ROWS.get(name)
        if row is None and not without_zero:
            return ""
        has_nan = without_zero or (row is not None and row[-1])
        unlike = {
            "nan" if self.has_nan else "nonan": self.has_nan != has_nan,
            "zero": without_zero and self.has_zero,
            "nosub": self.has_zero and not self.has_subnormals,
            f"max{self.max:g}": self.max != largest,
        }
        return "".join(f"_{part}" for part, differs in unlike.items() if differs)
