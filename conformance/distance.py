"""How far an answer is from the right one: in codes where an operation yields codes, or in ulps."""

import numpy as np

from qparity.reference import FORMATS, QuantizationArgs

from .bits import Array, is_float, nan_mask, ordinals
from .case import Case
from .values import codes_of

__all__ = ["codes_yielded", "distance"]

_OF_ARGS = ("quantize", "round_to_quantized_type_args")
_NARROW = 8


def codes_yielded(case: Case) -> Array | None:
    """The codes that the answers of a case are among, ascending, as float64; None: any numbers."""
    args, dtype = case.inputs.get("args"), case.inputs.get("dtype")
    if case.op in _OF_ARGS and isinstance(args, QuantizationArgs):
        return codes_of(args.code_format).astype(np.float64)
    if case.op == "round_to_quantized_type_dtype" and isinstance(dtype, np.dtype):
        row = FORMATS.get(dtype.name)
        return None if row is None or row.bits > _NARROW else codes_of(row).astype(np.float64)
    return None


def distance(expected: np.generic, actual: np.generic, codes: Array | None = None) -> str:
    """How far apart two numbers of one dtype are.

    Args:
        expected: any number.
        actual: another, of the same dtype.
        codes: what ``codes_yielded`` gives: where both numbers are among them, codes are counted,
            in whatever dtype they come.

    Returns:
        ``"distance 1 code"`` for codes, integers and floats of 8 bits, else ``"distance 1 ulp"``.
    """
    both = np.array([expected, actual], expected.dtype)
    if nan_mask(both).any():
        return "one of them NaN"
    if codes is not None and np.isin(both.astype(np.float64), codes).all():
        low, high = (int(i) for i in np.searchsorted(codes, both.astype(np.float64)))
        apart, unit = abs(low - high), "code"
    elif is_float(both.dtype):
        low, high = (int(i) for i in ordinals(both))
        apart, unit = abs(low - high), "code" if both.dtype.itemsize == 1 else "ulp"
    else:
        apart, unit = abs(int(expected) - int(actual)), "code"
    if apart == 0:
        return "the sign of zero"
    return f"distance {apart:,} {unit}{'' if apart == 1 else 's'}"
