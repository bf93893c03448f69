"""Inputs of the laws, aimed at the ties, codes and edges of the args at hand."""

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from ..ranges import filled, global_scales, ranges
from ..values import Rng, codes_of, near_codes
from .law import Sample
from .units import per_element, scale_shape

__all__ = ["code_sample", "quantize_sample", "range_sample", "tensor_sample", "tidy_ranges"]

_ROWS = (1, 2, 3)
_COLUMNS = (1, 2, 7, 16, 33)
_NARROW, _WIDE = (-3, 2), (-40, 40)
_MANTISSAS = (1.0, 1.0, 1.0, 1.0, 1.9375, 1.75, 1.5, 1.25, 5 / 3, 4 / 3)


def shape_of(rng: Rng, args: QuantizationArgs, whole_blocks: bool = False) -> tuple[int, ...]:
    """A small shape of rank 2 that fits the strategy; rank 3 for ``attn_head``."""
    rows, columns = int(rng.choice(_ROWS)), int(rng.choice(_COLUMNS))
    if args.strategy == "attn_head":
        return rows, int(rng.choice(_ROWS)), columns
    if args.strategy in ("group", "tensor_group"):
        return rows, int(rng.choice(_ROWS)) * (args.group_size or 1)
    if args.strategy == "block" and args.block_structure is not None:
        counts = [(1, 1), (2, 1), (1, 2)][int(rng.integers(3))]
        if whole_blocks:
            return counts[0] * args.block_structure[0], counts[1] * args.block_structure[1]
        high, wide = (
            (n - 1) * size + int(rng.integers(1, min(size, 3) + 1))
            for n, size in zip(counts, args.block_structure, strict=True)
        )
        return high, wide
    return rows, columns


def tensor_sample(
    rng: Rng, args: QuantizationArgs, dtype: np.dtype, *, finite: bool = False, blocks: bool = False
) -> Sample:
    """A tensor whose scales are still to be found; its units have aimed ranges."""
    shape = shape_of(rng, args, blocks)
    arrays = {}
    known = 1.0
    if args.strategy == "tensor_group" and not args.is_mx:
        arrays["global_scale"] = global_scales(rng)
        known = float(arrays["global_scale"][0])
    size = args.group_size if args.strategy in ("group", "tensor_group") else shape[-1]
    lead = (*shape[:-1], shape[-1] // (size or 1))
    x = filled(rng, *ranges(rng, lead, dtype, args, known), size or 1).reshape(shape)
    if finite:
        x = np.where(np.isfinite(x), x, dtype.type(1))
    return Sample(args, {"x": x, **arrays}, _seed(rng))


def quantize_sample(
    rng: Rng,
    args: QuantizationArgs,
    dtype: np.dtype,
    *,
    finite: bool = True,
    rows_alike: bool = False,
) -> Sample:
    """x at the ties, codes and edges of given scales, far from overflow and underflow.

    Args:
        rng: source of the choices.
        args: the format and strategy.
        dtype: of x and of the scale.
        finite: whether infinities are left out of x.
        rows_alike: one scale for each row, whatever the strategy.
    """
    shape = shape_of(rng, args)
    scale = scales(rng, scale_shape(shape, args), dtype)
    arrays = {"scale": scale}
    divisor, offset = 1.0, np.zeros(1)
    if not args.symmetric:
        arrays["zero_point"] = zero_points(rng, scale.shape, args)
    if rows_alike and scale.ndim > 1:
        for key in arrays:
            arrays[key] = np.broadcast_to(arrays[key][..., :1], scale.shape).copy()
    if "zero_point" in arrays:
        offset = per_element(arrays["zero_point"].astype(np.float64), shape, args)
    if args.strategy == "tensor_group" and not args.is_mx:
        arrays["global_scale"] = scales(rng, (1,), np.dtype(np.float32), (-2, 1))
        divisor = float(arrays["global_scale"][0])
    spread = per_element(arrays["scale"].astype(np.float64), shape, args) / divisor
    x = near_codes(rng, spread, offset, args, dtype)
    if finite:
        x = np.where(np.isfinite(x), x, dtype.type(1))
    return Sample(args, {"x": x, **arrays}, _seed(rng), int(rng.integers(-2, 3)))


def scales(
    rng: Rng, shape: tuple[int, ...], dtype: np.dtype, exponents: tuple[int, int] | None = None
) -> Array:
    """Positive normal scales; half of them powers of two."""
    narrow = dtype == np.dtype(np.float16)
    low, high = exponents or (_NARROW if narrow else _WIDE)
    near = rng.random(shape) < 0.7
    exponent = np.where(near, rng.integers(-3, 2, shape), rng.integers(low, high, shape))
    mantissa = np.where(rng.random(shape) < 0.2, 1 + rng.random(shape), 1.0)
    mantissa = np.where(mantissa == 1.0, rng.choice(_MANTISSAS, shape), mantissa)
    return np.asarray((mantissa * 2.0 ** np.maximum(exponent, low)).astype(dtype))


def zero_points(rng: Rng, shape: tuple[int, ...], args: QuantizationArgs) -> Array:
    """Zero-points that are codes, the edges among them; only those that ``zp_dtype`` holds."""
    dtype = args.zp_dtype or np.dtype(np.int8)
    codes = codes_of(args.code_format)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        codes = codes[(codes >= info.min) & (codes <= info.max) & (codes == np.rint(codes))]
    else:
        codes = codes[codes.astype(dtype).astype(np.float64) == codes]
    edges = np.array([codes[0], codes[-1], 0.0])
    return np.where(
        rng.random(shape) < 0.2, rng.choice(edges, shape), rng.choice(codes, shape)
    ).astype(dtype)


def range_sample(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    """Finite ranges at the ties of the scale's dtype, zeros and extremes; no overflow."""
    arrays = {}
    known = 1.0
    if args.strategy == "tensor_group" and not args.is_mx:
        arrays["global_scale"] = global_scales(rng)
        known = float(arrays["global_scale"][0])
    lo, hi = ranges(rng, (6,), dtype, args, known)
    limit = float(ml_dtypes.finfo(dtype).max) / 4 / max(known, 1.0) * min(args.code_format.max, 1.0)
    if args.resolved_scale_dtype == np.dtype(np.float16):
        limit = min(limit, 2.0**13)
    arrays |= {"min_vals": _within(lo, limit), "max_vals": _within(hi, limit)}
    return Sample(args, arrays, _seed(rng))


def tidy_ranges(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    """Ranges whose scale is a normal number of every dtype, also when doubled or halved twice."""
    arrays: dict[str, Array] = {}
    known = 1.0
    if args.strategy == "tensor_group" and not args.is_mx:
        arrays["global_scale"] = np.array([rng.choice([1.0, 1.5, 0.75, 1.9])], np.float32)
        known = float(arrays["global_scale"][0])
    row = args.code_format
    divisor = (row.max - row.min) / (2 if args.symmetric else 1)
    target = 2.0 ** rng.uniform(-2, 2, 6) * divisor / known
    part = rng.uniform(2.0**-6, 1 - 2.0**-6, 6)
    lo, hi = np.where(rng.random(6) < 0.5, (-target, target * part), (-target * part, target))
    if not args.symmetric:
        lo, hi = -target * part, target * (1 - part)
    arrays |= {"min_vals": lo.astype(dtype), "max_vals": hi.astype(dtype)}
    power = int(rng.choice([-2, -1, 1, 2]))
    return Sample(args, arrays, _seed(rng), power)


def code_sample(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    """Codes at given scales, as floats, the edges among them."""
    sample = quantize_sample(rng, args, dtype)
    shape = sample.arrays["x"].shape
    codes = codes_of(args.code_format)
    edges = np.array([codes[0], codes[-1], 0.0])
    picked = np.where(rng.random(shape) < 0.2, rng.choice(edges, shape), rng.choice(codes, shape))
    return sample.having(x=picked.astype(dtype))


def _within(values: Array, limit: float) -> Array:
    outside = np.abs(values.astype(np.float64)) > limit
    return np.where(outside, np.sign(values), values).astype(values.dtype)


def _seed(rng: Rng) -> int:
    return int(rng.integers(0, 1 << 32))
