"""``quantize``, ``dequantize`` and ``fake_quantize`` against compressed-tensors."""

import numpy as np
import pytest

from qparity import reference
from qparity.reference import QuantizationArgs
from tests.peers import generators, upstream
from tests.peers.bits import assert_same, dtype_of
from tests.peers.generators import Case

FORMATS_OF_CODES = [*(("int", bits) for bits in range(1, 9)), *(("float", b) for b in (4, 6, 8))]
STRATEGIES = ("tensor", "channel", "group", "tensor_group", "block", "token", "attn_head")
DTYPE_PAIRS = [(x, scale) for x in generators.WORKING for scale in generators.WORKING]


def args_of(rng: np.random.Generator, strategy: str, kind: str, bits: int) -> QuantizationArgs:
    """Args of a strategy and format, with a group or block size that fits the lengths tested."""
    grouped = strategy in ("group", "tensor_group")
    block = tuple(int(n) for n in rng.choice([(2, 3), (16, 16), (4, 32), (1, 1)]))
    return QuantizationArgs(
        num_bits=bits,
        type=kind,
        strategy=strategy,
        group_size=int(rng.choice([1, 2, 7, 16, 32])) if grouped else None,
        block_structure=(block[0], block[1]) if strategy == "block" else None,
        dynamic=strategy == "token",
    )


def rank_of(rng: np.random.Generator, strategy: str) -> int:
    """A rank that upstream takes for a strategy."""
    ranks = {"block": [2], "attn_head": [3, 4], "group": [2, 3, 4], "tensor_group": [2, 3, 4]}
    return int(rng.choice(ranks.get(strategy, [1, 2, 3, 4])))


def code_dtypes(args: QuantizationArgs) -> list[str | None]:
    """What ``quantize`` may be asked to return the codes in."""
    stored = {"int": ["int8"], "float": ["float8_e4m3fn"] if args.num_bits == 8 else []}
    return [None, *stored[args.type]]


def assert_same_three(rng: np.random.Generator, case: Case) -> None:
    """All three operations have upstream's bits, but where a NaN is rounded to a code."""
    args, scale, zero_point, whole = case.args, case.scale, case.zero_point, case.global_scale
    inputs = case.inputs()
    undefined = upstream.nan_before_rounding(case.x, scale, zero_point, args, global_scale=whole)
    x = generators.strided(case.x) if rng.random() < 0.5 else case.x
    for name in [*code_dtypes(args), str(rng.choice(generators.WORKING))]:
        dtype = None if name is None else dtype_of(name)
        ours, theirs = (
            f.quantize(given, scale, zero_point, args, dtype=dtype, global_scale=whole)
            for f, given in ((reference, x), (upstream, case.x))
        )
        assert_same(ours, theirs, undefined, dtype=name, **inputs)
    ours, theirs = (
        f.fake_quantize(given, scale, zero_point, args, global_scale=whole)
        for f, given in ((reference, x), (upstream, case.x))
    )
    assert_same(ours, theirs, undefined, **inputs)
    of_codes = ["int8"] if args.type == "int" else ["float8_e4m3fn", "float8_e5m2"]
    codes = generators.codes(rng, args, str(rng.choice([*generators.WORKING, *of_codes])), x.shape)
    name = rng.choice([None, *generators.WORKING])
    dtype = None if name is None else dtype_of(name)
    ours, theirs = (
        f.dequantize(codes, scale, zero_point, args, dtype=dtype, global_scale=whole)
        for f in (reference, upstream)
    )
    assert_same(ours, theirs, dtype=name, **(inputs | {"x": codes}))


@pytest.mark.parametrize(("kind", "bits"), FORMATS_OF_CODES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_of_every_dtype(strategy: str, kind: str, bits: int) -> None:
    """Codes and values have upstream's bits for every dtype of x, scale, zero-point, global."""
    rng = np.random.default_rng([STRATEGIES.index(strategy), bits, kind == "float"])
    for x_dtype, scale_dtype in DTYPE_PAIRS:
        args = args_of(rng, strategy, kind, bits)
        case = generators.case(
            rng,
            args,
            x_dtype,
            scale_dtype,
            rng.choice([None, *generators.ZP_DTYPES]),
            rng.choice([None, *generators.WORKING]),
            rank_of(rng, strategy),
        )
        assert_same_three(rng, case)


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize(("kind", "bits"), [("int", 4), ("int", 8), ("float", 4), ("float", 8)])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_of_large_tensors(strategy: str, kind: str, bits: int, dtype: str) -> None:
    """Tensors that take many blocks of rows to evaluate have upstream's bits as well."""
    rng = np.random.default_rng([7, STRATEGIES.index(strategy), bits])
    args = args_of(rng, strategy, kind, bits)
    columns = 10 * (args.group_size or 25)
    rows = 60_000 // columns
    shape = (3, 2, rows // 6, columns) if strategy == "attn_head" else (rows, columns)
    zp_dtype = rng.choice([None, "int8" if kind == "int" else "float8_e4m3fn"])
    case = generators.case(rng, args, dtype, dtype, zp_dtype, None, len(shape), shape)
    assert_same_three(rng, case)


@pytest.mark.parametrize("strategy", ["tensor", "channel", "group", "block"])
def test_of_empty_tensors(strategy: str) -> None:
    """A tensor without rows gives upstream's empty result."""
    args = args_of(np.random.default_rng(0), strategy, "int", 8)
    columns = 3 * (args.group_size or 4)
    shapes = {"group": (0, 3), "channel": (0, 1), "block": (0, 1), "tensor": (1,)}
    block = args.block_structure or (1, 1)
    shape = (0, -(-columns // block[1])) if strategy == "block" else shapes[strategy]
    x, scale = np.zeros((0, columns), np.float32), np.ones(shape, np.float32)
    ours, theirs = (f.quantize(x, scale, None, args) for f in (reference, upstream))
    assert_same(ours, theirs)


def test_of_zero_points_of_lower_rank() -> None:
    """Under a 2-D scale a 1-D zero-point is one value a group, as ordinary broadcasting has it."""
    args = QuantizationArgs(strategy="group", group_size=4)
    x = np.linspace(-9, 9, 24, dtype=np.float32).reshape(3, 8)
    scale, zero_point = np.full((3, 2), 0.5, np.float32), np.array([3, -5], np.int8)
    ours, theirs = (f.quantize(x, scale, zero_point, args) for f in (reference, upstream))
    assert_same(ours, theirs)
    ours, theirs = (f.dequantize(theirs, scale, zero_point, args) for f in (reference, upstream))
    assert_same(ours, theirs)
