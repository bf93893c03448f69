"""``FormatArgs``: args whose formats and scale rule are data, beyond those that upstream names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from .args import QuantizationArgs
from .checks import check_type
from .dtypes import SCALE_DTYPES, UINT8, as_dtype
from .formats import FLOAT8_E8M0FNU, FORMATS, FloatFormat, IntFormat

__all__ = ["SCALE_RULES", "FormatArgs"]

SCALE_RULES = ("nearest", "rceil", "floor", "ceil", "even")
_OF_EXPONENTS = ("floor", "ceil", "even")
_UNSIGNED = [IntFormat(bits=bits, signed=False) for bits in range(1, 9)]
NAMED_FORMATS: Mapping[str, FloatFormat | IntFormat] = MappingProxyType(
    {**FORMATS, FLOAT8_E8M0FNU.name: FLOAT8_E8M0FNU, **{row.name: row for row in _UNSIGNED}}
)
_MOST_BITS = 8
_FLOAT16_LEAST, _FLOAT16_MOST = 2.0**-24, 65504.0
_FLOAT32_LEAST, _FLOAT32_MOST = 2.0**-149, 2.0**127


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class FormatArgs(QuantizationArgs):
    """How one tensor is quantized to formats that are given as rows of data.

    The other fields are those of ``QuantizationArgs``, and mean the same. Every function that
    takes those args takes these, but for ``compress`` and ``decompress``: no checkpoint format of
    upstream holds them, and upstream refuses their JSON for its key ``"qparity"``.

    Attributes:
        num_bits: that of ``code_format``; not given.
        type: ``"int"`` or ``"float"``, as ``code_format`` is; not given.
        code_format: the row of the codes, of at most 8 bits, whose values float16 holds all; or
            a name, such as ``"float6_e3m2fn"`` or ``"uint4"``. One without a sign has to have a
            zero-point.
        scale_format: the row that the scale is rounded to, of at most 8 bits, or that of a dtype
            of scales; None: that of ``scale_dtype``, if there is one.
        scale_rule: ``"nearest"``; ``"rceil"``, up, so that no value is clipped; or the powers of
            two of the OCP specification: ``"floor"`` of the exponent of the largest magnitude,
            ``"ceil"``, and ``"even"``, which first rounds it to the mantissa bits of a code.

    Raises:
        TypeError: if a field has a value of the wrong type.
        ValueError: if a value, or a combination of values, is not allowed.

    Source: SPEC section 5, and the OCP Microscaling specification, section 6.3, for ``floor``.

    >>> from .formats import FLOAT4_E2M1FN, FLOAT8_E8M0FNU
    >>> mxfp4 = {"code_format": FLOAT4_E2M1FN, "scale_format": FLOAT8_E8M0FNU, "group_size": 32}
    >>> args = FormatArgs(scale_rule="floor", **mxfp4)
    >>> args.num_bits, args.type, args.strategy
    (4, 'float', 'group')
    """

    num_bits: int = field(init=False, default=8)
    type: str = field(init=False, default="int")
    code_format: FloatFormat | IntFormat = FORMATS["int8"]
    scale_format: FloatFormat | IntFormat | None = None
    scale_rule: str = "nearest"

    def __post_init__(self) -> None:
        """Normalise the fields, then check the combinations."""
        self._set("code_format", _row("code_format", self.code_format))
        self._set("num_bits", self.code_format.bits)
        self._set("type", "int" if isinstance(self.code_format, IntFormat) else "float")
        if self.zp_dtype is None and self.code_format.dtype == UINT8 and self.type == "int":
            self._set("zp_dtype", UINT8)
        QuantizationArgs.__post_init__(self)
        self._set("scale_format", self._scale_row())
        check_type("scale_rule", self.scale_rule, str)
        self._check_codes()
        self._check_scale()
        self._check_rule()

    @property
    def is_mx(self) -> bool:
        """False: MX is the plain args of upstream's rule; these have their own."""
        return False

    @property
    def resolved_scale_dtype(self) -> np.dtype | None:
        """``scale_dtype``; nothing is implied."""
        return self.scale_dtype

    def _scale_row(self) -> FloatFormat | IntFormat | None:
        """The format of the scale; where it is that of a dtype of scales, both fields say so."""
        if self.scale_dtype == UINT8:
            raise ValueError(
                "scale_dtype: 'uint8' is not allowed; allowed: a float dtype, or "
                "scale_format=IntFormat(bits=8, signed=False)"
            )
        of_dtype = None if self.scale_dtype is None else FORMATS[self.scale_dtype.name]
        if self.scale_format is None:
            return of_dtype
        row = _row("scale_format", self.scale_format)
        if of_dtype is not None and of_dtype != row:
            raise ValueError(
                f"scale_format: {row.name} is not allowed with scale_dtype {of_dtype.name}; "
                "allowed: one of the two, or both alike"
            )
        names = [dtype.name for dtype in SCALE_DTYPES]
        if isinstance(row, FloatFormat) and FORMATS.get(row.name) == row and row.name in names:
            self._set("scale_dtype", as_dtype(row.name, "scale_dtype", SCALE_DTYPES))
        return row

    def _check_format(self) -> None:
        """Any number of bits, and any symmetry, that ``_check_codes`` lets through."""

    def _check_codes(self) -> None:
        row = self.code_format
        if not _holds_codes(row):
            raise ValueError(
                f"code_format: {row.name}, {_least(row)} to {row.max}, is not allowed; allowed: "
                "at most 8 bits, with a zero, and values that float16 holds, 2^-24 to 65504"
            )
        if self.symmetric and row.min == 0:
            raise ValueError(
                f"symmetric: True is not allowed for {row.name}, which has no sign; allowed: False"
            )
        if not self.symmetric and row.max - row.min > _FLOAT16_MOST:
            raise ValueError(
                f"symmetric: False is not allowed for {row.name}, whose range is wider than that "
                "of float16; allowed: True"
            )

    def _check_scale(self) -> None:
        row = self.scale_format
        if row is None or self.scale_dtype is not None:
            return
        if not _holds_scales(row):
            raise ValueError(
                f"scale_format: {row.name}, {_least(row)} to {row.max}, is not allowed; allowed: "
                "at most 8 bits and values of float32, 2^-149 to 2^127, or the format of a "
                "scale_dtype"
            )

    def _check_rule(self) -> None:
        if self.scale_rule not in SCALE_RULES:
            raise ValueError(
                f"scale_rule: {self.scale_rule!r} is not allowed; allowed: {list(SCALE_RULES)}"
            )
        if self.scale_rule == "nearest":
            return
        if self.scale_format is None or self.scale_format.bits > _MOST_BITS:
            raise ValueError(
                f"scale_rule: {self.scale_rule!r} is not allowed for a scale of more than 8 bits; "
                "allowed: 'nearest', or a scale_format of at most 8 bits"
            )
        two_parts = not self.symmetric or self.strategy == "tensor_group"
        if self.scale_rule in _OF_EXPONENTS and two_parts:
            raise ValueError(
                f"scale_rule: {self.scale_rule!r} is not allowed with a zero-point or with "
                "strategy 'tensor_group'; allowed: 'nearest', 'rceil'"
            )


def _row(name: str, value: object) -> FloatFormat | IntFormat:
    if isinstance(value, str) and value in NAMED_FORMATS:
        return NAMED_FORMATS[value]
    if not isinstance(value, (FloatFormat, IntFormat)):
        error = ValueError if isinstance(value, str) else TypeError
        fits = _holds_codes if name == "code_format" else _holds_named_scales
        raise error(
            f"{name}: {value!r} is not allowed; allowed: a FloatFormat, an IntFormat, or one of "
            f"{[key for key, row in NAMED_FORMATS.items() if fits(row)]}"
        )
    return value


def _least(row: FloatFormat | IntFormat) -> float:
    return 1.0 if isinstance(row, IntFormat) else row.smallest


def _holds_codes(row: FloatFormat | IntFormat) -> bool:
    """At most 8 bits, with a zero, and values that float16 holds."""
    held = _least(row) >= _FLOAT16_LEAST and row.max <= _FLOAT16_MOST
    return row.bits <= _MOST_BITS and held and row.min <= 0


def _holds_scales(row: FloatFormat | IntFormat) -> bool:
    """At most 8 bits, with a positive value, and values that float32 holds."""
    least = _least(row)
    return row.bits <= _MOST_BITS and _FLOAT32_LEAST <= least <= row.max <= _FLOAT32_MOST


def _holds_named_scales(row: FloatFormat | IntFormat) -> bool:
    """The same, or the format of a ``scale_dtype``."""
    return _holds_scales(row) or row.name in [dtype.name for dtype in SCALE_DTYPES]
