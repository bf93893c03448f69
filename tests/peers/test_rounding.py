"""``round_to_quantized_type_*`` and ``calculate_range`` against compressed-tensors."""

import numpy as np
import pytest

from qparity import reference
from qparity.reference import QuantizationArgs
from tests.peers import generators, upstream
from tests.peers.bits import Array, assert_same, dtype_of

COUNT = 6000
TARGETS = ("int8", *generators.SCALE_DTYPES)
REPRESENTABLE = [
    (working, target)
    for working in generators.WORKING
    for target in TARGETS
    if generators.representable(target, working)
]
INTEGERS = [QuantizationArgs(num_bits=bits) for bits in range(1, 9)]
FLOATS = [QuantizationArgs(num_bits=bits, type="float") for bits in (4, 6, 8)]


def format_name(args: QuantizationArgs) -> str:
    """The id of a test: the format of the codes."""
    return f"{args.type}{args.num_bits}"


def every_value(working: str) -> Array:
    """All 65536 bit patterns of a 16-bit dtype but the NaNs; nothing of a wider one."""
    if dtype_of(working).itemsize != 2:
        return np.zeros(0, dtype_of(working))
    values = np.arange(1 << 16, dtype=np.uint16).view(dtype_of(working))
    with np.errstate(invalid="ignore"):
        return values[~np.isnan(values)]


@pytest.mark.parametrize("cast_back", [True, False], ids=["cast_back", "kept"])
@pytest.mark.parametrize(("working", "target"), REPRESENTABLE)
def test_round_to_dtype(working: str, target: str, cast_back: bool) -> None:
    """A value rounded to a dtype has upstream's bits, for all values of a 16-bit dtype."""
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [generators.rounding_inputs(rng, working, target, COUNT), every_value(working)]
    )
    dtype = dtype_of(target)
    ours = reference.round_to_quantized_type_dtype(x, dtype, cast_back)
    assert_same(ours, upstream.round_to_quantized_type_dtype(x, dtype, cast_back), x=x)


@pytest.mark.parametrize("cast_back", [True, False], ids=["cast_back", "kept"])
@pytest.mark.parametrize("working", generators.WORKING)
@pytest.mark.parametrize("args", INTEGERS + FLOATS, ids=format_name)
def test_round_to_code(args: QuantizationArgs, working: str, cast_back: bool) -> None:
    """A value rounded to a code has upstream's bits, for all values of a 16-bit dtype."""
    rng = np.random.default_rng(2)
    near_ties = generators.cast(rng.choice(generators.code_midpoints(args), COUNT), working)
    x = np.concatenate(
        [
            generators.moved(near_ties, rng.integers(-2, 3, COUNT)),
            generators.any_bits(rng, working, COUNT),
            generators.specials(working),
            every_value(working),
        ]
    )
    bounds = reference.calculate_range(args)
    ours = reference.round_to_quantized_type_args(x, args, *bounds, cast_back)
    assert_same(ours, upstream.round_to_quantized_type_args(x, args, cast_back), x=x)


@pytest.mark.parametrize("working", generators.WORKING)
@pytest.mark.parametrize("length", generators.LENGTHS)
def test_no_length_changes_a_rounding(length: int, working: str) -> None:
    """Arrays of the lengths around a vector's, strided ones too, are rounded as by upstream."""
    rng = np.random.default_rng(length)
    for args in INTEGERS + FLOATS:
        near_ties = generators.cast(rng.choice(generators.code_midpoints(args), length), working)
        x = generators.moved(near_ties, rng.integers(-2, 3, length))
        bounds = reference.calculate_range(args)
        ours = reference.round_to_quantized_type_args(generators.strided(x), args, *bounds)
        assert_same(ours, upstream.round_to_quantized_type_args(x, args), x=x)


@pytest.mark.parametrize("args", INTEGERS + FLOATS, ids=format_name)
def test_range_of_codes(args: QuantizationArgs) -> None:
    """The smallest and the largest code are upstream's."""
    assert reference.calculate_range(args) == upstream.calculate_range(args)
