"""``calculate_qparams``, ``generate_gparam`` and the dynamic qparams against compressed-tensors."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from qparity import reference
from qparity.reference import FORMATS, FloatFormat, QuantizationArgs
from tests.peers import generators, upstream
from tests.peers.bits import Array, assert_same, dtype_of

FORMATS_OF_CODES = [
    *((bits, "int", symmetric) for bits in range(1, 9) for symmetric in (True, False)),
    *((4, "float", True), (6, "float", True), (8, "float", True), (8, "float", False)),
]
MX = [
    QuantizationArgs(num_bits=bits, type="float", group_size=32, scale_dtype="uint8")
    for bits in (4, 6, 8)
]
GPARAM_FORMATS = [
    ("float8_e4m3fn", "float4_e2m1fn"),
    ("float8_e4m3fn", "float6_e2m3fn"),
    ("float4_e2m1fn", "float8_e4m3fn"),
]


def working_dtype(dtype: str, global_dtype: str | None) -> str:
    """The dtype of a scale after the global scale: float16 with bfloat16 is float32."""
    names = [dtype] if global_dtype is None else [dtype, global_dtype]
    if set(names) == {"float16", "bfloat16"}:
        return "float32"
    return max(names, key=lambda name: dtype_of(name).itemsize)


def upstream_can(args: QuantizationArgs, dtype: str, global_dtype: str | None) -> bool:
    """Whether upstream can clamp to the range of both dtypes; it raises if not."""
    scale = args.scale_dtype is None or generators.representable(
        args.scale_dtype.name, working_dtype(dtype, global_dtype)
    )
    assert args.zp_dtype is not None
    return scale and generators.representable(args.zp_dtype.name, dtype)


def global_scale(rng: np.random.Generator, dtype: str | None) -> Array | None:
    """One positive float of a dtype, now and then an extreme one."""
    return None if dtype is None else np.abs(generators.scales(rng, dtype, (1,), 0.1))


def is_integer(dtype: np.dtype[Any] | None) -> bool:
    """Whether a dtype has no NaN to keep."""
    return dtype is not None and dtype.kind in "iu"


def assert_same_qparams(
    low: Array, high: Array, args: QuantizationArgs, global_scale: Array | None
) -> None:
    """Scale and zero-point have upstream's bits, but where NaN is rounded to an integer."""
    with upstream.nan_of_qparams() as nan:
        scale, zero_point = upstream.calculate_qparams(low, high, args, global_scale)
    our_scale, our_zero_point = reference.calculate_qparams(low, high, args, global_scale)
    inputs = {"args": args, "min": low, "max": high, "global_scale": global_scale}
    assert_same(our_scale, scale, nan[0] if is_integer(args.scale_dtype) else None, **inputs)
    undefined = nan[-1] if is_integer(args.zp_dtype) else None
    assert_same(our_zero_point, zero_point, undefined, **inputs)


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize(("bits", "kind", "symmetric"), FORMATS_OF_CODES)
def test_qparams(bits: int, kind: str, symmetric: bool, dtype: str) -> None:
    """Scale and zero-point have upstream's bits for all scale_dtypes, zp_dtypes, global scales."""
    rng = np.random.default_rng([bits, symmetric])
    zp_dtypes = rng.permutation(generators.ZP_DTYPES)
    for i, scale_dtype in enumerate((None, *generators.SCALE_DTYPES)):
        for j, global_dtype in enumerate((None, *generators.WORKING)):
            args = QuantizationArgs(
                num_bits=bits,
                type=kind,
                symmetric=symmetric,
                scale_dtype=scale_dtype,
                zp_dtype=None if (i + j) % 9 == 8 else str(zp_dtypes[(i + j) % 9]),
            )
            if not upstream_can(args, dtype, global_dtype):
                continue
            low, high = generators.ranges(rng, dtype, args, (25, 7))
            assert_same_qparams(low, high, args, global_scale(rng, global_dtype))


@pytest.mark.parametrize("low_dtype", generators.WORKING)
@pytest.mark.parametrize("high_dtype", generators.WORKING)
def test_qparams_of_mixed_dtypes(low_dtype: str, high_dtype: str) -> None:
    """Minima and maxima of two dtypes give upstream's symmetric scale."""
    rng = np.random.default_rng(3)
    args = QuantizationArgs()
    low, _ = generators.ranges(rng, low_dtype, args, (300,))
    _, high = generators.ranges(rng, high_dtype, args, (300,))
    ours, theirs = (f.calculate_qparams(low, high, args) for f in (reference, upstream))
    assert_same(ours[0], theirs[0], min=low, max=high)


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize("args", MX, ids=lambda args: f"mxfp{args.num_bits}")
def test_mx_qparams(args: QuantizationArgs, dtype: str) -> None:
    """MX scales have upstream's bits for every finite range whose scale upstream keeps finite."""
    rng = np.random.default_rng(args.num_bits)
    for shape in ((4000,), *((n,) for n in generators.LENGTHS)):
        low, high = generators.ranges(rng, dtype, args, shape)
        ours, theirs = (f.calculate_qparams(low, high, args) for f in (reference, upstream))
        finite = np.isfinite(np.minimum(low, 0)) & np.isfinite(np.maximum(high, 0))
        assert_same(ours[0], theirs[0], np.isinf(theirs[0]) & finite, min=low, max=high)
        assert_same(ours[1], theirs[1])


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize("args", MX, ids=lambda args: f"mxfp{args.num_bits}")
def test_mx_qparams_of_every_exponent(args: QuantizationArgs, dtype: str) -> None:
    """MX scales have upstream's bits around all rounding points 2^e * (2 - 2^-(m+1)) of a dtype."""
    info = ml_dtypes.finfo(dtype_of(dtype))
    exponents = np.arange(max(int(info.minexp), -200), min(int(info.maxexp) - 1, 120))
    mantissa = 3 if args.num_bits == 6 else 1
    for significand in (1.0, 2.0 - 2.0 ** -(mantissa + 1)):
        for ulps in (-1, 0, 1):
            exact = np.ldexp(significand, exponents).astype(dtype_of(dtype))
            amax = generators.moved(exact, ulps)
            ours, theirs = (f.calculate_qparams(-amax, amax, args) for f in (reference, upstream))
            assert_same(ours[0], theirs[0], max=amax)


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize(("scale_data", "quant_data"), GPARAM_FORMATS)
def test_global_scale(scale_data: str, quant_data: str, dtype: str) -> None:
    """The global scale of a range has upstream's bits, 0-D or 1-D, overflow and zero included."""
    rng = np.random.default_rng(4)
    lows, highs = generators.ranges(rng, dtype, QuantizationArgs(), (400,))
    formats = [FORMATS[name] for name in (scale_data, quant_data)]
    for i, (low, high) in enumerate(zip(lows, highs, strict=True)):
        shape = () if i % 2 else (1,)
        low, high = np.asarray(low).reshape(shape), np.asarray(high).reshape(shape)
        first, second = (row for row in formats if isinstance(row, FloatFormat))
        ours = reference.generate_gparam(low, high, scale_data=first, quant_data=second)
        theirs = upstream.generate_gparam(low, high, scale_data, quant_data)
        assert_same(ours, theirs, min=low, max=high)


def dynamic_input(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """A tensor with zero rows, specials, and one sign, each now and then."""
    count = int(np.prod(shape))
    x = generators.ordinary(rng, dtype, count, 0.5).reshape(shape)
    kind = rng.integers(0, 4)
    if kind == 0:
        x = np.where(rng.random(shape) < 0.05, rng.choice(generators.specials(dtype), shape), x)
    if kind == 1:
        x = -np.abs(x)
    x[rng.random(shape[:-1]) < 0.2] = 0
    return x.astype(dtype_of(dtype))


DYNAMIC = [("tensor", rank) for rank in (1, 2, 3, 4)]
DYNAMIC += [(strategy, rank) for strategy in ("group", "tensor_group") for rank in (1, 2, 3, 4)]
DYNAMIC += [("token", rank) for rank in (1, 3, 4)]


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize(("strategy", "rank"), DYNAMIC)
def test_dynamic_qparams(strategy: str, rank: int, dtype: str) -> None:
    """Dynamic qparams have upstream's bits; where upstream observes a 0-D range, its 1-D answer."""
    rng = np.random.default_rng(rank)
    grouped = strategy in ("group", "tensor_group")
    observes_one = strategy == "tensor" or rank == 1
    for bits, kind, symmetric in FORMATS_OF_CODES:
        scale_dtype = rng.choice([None, *generators.SCALE_DTYPES])
        group_size = int(rng.choice([1, 7, 16, 32])) if grouped else None
        args = QuantizationArgs(
            num_bits=bits,
            type=kind,
            symmetric=symmetric or (group_size == 32 and kind == "float"),
            strategy=strategy,
            group_size=group_size,
            dynamic=True,
            scale_dtype=scale_dtype,
        )
        global_dtype = None if args.is_mx else rng.choice([None, *generators.WORKING])
        if args.scale_dtype != args.resolved_scale_dtype:
            continue
        if not upstream_can(args, dtype, global_dtype):
            continue
        shape = generators.x_shape(rng, args, rank)
        x = dynamic_input(rng, dtype, shape)
        whole = global_scale(rng, global_dtype)
        ours = reference.compute_dynamic_scales_and_zp(generators.strided(x), args, whole)
        with upstream.nan_of_qparams() as nan:
            if observes_one and not grouped:
                bounds = (np.asarray(f(x.astype(np.float64))) for f in (np.min, np.max))
                low, high = (b.astype(x.dtype).reshape(1) for b in bounds)
                theirs = upstream.calculate_qparams(low, high, args, whole)
            else:
                theirs = upstream.compute_dynamic_scales_and_zp(x, args, whole)
        undefined = nan[0] if is_integer(args.scale_dtype) else None
        if args.is_mx:
            undefined = np.isinf(theirs[0]) & ~np.isinf(ours[0])
        assert_same(ours[0], theirs[0], undefined, args=args, global_scale=whole)
        undefined = nan[-1] if is_integer(args.zp_dtype) else None
        assert_same(ours[1], theirs[1], undefined, args=args, scale=theirs[0])


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize(("bits", "kind"), [row[:2] for row in FORMATS_OF_CODES if row[2]])
def test_dynamic_qparams_of_a_tensor(bits: int, kind: str, dtype: str) -> None:
    """The symmetric dynamic qparams of a whole tensor have upstream's bits as upstream calls it."""
    rng = np.random.default_rng([5, bits])
    args = QuantizationArgs(num_bits=bits, type=kind, strategy="tensor", dynamic=True)
    for rank in (1, 2, 3, 4):
        x = dynamic_input(rng, dtype, generators.x_shape(rng, args, rank))
        ours, theirs = (f.compute_dynamic_scales_and_zp(x, args) for f in (reference, upstream))
        assert_same(ours[0], theirs[0], args=args)
        assert_same(ours[1], theirs[1], args=args)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"strategy": "token"}, (0, 3, 4)),
        ({"strategy": "token"}, (3, 0, 4)),
        *(({"group_size": 2}, shape) for shape in ((0, 4), (2, 0), (0,), (0, 3, 4), (3, 0, 4))),
    ],
)
def test_dynamic_qparams_of_nothing(fields: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Where there is no token or group, there are as many scales as upstream has: none."""
    args = QuantizationArgs(dynamic=True, symmetric=False, **fields)
    x = np.ones(shape, np.float32)
    ours, theirs = (f.compute_dynamic_scales_and_zp(x, args) for f in (reference, upstream))
    for one, other in zip(ours, theirs, strict=True):
        assert_same(one, other, args=args)
