"""``compress`` and ``decompress`` against compressed-tensors: all presets, formats and dtypes."""

import numpy as np
import pytest

from qparity import reference
from qparity.reference import PRESET_SCHEMES, QuantizationArgs, QuantizationScheme
from tests.peers import generators, samples, upstream
from tests.peers.bits import Array, assert_same, dtype_of

WEIGHT = samples.read(samples.DENSE)["weight"]
PRESETS = [name for name in PRESET_SCHEMES if name != "UNQUANTIZED"]
ROWS = {"bfloat16": 384, "float16": 33, "float32": 33, "float64": 9}

Tensors = dict[str, Array]


def assert_same_tensors(ours: Tensors, theirs: Tensors) -> None:
    """The same names, and the same bits under each."""
    assert set(ours) == set(theirs)
    for name in theirs:
        assert_same(ours[name], theirs[name], name=name)


def scheme_of(args: QuantizationArgs, inputs: QuantizationArgs | None = None) -> QuantizationScheme:
    """A scheme of linear layers."""
    return QuantizationScheme(("Linear",), weights=args, input_activations=inputs)


def module_of(weight: Array, args: QuantizationArgs) -> Tensors:
    """A module's tensors, with the qparams that upstream makes of the weight's range."""
    low, high = samples.observed(weight, args)
    tensors = {"weight": weight}
    whole = None
    if args.strategy == "tensor_group" and not args.is_mx:
        lowest, highest = (f.reshape(1) for f in samples.observed(weight, QuantizationArgs()))
        whole = upstream.generate_gparam(lowest, highest)
        tensors["weight_global_scale"] = whole
    scale, zero_point = upstream.calculate_qparams(low, high, args, whole)
    scale = scale.astype(np.float64).astype(weight.dtype)
    return tensors | {"weight_scale": scale, "weight_zero_point": zero_point}


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str, dtype: str) -> None:
    """Each preset compresses a real weight, of any dtype, to upstream's tensors, and back."""
    scheme = reference.preset_name_to_scheme(preset)
    assert scheme.weights is not None
    weight = WEIGHT[: ROWS[dtype]].astype(dtype_of(dtype))
    tensors = module_of(weight, scheme.weights)
    tensors["bias"] = weight[:, 0].copy()
    tensors["input_zero_point"] = np.zeros(1, np.int8)
    compressed = upstream.compress(tensors, scheme)
    assert_same_tensors(reference.compress(tensors, scheme), compressed)
    if preset == "W4A16_ASYM" and ROWS[dtype] <= 8:
        return
    assert_same_tensors(
        reference.decompress(compressed, scheme), upstream.decompress(compressed, scheme)
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_qparams_of_presets(preset: str) -> None:
    """The reference makes upstream's scale, zero-point and global scale of a real weight."""
    args = reference.preset_name_to_scheme(preset).weights
    assert args is not None
    ranges = reference.minmax(WEIGHT, args)
    for ours, theirs in zip(ranges, samples.observed(WEIGHT, args), strict=True):
        assert_same(ours, theirs)
    whole = None
    if args.strategy == "tensor_group":
        whole = reference.generate_gparam(*reference.minmax(WEIGHT, QuantizationArgs()))
        assert_same(whole, module_of(WEIGHT, args)["weight_global_scale"])
    ours, theirs = (f.calculate_qparams(*ranges, args, whole) for f in (reference, upstream))
    assert_same(ours[0], theirs[0])
    assert_same(ours[1], theirs[1])


INPUTS = [None, QuantizationArgs(), QuantizationArgs(type="float")]
STRATEGIES = ("tensor", "channel", "group", "tensor_group", "block")
STORABLE = [
    *((strategy, "int", bits) for strategy in STRATEGIES for bits in range(1, 9)),
    *((strategy, "float", 8) for strategy in STRATEGIES),
    *(("group", "float", 4), ("tensor_group", "float", 4), ("group", "float", 6)),
]


def odd_args(rng: np.random.Generator, strategy: str, kind: str, bits: int) -> QuantizationArgs:
    """Args that upstream can store, with dtypes, groups and blocks that presets do not have."""
    grouped = strategy in ("group", "tensor_group")
    sizes = {("float", 4): [16], ("float", 6): [32]}.get((kind, bits), [4, 32])
    size = int(rng.choice(sizes)) if grouped else None
    scale_dtypes = [None, *generators.SCALE_DTYPES]
    if kind == "float" and bits < 8:
        scale_dtypes = ["uint8"] if bits == 6 else list(generators.SCALE_DTYPES)
    scale_dtype = rng.choice(scale_dtypes)
    mx = kind == "float" and size == 32 and scale_dtype == "uint8"
    blocks = [(16, 16), (7, 32), (128, 128)]
    return QuantizationArgs(
        num_bits=bits,
        type=kind,
        symmetric=(kind == "float" and bits < 8) or mx or bool(rng.integers(2)),
        strategy=strategy,
        group_size=size,
        block_structure=blocks[int(rng.integers(3))] if strategy == "block" else None,
        scale_dtype=scale_dtype,
    )


def odd_module(rng: np.random.Generator, args: QuantizationArgs) -> Tensors:
    """A module of a dtype that upstream can make qparams of, its weight on ties of its codes."""
    scale_dtype = "uint8" if args.scale_dtype is None else args.scale_dtype.name
    fitting = [w for w in generators.WORKING if generators.representable(scale_dtype, w)]
    shape = (int(rng.choice([9, 33, 130])), (args.group_size or 12) * int(rng.integers(1, 4)))
    if args.type == "int" and args.strategy == "group" and rng.random() < 0.3:
        shape = (3, *shape)
    weight = generators.ordinary(rng, str(rng.choice(fitting)), int(np.prod(shape)), 1)
    tensors = module_of(weight.reshape(shape), args)
    scale = generators.expanded(tensors["weight_scale"], args, shape).astype(np.float64)
    scale = scale / tensors.get("weight_global_scale", np.ones(1)).astype(np.float64)
    shift = generators.expanded(tensors["weight_zero_point"], args, shape).astype(np.float64)
    tensors["weight"] = generators.aimed(rng, weight.dtype.name, args, scale, shift)
    if args.symmetric and rng.random() < 0.5:
        del tensors["weight_zero_point"]
    return tensors


@pytest.mark.parametrize(("strategy", "kind", "bits"), STORABLE)
def test_odd_args(strategy: str, kind: str, bits: int) -> None:
    """Any storable args, dtype and shape give upstream's tensors; the scale is in scale_dtype."""
    rng = np.random.default_rng([STRATEGIES.index(strategy), bits, kind == "float"])
    for _ in range(8):
        args = odd_args(rng, strategy, kind, bits)
        scheme = scheme_of(args, INPUTS[int(rng.integers(3))])
        tensors = odd_module(rng, args)
        theirs = upstream.compress(tensors, scheme)
        upstream_rounds = args.is_mx or (kind == "float" and bits == 4)
        if args.scale_dtype is not None and not upstream_rounds:
            theirs["weight_scale"] = upstream.round_to_quantized_type_dtype(
                tensors["weight_scale"], args.scale_dtype, cast_to_original_dtype=False
            )
        assert_same_tensors(reference.compress(tensors, scheme), theirs)
        if not upstream_rounds and theirs["weight_scale"].dtype.itemsize == 1:
            continue
        assert_same_tensors(
            reference.decompress(theirs, scheme), upstream.decompress(theirs, scheme)
        )


@pytest.mark.parametrize("format", ["naive-quantized", "int-quantized", "float-quantized"])
@pytest.mark.parametrize("bits", [4, 8])
def test_formats_that_are_asked_for(bits: int, format: str) -> None:
    """Integer codes are stored as upstream stores them in every format that names no packing."""
    args = QuantizationArgs(num_bits=bits, strategy="channel", symmetric=False)
    tensors = module_of(WEIGHT[:20], args)
    compressed = upstream.compress(tensors, scheme_of(args), format)
    assert_same_tensors(reference.compress(tensors, scheme_of(args), format), compressed)
    assert_same_tensors(
        reference.decompress(compressed, scheme_of(args), format),
        upstream.decompress(compressed, scheme_of(args), format),
    )


def test_every_mx_code_is_read() -> None:
    """All 256 stored MX codes are read as upstream reads them, 255 as inf."""
    scheme = reference.preset_name_to_scheme("MXFP4A16")
    stored = {
        "weight_packed": np.full((256, 16), 0x21, np.uint8),
        "weight_scale": np.arange(256, dtype=np.uint8).reshape(256, 1),
    }
    assert_same_tensors(reference.decompress(stored, scheme), upstream.decompress(stored, scheme))


@pytest.mark.parametrize("preset", ["MXFP4A16", "MXFP6A16"])
def test_old_mx_checkpoints_are_read(preset: str) -> None:
    """Codes of an MX checkpoint whose config has no scale_dtype are read as upstream reads them."""
    scheme = reference.preset_name_to_scheme(preset)
    assert scheme.weights is not None
    compressed = upstream.compress(module_of(WEIGHT[:9], scheme.weights), scheme)
    written = scheme.weights.to_dict() | {"scale_dtype": None}
    old = scheme_of(QuantizationArgs.from_dict(written))
    assert_same_tensors(reference.decompress(compressed, old), upstream.decompress(compressed, old))
