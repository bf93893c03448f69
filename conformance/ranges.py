"""Ranges and global scales aimed at the roundings of a scale and of a zero-point."""

import ml_dtypes
import numpy as np

from qparity.reference import FORMATS, QuantizationArgs

from .bits import Array, step
from .of_formats import scale_divisor, scale_grid
from .values import Rng, any_bits, jitter, near_values_of, specials_of

FLOAT32 = np.dtype(np.float32)
_MX_MANTISSAS = (1, 3)
_LONG, _LAST, _LAST_OF_LONG = 1000, 0.3, 0.7


def amaxes(
    rng: Rng, shape: tuple[int, ...], dtype: np.dtype, args: QuantizationArgs, whole: float
) -> Array:
    """Non-negative ranges: scale ties, powers of two, MX thresholds, zeros, extremes, any bits."""
    family = rng.integers(0, 20, shape)
    divisor = scale_divisor(args)
    with np.errstate(all="ignore"):
        values = (2.0 ** rng.normal(-2, 4, shape)).astype(dtype)
        targets = _scale_targets(rng, shape, args)
        if targets is not None:
            at_ties = jitter(rng, (targets * divisor / whole).astype(dtype))
            values = np.where(family < 9, at_ties, values)
        exponent = 2.0 ** rng.integers(-12, 12, shape).astype(np.float64)
        mantissa = rng.choice(_MX_MANTISSAS, shape).astype(np.float64)
        threshold = np.where(rng.random(shape) < 0.5, 1.0, 2 - 2.0 ** -(mantissa + 1))
        mx = jitter(rng, (exponent * threshold).astype(dtype))
        values = np.where((family >= 9) & (family < 13), mx, values)
    values = np.where(family == 13, dtype.type(0), values)
    values = np.where(family == 14, rng.choice(specials_of(dtype), shape), values)
    values = np.where(family == 15, any_bits(rng, shape, dtype), values)
    values = np.where(family == 16, _largest_thresholds(rng, shape, dtype), values)
    values = np.abs(values)
    return np.asarray(np.where(np.isnan(values), dtype.type(1), values))


def ranges(
    rng: Rng, shape: tuple[int, ...], dtype: np.dtype, args: QuantizationArgs, whole: float = 1.0
) -> tuple[Array, Array]:
    """Observed minima and maxima: two-sided, one-sided, zero, and with zero-points at ties."""
    amax = amaxes(rng, shape, dtype, args, whole)
    family = rng.integers(0, 6, shape)
    with np.errstate(all="ignore"):
        share = (amax.astype(np.float64) * rng.random(shape)).astype(dtype)
        lo = np.where(family % 2 == 0, -amax, -share)
        hi = np.where(family % 2 == 0, share, amax)
        lo = np.where(family == 4, share, lo)
        hi = np.where(family == 5, -share, hi)
        if not args.symmetric:
            steps = args.code_format.max - args.code_format.min
            part = (rng.integers(0, max(int(steps), 1), shape) + 0.5) / max(steps, 1.0)
            low = jitter(rng, (-part * amax.astype(np.float64)).astype(dtype))
            high = (amax.astype(np.float64) + low.astype(np.float64)).astype(dtype)
            at_tie = family < 3
            lo, hi = np.where(at_tie, low, lo), np.where(at_tie, high, hi)
    one = dtype.type(1)
    return np.where(np.isnan(lo), -one, lo), np.where(np.isnan(hi), one, hi)


def global_scales(rng: Rng, dtype: np.dtype = FLOAT32) -> Array:
    """One global scale, of shape (1,): of ordinary weights, 1, a power, or far from them."""
    ordinary = 2688.0 / (2.0 ** rng.normal(0, 2))
    far = 2.0 ** int(rng.integers(-100, 101))
    value = rng.choice([*[ordinary] * 6, *[1.0, 448.0, 2688.0] * 2, far])
    info = ml_dtypes.finfo(dtype)
    held = min(max(value, float(info.smallest_normal)), float(info.max))
    return np.array([held], np.float64).astype(dtype)


def filled(rng: Rng, lo: Array, hi: Array, length: int) -> Array:
    """Rows of ``length`` values, shaped ``(*lo.shape, length)``, with the given extremes.

    The extremes stand at random places, the last one included; signed zeros are among the rest.
    """
    low, high = np.minimum(lo, hi), np.maximum(lo, hi)
    shape = (*lo.shape, length)
    last = _LAST if length < _LONG else _LAST_OF_LONG
    with np.errstate(all="ignore"):
        spread = high.astype(np.float64) - low.astype(np.float64)
        spread = np.where(np.isfinite(spread), spread, 0.0)
        inner = low.astype(np.float64)[..., None] + spread[..., None] * rng.random(shape)
        # rows in which nothing comes near the extremes: without one of them, the scale is another
        alone = rng.choice([0.25, 1.0], lo.shape)[..., None]
        x = (inner * alone).astype(lo.dtype)
    x = np.minimum(np.maximum(x, low[..., None]), high[..., None])
    crossing = (low <= 0) & (high >= 0)
    zero = np.where(rng.random(shape) < 0.5, lo.dtype.type(0), lo.dtype.type(-0.0))
    x = np.where((rng.random(shape) < 0.1) & crossing[..., None], zero, x)
    for extreme in (low, high):
        place = np.where(rng.random(lo.shape) < last, length - 1, rng.integers(0, length, lo.shape))
        np.put_along_axis(x, place[..., None], extreme[..., None], axis=-1)
    return np.asarray(x)


def _scale_targets(rng: Rng, shape: tuple[int, ...], args: QuantizationArgs) -> Array | None:
    """Scales at the ties of the dtype they are rounded to."""
    wide, dtype, grid = np.dtype(np.float64), args.resolved_scale_dtype, scale_grid(args)
    if grid is not None:
        return np.abs(near_values_of(rng, shape, grid, wide))
    if dtype is None or args.is_mx:
        return None
    if dtype.kind == "u":
        return np.abs(near_values_of(rng, shape, FORMATS["int8"], wide)) + 0.5
    values = (2.0 ** rng.normal(-6, 3, shape)).astype(dtype)
    return (values.astype(np.float64) + step(values, 1).astype(np.float64)) / 2


def _largest_thresholds(rng: Rng, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Values just under the largest, where rounding up a power of two would overflow."""
    largest = np.full(shape, ml_dtypes.finfo(dtype).max, dtype)
    with np.errstate(all="ignore"):
        near = largest.astype(np.float64) * rng.choice([0.75, 0.875, 0.9375, 1.0], shape)
        return jitter(rng, near.astype(dtype))
