"""Where a code survives the way to its value and back: the domain of ``idempotent``."""

import math
from functools import lru_cache

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from ..values import codes_of
from .steps import (
    FLOAT32,
    FLOAT64,
    has_global_scale,
    holds_exactly,
    through_float32,
    unit_roundoff,
)

__all__ = ["codes_survive"]


@lru_cache(maxsize=256)
def codes_survive(args: QuantizationArgs, dtype: np.dtype) -> str:
    """Whether the quotient of a value by its scale is nearest to its own code.

    The value of k = code - zero-point is k * s rounded (to the working dtype, then to that of x),
    and its quotient by s is rounded again, in float64 once more before fp6 and fp8. Each rounding
    moves a number by a factor of at most 1 + u / (1 + u); k itself is held exactly, so that the
    quotient is off by a whole number of its last bits. The sum with the zero-point is rounded by
    at most u. The code survives where all that is less than half a step.
    """
    row = args.code_format
    working = FLOAT32 if has_global_scale(args) and dtype.itemsize < 4 else dtype
    roundings = [working, working] + ([dtype] if working != dtype else [])
    if dtype == FLOAT64 and through_float32(args):
        roundings.append(FLOAT32)
    factor = math.prod(1 + _relative(rounding) for rounding in roundings)
    codes = codes_of(row)
    gaps = np.diff(codes) / 2
    room = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))
    summed = 0.0
    differences = np.abs(codes)
    if not args.symmetric:
        differences = np.unique(np.abs(codes[:, None] - codes))
        room, summed = room.min(), unit_roundoff(working) * (row.max - row.min) / 2
    lost = _off_by((factor - 1) * differences, differences, working) + summed >= room
    exact = holds_exactly(differences, working)
    name = f"the roundings of {dtype.name} reach half a step of {row.name}"
    return "" if exact and not lost.any() else name


def _relative(dtype: np.dtype) -> float:
    """The most that a rounding moves a normal number, relative to it."""
    return unit_roundoff(dtype) / (1 + unit_roundoff(dtype))


def _off_by(most: Array, number: Array, dtype: np.dtype) -> Array:
    """The largest number of last bits of ``number - most`` within ``most``, as a number."""
    exponent = np.frexp(number - most)[1] - 1
    last_bit = np.ldexp(2 * unit_roundoff(dtype), exponent)
    return np.asarray(np.floor(most / last_bit) * last_bit)
