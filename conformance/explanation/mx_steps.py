"""The scale of a symmetric range as steps: a quotient, or made from exponents (SPEC 5 and 6)."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from qparity.reference import QuantizationArgs
from qparity.reference.args import EXPONENT_RULES
from qparity.reference.formats import float_format
from qparity.reference.scales import symmetric_scale

from ..bits import Array, bits_of
from . import operations
from .exact import floor_log2, fraction
from .steps import Step


def scale_steps(amax: Array, args: QuantizationArgs) -> Iterator[Step]:
    """The steps whose last is the scale, before a global scale and its own rounding."""
    if args.is_mx:
        yield from _mx(amax, args)
    elif args.scale_rule in EXPONENT_RULES:
        formula = f"amax / 2^{args.code_format.max_exponent}, rule {args.scale_rule}"
        yield operations.plain("scale", formula, 5, symmetric_scale(amax, args))
    else:
        half = (args.code_format.max - args.code_format.min) / 2
        divisor = operations.scalar(half, amax)
        yield operations.divide("scale", f"amax / {half:g}", 5, amax, divisor)


def _mx(amax: Array, args: QuantizationArgs) -> Iterator[Step]:
    """field = (bits + 2^(M-m-1)) >> M; scale = 2^(127 + field - B - offset - 127)."""
    row, scale = float_format(amax.dtype.name), symmetric_scale(amax, args)
    mantissa, offset = 3 if args.num_bits == 6 else 1, 8 if args.num_bits == 8 else 2
    if np.isfinite(amax).all():
        half = 1 << (row.mantissa_bits - mantissa - 1)
        field = (bits_of(amax).astype(np.int64) + half) >> row.mantissa_bits
        code = np.clip(127 + field - row.bias - offset, 0, 254) if field[0] else field
        formula = f"(bits + {half:#x}) >> {row.mantissa_bits}"
        note = _threshold(amax, mantissa)
        yield operations.plain("field", formula, 6, field.astype(np.uint16), note)
        formula = f"127 + field - {row.bias} - {offset}, in 0 to 254"
        yield operations.plain("exponent", formula, 6, code.astype(np.uint8))
    yield operations.plain("scale", "2^(exponent - 127)", 6, scale)


def _threshold(amax: Array, mantissa: int) -> str:
    """Where the largest magnitude stands to the one that rounds up to the next power of two."""
    value = fraction(amax[0])
    if not value:
        return "zero"
    power = Fraction(2) ** floor_log2(value)
    border = power * (2 - Fraction(1, 2 ** (mantissa + 1)))
    ulp = power / 2 ** float_format(amax.dtype.name).mantissa_bits
    apart = abs(value - border) / ulp
    where = f"{float(apart):g} ulp {'below' if value < border else 'above'}" if apart else "at"
    way = "down" if value < border else "up"
    return f"to the power of two {way}: {where} {float(border):g}"
