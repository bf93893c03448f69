"""Arrays aimed at the places where roundings part: ties, edges, powers of two, specials."""

from functools import lru_cache

import ml_dtypes
import numpy as np

from qparity.reference import FloatFormat, IntFormat, QuantizationArgs

from .bits import Array, step

Rng = np.random.Generator
Row = FloatFormat | IntFormat

_TIE, _CODE, _EDGE, _SPECIAL, _BITS, _SMALL = range(6)
_SHARES = (0.50, 0.12, 0.10, 0.10, 0.08, 0.10)
_ODD_SCALES, _ODD = (0.0, -0.0, np.inf, -np.inf, -1.5, -0.75), 0.01
_FEW_ULPS = np.array([-2, -1, 0, 0, 0, 1, 2])


@lru_cache(maxsize=32)
def codes_of(row: Row) -> Array:
    """All finite values of a format of at most 8 bits, ascending, as float64."""
    if isinstance(row, IntFormat):
        return np.arange(row.min, row.max + 1)
    if row.dtype.kind == "u":
        return _values_of_fields(row)
    every = np.arange(1 << row.bits, dtype=np.uint8).view(row.dtype).astype(np.float64)
    return np.unique(every[np.isfinite(every)])


def _values_of_fields(row: FloatFormat) -> Array:
    """The values of a format that no library has, from the fields of its codes."""
    codes = np.arange(1 << (row.exponent_bits + row.mantissa_bits))
    field, steps = np.divmod(codes, 1 << row.mantissa_bits)
    normal = (field > 0) | (not row.has_zero)
    steps = np.where(normal, steps + (1 << row.mantissa_bits), steps * row.has_subnormals)
    exponent = np.where(normal, field, 1) - row.bias - row.mantissa_bits
    values = np.ldexp(steps.astype(np.float64), exponent)
    values = np.unique(values[values <= row.max])
    return np.unique(np.concatenate([-values[values > 0], values])) if row.signed else values


@lru_cache(maxsize=32)
def ties_of(row: Row) -> Array:
    """The midpoints between neighbouring values of a format, and those just outside of it."""
    codes = codes_of(row)
    inside = (codes[:-1] + codes[1:]) / 2
    last_step = codes[-1] - codes[-2]
    return np.concatenate([inside, [codes[0] - last_step / 2, codes[-1] + last_step / 2]])


@lru_cache(maxsize=8)
def specials_of(dtype: np.dtype) -> Array:
    """Zeros, subnormals, the smallest normal, the largest, infinities, of both signs."""
    info = ml_dtypes.finfo(dtype)
    small = np.array([0, info.smallest_subnormal, info.smallest_normal, info.max, np.inf], dtype)
    subnormal = step(np.array([info.smallest_normal], dtype), -1)
    ones = np.array([1, 0.5, 2, info.eps], dtype)
    positive = np.concatenate([small, subnormal, ones])
    return np.concatenate([positive, -positive])


def jitter(rng: Rng, array: Array) -> Array:
    """Each value moved by up to two ulps; half of them stay."""
    return step(array, rng.choice(_FEW_ULPS, array.shape))


def any_bits(rng: Rng, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Values of every magnitude: uniform over the finite bit patterns."""
    raw = rng.integers(0, 1 << (8 * dtype.itemsize), shape, dtype=np.uint64)
    values = raw.astype(f"u{dtype.itemsize}").view(dtype)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(values), values, dtype.type(1.5))


def with_nan(rng: Rng, array: Array, share: float = 0.05) -> Array:
    """Some of the values made NaN, of both signs and with payloads of few bits and of all."""
    uint = np.dtype(f"u{array.dtype.itemsize}")
    quiet = np.array([np.nan, -np.nan], array.dtype).view(uint)
    every_bit = (1 << ml_dtypes.finfo(array.dtype).nmant) - 1
    payload = rng.choice(np.array([0, 1, 2, 3, every_bit], uint), array.shape)
    nans = (rng.choice(quiet, array.shape) | payload).view(array.dtype)
    return np.where(rng.random(array.shape) < share, nans, array)


def near_codes(
    rng: Rng, scale: Array, zero_point: Array | float, args: QuantizationArgs, dtype: np.dtype
) -> Array:
    """Values x for which ``x / scale + zero_point`` is at a tie, a code, or an edge of the codes.

    Args:
        rng: source of the choices.
        scale: the effective scale of every element, in float64.
        zero_point: the zero-point of every element.
        args: names the codes.
        dtype: of the values.
    """
    row, shape = args.code_format, scale.shape
    family = rng.choice(len(_SHARES), shape, p=_SHARES)
    edge = np.array([row.min, row.max, 2 * row.min, 2 * row.max, 100 * row.max, 0.0])
    smallest = np.min(np.abs(codes_of(row)[codes_of(row) != 0]))
    target = np.select(
        [family == _TIE, family == _CODE, family == _EDGE, family == _SMALL],
        [
            rng.choice(ties_of(row), shape),
            rng.choice(codes_of(row), shape),
            rng.choice(edge, shape),
            smallest * (rng.random(shape) - 0.5) * 2.0 ** rng.integers(-3, 2, shape),
        ],
        default=0.0,
    )
    with np.errstate(all="ignore"):
        x = jitter(rng, ((target - zero_point) * scale).astype(dtype))
    x = np.where(family == _SPECIAL, rng.choice(specials_of(dtype), shape), x)
    x = np.where(family == _BITS, any_bits(rng, shape, dtype), x)
    return np.where(np.isnan(x), dtype.type(1), x)


def scales(rng: Rng, shape: tuple[int, ...], dtype: np.dtype, on: Row | None) -> Array:
    """Scales: powers of two, values of the format ``on``, extreme ones; a few 0, inf, negative."""
    exponent = rng.integers(-9, 4, shape).astype(np.float64)
    mantissa = 1 + rng.random(shape)
    awkward = rng.choice([1.9375, 1.75, 1.5, 1.25, 1.0, 1.0, 5 / 3, 4 / 3], shape)
    family = rng.integers(0, 10, shape)
    values = np.where(family < 5, mantissa, awkward) * 2.0**exponent
    info = ml_dtypes.finfo(dtype)
    extreme = np.array([info.smallest_subnormal, info.smallest_normal, info.max], np.float64)
    values = np.where(family == 9, rng.choice(extreme, shape), values)
    with np.errstate(all="ignore"):
        if on is not None:
            grid = codes_of(on)
            values = np.where(family < 4, rng.choice(grid[grid > 0], shape), values)
        odd = rng.choice(_ODD_SCALES, shape)
        return np.where(rng.random(shape) < _ODD, odd, values).astype(dtype)


def near_values_of(rng: Rng, shape: tuple[int, ...], row: Row, dtype: np.dtype) -> Array:
    """Values of ``dtype`` at the ties, values and edges of a format of any width."""
    if isinstance(row, FloatFormat) and row.bits > 8:
        raw = any_bits(rng, shape, np.dtype(row.dtype)).astype(np.float64)
        with np.errstate(all="ignore"):
            half_ulp = (step(raw.astype(row.dtype), 1).astype(np.float64) - raw) / 2
            tie = np.where(rng.random(shape) < 0.7, raw + half_ulp, raw)
            edges = np.array([row.max, -row.max, 2 * row.max, row.max * (1 + 1e-4)])
            edge = rng.choice(edges, shape)
            values = np.where(rng.random(shape) < 0.1, edge, tie).astype(dtype)
        values = np.where(np.isnan(values), dtype.type(1), values)
        return np.where(
            rng.random(shape) < 0.1, rng.choice(specials_of(dtype), shape), jitter(rng, values)
        )
    return _near_small(rng, shape, row, dtype)


def _near_small(rng: Rng, shape: tuple[int, ...], row: Row, dtype: np.dtype) -> Array:
    pick = rng.random(shape)
    ties, codes = rng.choice(ties_of(row), shape), rng.choice(codes_of(row), shape)
    targets = np.where(pick < 0.6, ties, codes)
    with np.errstate(all="ignore"):
        x = jitter(rng, targets.astype(dtype))
    x = np.where(pick > 0.9, any_bits(rng, shape, dtype), x)
    x = np.where((pick > 0.75) & (pick < 0.85), rng.choice(specials_of(dtype), shape), x)
    return np.where(np.isnan(x), dtype.type(1), x)
