"""What to feed both libraries: seeded arrays that sit on ties, edges and specials; never NaN."""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs, calculate_range
from tests.peers.bits import Array, bits_of, dtype_of, is_nan

Random = np.random.Generator
_quiet = np.errstate(all="ignore")

WORKING = ("float32", "bfloat16", "float16", "float64")
SCALE_DTYPES = (*WORKING, "float8_e4m3fn", "float8_e5m2", "uint8")
ZP_DTYPES = ("int8", *SCALE_DTYPES)
LENGTHS = (1, 15, 16, 17, 31, 32, 33, 63, 64, 65)


def representable(dtype: str, working: str) -> bool:
    """Whether upstream can clamp ``working`` to the range of ``dtype`` (it raises if not)."""
    rank = {"float16": 1, "bfloat16": 2, "float32": 3, "float64": 4}
    return rank.get(dtype, 0) <= rank[working] or (dtype, working) == ("float16", "bfloat16")


@_quiet
def cast(values: Array, dtype: str) -> Array:
    """float64 values in a dtype, by the nearest; overflow gives the largest finite one."""
    target = dtype_of(dtype)
    largest = float(ml_dtypes.finfo(target).max)
    return np.clip(values, -largest, largest).astype(target)


def moved(x: Array, steps: Array | int) -> Array:
    """Each value some representable steps further from zero, held within zero and infinity."""
    bits = bits_of(x)
    sign_bit = bits.dtype.type(1 << (8 * x.itemsize - 1))
    infinity = int(bits_of(np.array([np.inf]).astype(x.dtype))[0])
    magnitude = (bits & ~sign_bit).astype(np.int64)
    magnitude = np.clip(magnitude + steps, 0, infinity).astype(bits.dtype)
    return (magnitude | (bits & sign_bit)).view(x.dtype)


@_quiet
def specials(dtype: str) -> Array:
    """Zeros, ends of the subnormals and of the range, one, infinity, and their neighbours."""
    info = ml_dtypes.finfo(dtype_of(dtype))
    ends = [0.0, info.smallest_subnormal, info.smallest_normal, info.eps, 1.0, 2.0, info.max]
    magnitudes = np.array([float(v) for v in (*ends, np.inf)]).astype(dtype_of(dtype))
    near = np.concatenate([moved(magnitudes, step) for step in (-1, 0, 1)])
    return np.concatenate([near, -near])


@_quiet
def any_bits(rng: Random, dtype: str, count: int) -> Array:
    """Any bits that are no NaN."""
    target = dtype_of(dtype)
    values = rng.integers(0, 1 << 63, count, np.uint64, endpoint=True) * np.uint64(2)
    values += rng.integers(0, 2, count, np.uint64)
    x = (values >> np.uint64(64 - 8 * target.itemsize)).astype(f"u{target.itemsize}").view(target)
    return np.where(is_nan(x), target.type(1), x)


@_quiet
def ordinary(rng: Random, dtype: str, count: int, spread: float = 4.0) -> Array:
    """Normally distributed magnitudes around 2^0, over some binades."""
    scale = 2.0 ** rng.uniform(-spread, spread, count)
    return cast(rng.standard_normal(count) * scale, dtype)


@_quiet
def near_powers(rng: Random, dtype: str, count: int, mantissa: int | None = None) -> Array:
    """Powers of two, or 2^e * (2 - 2^-(m+1)), of any exponent, within 2 ulp."""
    info = ml_dtypes.finfo(dtype_of(dtype))
    exponents = rng.integers(int(info.minexp), int(info.maxexp), count)
    significand = 1.0 if mantissa is None else 2.0 - 2.0 ** -(mantissa + 1)
    exact = cast(np.ldexp(significand, exponents), dtype)
    return moved(exact, rng.integers(-2, 3, count))


def format_midpoints(dtype: str) -> Array:
    """All non-negative values of an 8-bit or smaller dtype and what lies half-way, in float64."""
    if dtype in ("uint8", "int8"):
        values = np.arange(0.0, 258.0)
    else:
        width = {"float4_e2m1fn": 4, "float6_e2m3fn": 6}.get(dtype, 8)
        codes = np.arange(1 << (width - 1), dtype=np.uint8).view(dtype_of(dtype))
        values = codes.astype(np.float64)
        values = np.unique(values[np.isfinite(values)])
        values = np.append(values, 2 * values[-1] - values[-2])
    return np.sort(np.concatenate([values, (values[1:] + values[:-1]) / 2]))


@_quiet
def dtype_midpoints(rng: Random, dtype: str, count: int) -> Array:
    """Values of a dtype, and what lies half-way to the next one, in float64."""
    if dtype_of(dtype).itemsize == 1:
        return rng.choice(format_midpoints(dtype), count) * rng.choice([1.0, -1.0], count)
    low = np.where(
        rng.random(count) < 0.5, any_bits(rng, dtype, count), ordinary(rng, dtype, count)
    )
    low = np.where(np.isfinite(low), low, dtype_of(dtype).type(1))
    high = moved(low, 1)
    low, high = low.astype(np.float64), high.astype(np.float64)
    middle = low / 2 + high / 2
    return np.where(np.isfinite(middle), middle, low)


def code_midpoints(args: QuantizationArgs) -> Array:
    """The codes of a format of either sign, what lies half-way, and what lies beyond."""
    if args.type == "int":
        low, high = calculate_range(args)
        return np.arange(2 * low - 3, 2 * high + 4) / 2
    names = {4: "float4_e2m1fn", 6: "float6_e2m3fn", 8: "float8_e4m3fn"}
    positive = format_midpoints(names[args.num_bits])
    return np.concatenate([-positive[::-1], positive])


def rounding_inputs(rng: Random, dtype: str, target: str, count: int) -> Array:
    """Inputs of a rounding to ``target``: midpoints within 2 ulp, specials, any bits."""
    ties = moved(cast(dtype_midpoints(rng, target, count), dtype), rng.integers(-2, 3, count))
    return np.concatenate([ties, any_bits(rng, dtype, count), specials(dtype)])


@_quiet
def ranges(
    rng: Random, dtype: str, args: QuantizationArgs, shape: tuple[int, ...]
) -> tuple[Array, Array]:
    """Minima and maxima: ordinary, near powers of two and scale midpoints, zero, special.

    Not all are ordered, and not all straddle zero: the formulas have to cope.
    """
    count = int(np.prod(shape))
    half = (calculate_range(args)[1] - calculate_range(args)[0]) / (2 if args.symmetric else 1)
    name = "float32" if args.scale_dtype is None else args.scale_dtype.name
    on_ties = cast(np.abs(dtype_midpoints(rng, name, count)) * half, dtype)
    on_ties = moved(on_ties, rng.integers(-2, 3, count))
    mantissa = 3 if args.num_bits == 6 else 1
    kinds = [
        ordinary(rng, dtype, count),
        ordinary(rng, dtype, count, 0.5),
        on_ties,
        near_powers(rng, dtype, count),
        near_powers(rng, dtype, count, mantissa),
        any_bits(rng, dtype, count),
        rng.choice(specials(dtype), count),
        np.zeros(count, dtype_of(dtype)),
    ]
    pick = rng.integers(0, len(kinds), (2, count))
    a, b = (np.abs(np.stack(kinds)[p, np.arange(count)]) for p in pick)
    signs = rng.integers(0, 4, count)
    low = np.where(signs == 1, b, np.where(signs == 2, -a, -b))
    high = np.where(signs == 3, -b, a)
    return low.reshape(shape), high.reshape(shape)


@_quiet
def zero_points(rng: Random, dtype: str, args: QuantizationArgs, shape: tuple[int, ...]) -> Array:
    """Zero-points within the codes, zero often among them, on halves where the dtype has them."""
    low, high = calculate_range(args)
    values = rng.uniform(low, high, shape)
    target = dtype_of(dtype)
    if target.kind in "iu":
        values = np.rint(values)
        limits = np.iinfo(target)
        values = np.clip(values, limits.min, limits.max)
    values = np.where(rng.random(shape) < 0.3, rng.choice([0.0, -0.0], shape), values)
    return values.astype(target)


@_quiet
def scales(rng: Random, dtype: str, shape: tuple[int, ...], extreme: float = 0.15) -> Array:
    """Scales: ordinary, powers of two; of any bits, zero, infinite and negative ones rarely."""
    count = int(np.prod(shape))
    kinds = [
        np.abs(ordinary(rng, dtype, count)),
        cast(2.0 ** rng.integers(-8, 9, count), dtype),
        np.abs(ordinary(rng, dtype, count, 0.5)),
    ]
    usual = np.stack(kinds)[rng.integers(0, 3, count), np.arange(count)]
    rare = np.where(
        rng.random(count) < 0.5,
        np.abs(any_bits(rng, dtype, count)),
        np.abs(rng.choice(specials(dtype), count)),
    )
    scale = np.where(rng.random(count) < extreme, rare, usual).astype(dtype_of(dtype))
    scale = np.where(rng.random(count) < extreme / 8, -scale, scale)
    return scale.reshape(shape)


@dataclass(frozen=True)
class Case:
    """The arguments of one call of quantize, dequantize or fake-quantize."""

    args: QuantizationArgs
    x: Array
    scale: Array
    zero_point: Array | None
    global_scale: Array | None

    def inputs(self) -> dict[str, Any]:
        """Keyword arguments that ``difference`` shows."""
        return {
            "args": self.args,
            "x": self.x,
            "scale": self.scale,
            "zero_point": self.zero_point,
            "global_scale": self.global_scale,
        }


def scale_shape(rng: Random, args: QuantizationArgs, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that a scale of the strategy may have for an ``x`` of some shape."""
    strategy = args.strategy
    if strategy == "tensor":
        return (1,)
    if strategy == "channel":
        return (1,) if len(shape) == 1 else (shape[-2], 1)
    if strategy == "token":
        return (1,) if len(shape) == 1 else (*shape[:2], *(1 for _ in shape[2:]))[: len(shape)]
    if strategy == "attn_head":
        return (shape[-3], 1, 1)
    if strategy == "block":
        full = block_counts(args, shape)
        choices = [full, full, full, (1, 1), (1,), (1, full[1]), (full[0], 1), full[1:]]
        return choices[int(rng.integers(len(choices)))]
    full = (*shape[:-1], shape[-1] // (args.group_size or 1))
    choices = [full, full, full[-2:], (*full[:-1], 1), (*(1 for _ in full[1:]), full[-1])]
    if len(shape) > 1:
        choices.append((shape[-2],))
    return choices[int(rng.integers(len(choices)))]


def block_counts(args: QuantizationArgs, shape: tuple[int, ...]) -> tuple[int, int]:
    """The block rows and block columns that cover a 2-D shape."""
    rows, cols = args.block_structure or (1, 1)
    return -(-shape[0] // rows), -(-shape[1] // cols)


def x_shape(rng: Random, args: QuantizationArgs, rank: int, size: int = 65) -> tuple[int, ...]:
    """A shape of some rank, with tails on both sides of vector lengths."""
    columns = int(rng.choice([n for n in LENGTHS if n <= size]))
    if args.group_size is not None and args.group_size > 0:
        columns = args.group_size * int(rng.integers(1, 4))
    outer = tuple(int(n) for n in rng.integers(1, 6, rank - 1))
    if args.strategy == "block":
        return int(rng.integers(1, 40)), columns
    return (*outer, columns)


def expanded(scale: Array, args: QuantizationArgs, shape: tuple[int, ...]) -> Array:
    """The scale of each element of an ``x`` of some shape."""
    if args.strategy == "block":
        rows, cols = args.block_structure or (1, 1)
        blocks = np.broadcast_to(scale, block_counts(args, shape))
        return blocks.repeat(rows, 0).repeat(cols, 1)[: shape[0], : shape[1]]
    if args.strategy in ("group", "tensor_group"):
        if scale.ndim == 1 and len(shape) > 1:
            scale = scale[:, None]
        groups = shape[-1] // (args.group_size or 1)
        scale = np.broadcast_to(scale, (*shape[:-1], groups))
        return scale.repeat(args.group_size or 1, -1)
    return np.broadcast_to(scale.reshape(scale.shape[-len(shape) :]), shape)


@_quiet
def aimed(
    rng: Random, dtype: str, args: QuantizationArgs, scale: Array, zero_point: Array | float
) -> Array:
    """Values of x whose code is a tie: (midpoint - zero_point) * scale, within 2 ulp."""
    points = rng.choice(code_midpoints(args), scale.shape)
    exact = (points - zero_point) * scale
    exact = np.where(np.isnan(exact), 1.0, exact)
    ties = moved(cast(exact, dtype), rng.integers(-2, 3, scale.shape))
    others = ordinary(rng, dtype, scale.size).reshape(scale.shape)
    wild = any_bits(rng, dtype, scale.size).reshape(scale.shape)
    edge = rng.choice(specials(dtype), scale.shape)
    kind = rng.random(scale.shape)
    x = np.where(
        kind < 0.75, ties, np.where(kind < 0.85, others, np.where(kind < 0.93, wild, edge))
    )
    return x.astype(dtype_of(dtype))


@_quiet
def case(
    rng: Random,
    args: QuantizationArgs,
    x_dtype: str,
    scale_dtype: str,
    zp_dtype: str | None,
    global_dtype: str | None,
    rank: int = 2,
    shape: tuple[int, ...] | None = None,
) -> Case:
    """One call, aimed at ties, whose scale and zero-point have shapes of the strategy."""
    shape = x_shape(rng, args, rank) if shape is None else shape
    units = scale_shape(rng, args, shape)
    scale = scales(rng, scale_dtype, units)
    of_zero = units if rng.random() < 0.8 else tuple(1 for _ in units)
    zero_point = None if zp_dtype is None else zero_points(rng, zp_dtype, args, of_zero)
    whole = None if global_dtype is None else scales(rng, global_dtype, (1,), 0.05)
    effective = expanded(scale, args, shape).astype(np.float64)
    effective = effective if whole is None else effective / whole.astype(np.float64)
    shift: Array | float = 0.0
    if zero_point is not None:
        shift = expanded(zero_point, args, shape).astype(np.float64)
    x = aimed(rng, x_dtype, args, effective, shift)
    return Case(args, x, scale, zero_point, whole)


@_quiet
def codes(rng: Random, args: QuantizationArgs, dtype: str, shape: tuple[int, ...]) -> Array:
    """Codes in the dtype they come in: any of the format, as int8, fp8 or floats."""
    target = dtype_of(dtype)
    if target.itemsize == 1:
        raw = rng.integers(0, 256, shape).astype(np.uint8).view(target)
        if target.kind != "i":
            return np.where(np.isnan(raw), target.type(0), raw)
        low, high = calculate_range(args)
        return rng.integers(int(low), int(high) + 1, shape).astype(np.int8)
    return cast(rng.choice(code_midpoints(args), shape), dtype)


def strided(x: Array) -> Array:
    """The same values, not contiguous in memory."""
    return np.repeat(x, 2, -1)[..., ::2]
