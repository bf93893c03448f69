"""Faults of the rounding to a code: other rules for ties, and other dtypes on the way."""

from collections.abc import Callable

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from ..values import codes_of
from .arithmetic import BF16, F16, F32, F64, cast
from .fault import Fault, Step
from .variant import Variant, exact

_OPERATIONS = ("round_to_quantized_type_args", "quantize", "fake_quantize", "compress")
Rule = Callable[[Array, Array, Array], Array]


def _to_larger_magnitude(z: Array, lower: Array, upper: Array) -> Array:
    return np.where(z < 0, lower, upper)


def _to_smaller_magnitude(z: Array, lower: Array, upper: Array) -> Array:
    return np.where(z < 0, upper, lower)


def _ties(pick: Rule) -> Step:
    """To nearest, with a rule for ties."""

    def rule(z: Array, lower: Array, upper: Array) -> Array:
        middle = (lower + upper) / 2
        nearest = np.where(z > middle, upper, lower)
        return np.where(z == middle, pick(z, lower, upper), nearest)

    return _by(rule)


def _by(rule: Rule) -> Step:
    """A rule that picks one of the two neighbours of a value that is no code."""

    def to_codes(v: Variant, y: Array, args: QuantizationArgs, low: float, high: float) -> Array:
        rounded: Array = exact(v, "to_codes")(y, args, low, high)
        z = np.nan_to_num(np.clip(y.astype(F64), low, high))
        grid = codes_of(args.code_format).astype(F64)
        above = np.clip(np.searchsorted(grid, z), 1, len(grid) - 1)
        lower, upper = grid[above - 1], grid[above]
        between = (lower < z) & (z < upper) & ~np.isnan(y)
        picked = cast(np.copysign(rule(z, lower, upper), z), y.dtype)
        return np.where(between & (picked != rounded), picked, rounded)

    return to_codes


def _through(dtype: np.dtype) -> Step:
    def to_codes(v: Variant, y: Array, args: QuantizationArgs, low: float, high: float) -> Array:
        rounded = exact(v, "to_codes")(cast(y, dtype), args, low, high)
        return cast(rounded, y.dtype)

    return to_codes


def _fault(name: str, description: str, step: Step) -> Fault:
    return Fault(name, description, _OPERATIONS, {"to_codes": step})


ROUNDING = (
    _fault("half_away", "ties away from zero", _ties(_to_larger_magnitude)),
    _fault("half_up", "ties up", _ties(lambda z, lower, upper: upper)),
    _fault("half_down", "ties down", _ties(lambda z, lower, upper: lower)),
    _fault("half_to_zero", "ties towards zero", _ties(_to_smaller_magnitude)),
    _fault("truncation", "towards zero", _by(_to_smaller_magnitude)),
    _fault("floor", "towards minus infinity", _by(lambda z, lower, upper: lower)),
    _fault("ceiling", "towards plus infinity", _by(lambda z, lower, upper: upper)),
    _fault("through_bfloat16", "rounded to bfloat16 first", _through(BF16)),
    _fault("through_float16", "rounded to float16 first", _through(F16)),
    _fault("through_float32", "float64 rounded to float32 first", _through(F32)),
)
