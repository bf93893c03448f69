"""Laws of scales and zero-points."""

import ml_dtypes
import numpy as np

from qparity.reference import IntFormat, QuantizationArgs

from ..bits import Array
from ..of_formats import scale_divisor
from ..values import Rng
from .ask import Ask
from .law import Law, Sample, Violation, everywhere
from .samples import range_sample, tidy_ranges
from .steps import difference, holds_exactly

__all__ = ["PARAMETERS"]


def _qparams(ask: Ask, sample: Sample) -> tuple[Array, Array]:
    lo, hi = sample.arrays["min_vals"], sample.arrays["max_vals"]
    scale, zero_point = ask(
        "calculate_qparams", min_vals=lo, max_vals=hi, args=sample.args, **sample.whole
    )
    return scale, zero_point


def _first(sample: Sample, broken: Array, detail: str, **found: Array) -> Violation | None:
    """The first broken range, with what was found for it."""
    if not broken.any():
        return None
    i = int(np.argmax(broken))
    shown = {"min_vals": sample.arrays["min_vals"], "max_vals": sample.arrays["max_vals"], **found}
    return Violation(detail, {name: np.asarray(array[i]) for name, array in shown.items()})


def _scale_positive(ask: Ask, sample: Sample) -> Violation | None:
    scale, _ = _qparams(ask, sample)
    wide = scale.astype(np.float64)
    broken = ~(np.isfinite(wide) & (wide > 0))
    return _first(sample, broken, "the scale is not a positive finite number", scale=scale)


def _asymmetric(args: QuantizationArgs, dtype: np.dtype) -> str:
    del dtype
    if args.symmetric:
        return "symmetric: the zero-point is zero"
    edges = np.array([args.code_format.min, args.code_format.max])
    zp_dtype = args.zp_dtype or np.dtype(np.int8)
    if zp_dtype.kind not in "iu" and not holds_exactly(edges, zp_dtype):
        return f"an edge of the codes is no {zp_dtype.name}, and rounds to beyond it"
    return ""


def _not_zero(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    """Ranges whose unrounded scale is a normal number."""
    sample = range_sample(rng, args, dtype)
    floor = float(ml_dtypes.finfo(dtype).smallest_normal) * 1024
    hi = sample.arrays["max_vals"]
    widest = np.maximum(np.abs(sample.arrays["min_vals"]), np.abs(hi)).astype(np.float64)
    return sample.having(max_vals=np.where(widest < floor, dtype.type(1), hi))


def _zero_point_in_range(ask: Ask, sample: Sample) -> Violation | None:
    scale, zero_point = _qparams(ask, sample)
    wide = zero_point.astype(np.float64)
    row = sample.args.code_format
    broken = ~((wide >= row.min) & (wide <= row.max))
    detail = f"the zero-point is not in {row.min:g} to {row.max:g}"
    return _first(sample, broken, detail, scale=scale, zero_point=zero_point)


def _scales_freely(args: QuantizationArgs, dtype: np.dtype) -> str:
    row = args.scale_format
    if isinstance(row, IntFormat):
        return "scales are rounded to integers, which are not spaced alike at every power of two"
    if row is not None and not (row.smallest_normal <= _LEAST and row.max >= _MOST):
        return f"{row.name} has not all scales from {_LEAST} to {_MOST}"
    divisor = scale_divisor(args)
    info = ml_dtypes.finfo(dtype)
    low, high = _LEAST**2 * divisor, _MOST * divisor
    if not float(info.smallest_normal) <= low <= high <= float(info.max):
        return f"{dtype.name} has not all ranges of such scales"
    return ""


def _power_of_two(ask: Ask, sample: Sample) -> Violation | None:
    factor = 2.0**sample.power
    scale, zero_point = _qparams(ask, sample)
    dtype = sample.arrays["min_vals"].dtype
    moved = sample.having(
        **{key: (sample.arrays[key].astype(np.float64) * factor).astype(dtype) for key in _RANGE}
    )
    scale_after, zero_point_after = _qparams(ask, moved)
    before = {"scale": (scale.astype(np.float64) * factor).astype(scale.dtype)}
    after = {"scale": scale_after, "zero_point": zero_point_after}
    how = f"after the ranges are multiplied by 2^{sample.power}"
    return difference(before | {"zero_point": zero_point}, after, how)


_RANGE = ("min_vals", "max_vals")
_LEAST, _MOST = 2.0**-5, 2.0**5

PARAMETERS = (
    Law(
        "scale_positive",
        "A finite range has a scale that is positive and finite.",
        "finite ranges that do not overflow when they are scaled: at most a quarter of the dtype's "
        "largest number, over the global scale; 2^13 where scale_dtype is float16",
        everywhere,
        range_sample,
        _scale_positive,
    ),
    Law(
        "zero_point_in_range",
        "A zero-point lies within the codes.",
        "finite ranges, not all zero or subnormal",
        _asymmetric,
        _not_zero,
        _zero_point_in_range,
    ),
    Law(
        "power_of_two_range",
        "A range times a power of two has its scale times the same, and the same zero-point.",
        "ranges whose scales are normal numbers between 2^-5 and 2^5",
        _scales_freely,
        tidy_ranges,
        _power_of_two,
    ),
)
