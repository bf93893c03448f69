"""Ranges of tensors, static, running and per call, against the exact oracle."""

from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import (
    QuantizationArgs,
    compute_dynamic_scales_and_zp,
    memoryless_minmax,
    minmax,
    static_minmax,
)
from tests.oracle.layout import Index, ranges
from tests.oracle.number import maximum, minimum
from tests.oracle.qparams import calculate_qparams, moving_average
from tests.oracle.rounding import Scalar
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    assert_same,
    oracle_args,
    scalars_of,
)
from tests.reference.oracle_inputs import DETERMINISTIC, SEEDS, any_code, drawn

STATIC: list[tuple[str, Index, Index, dict[str, Any]]] = [
    ("tensor", (3, 5), (1,), {}),
    ("tensor", (4,), (1,), {}),
    ("channel", (3, 5), (3, 1), {}),
    ("channel", (4,), (1, 1), {}),
    ("channel", (2, 3, 4), (2, 3, 1), {}),
    ("group", (3, 6), (3, 3), {"group_size": 2}),
    ("group", (6,), (1, 3), {"group_size": 2}),
    ("tensor_group", (2, 2, 4), (2, 2, 2), {"group_size": 2}),
    ("block", (5, 7), (3, 3), {"block_structure": (2, 3)}),
    ("block", (4, 6), (2, 2), {"block_structure": (2, 3)}),
    ("attn_head", (2, 3, 2, 2), (3, 1, 1), {}),
    ("attn_head", (3, 2, 2), (3, 1, 1), {}),
]
DYNAMIC: list[tuple[str, Index, Index, dict[str, Any]]] = [
    ("token", (4,), (1,), {}),
    ("token", (3, 4), (3, 1), {}),
    ("token", (2, 3, 4), (2, 3, 1), {}),
    ("token", (2, 3, 2, 2), (2, 3, 1, 1), {}),
    ("tensor", (3, 4), (1,), {}),
    ("group", (6,), (3,), {"group_size": 2}),
    ("group", (3, 6), (3, 3), {"group_size": 2}),
    ("tensor_group", (2, 2, 4), (2, 2, 2), {"group_size": 2}),
]


def sparse(name: str, shape: Index, rng: Random) -> Array:
    """An array of anything, in which NaN is rare enough to leave units without it."""
    array = drawn(any_code, name, shape, rng)
    if rng.random() < 0.7:
        array[array != array] = 0
    return array


def observed(x: Array, args: QuantizationArgs) -> list[tuple[Scalar, Scalar]]:
    """The oracle's range of each unit, in order."""
    name = x.dtype.name
    indices = product(*map(range, x.shape))
    elements = dict(zip(indices, (v.number for v in scalars_of(x)), strict=True))
    found = ranges(oracle_args(args), x.shape, elements)
    return [(Scalar(found[at][0], name), Scalar(found[at][1], name)) for at in sorted(found)]


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("strategy", "shape", "units", "fields"), STATIC)
@settings(DETERMINISTIC, max_examples=6)
@given(seed=SEEDS)
def test_static_ranges(
    strategy: str, shape: Index, units: Index, fields: dict[str, Any], name: str, seed: int
) -> None:
    """The range of a unit is that of its elements, and observers carry it on by their rule."""
    rng = Random(seed)
    constant = rng.choice([None, 0.25, 1 / 3])
    kwargs = {} if constant is None else {"averaging_constant": constant}
    args = QuantizationArgs(strategy=strategy, observer_kwargs=kwargs, **fields)
    before, x = sparse(name, shape, rng), sparse(name, shape, rng)
    starts, ends = observed(before, args), observed(x, args)

    state = minmax(before, args)
    assert_same(state[0], [low for low, _ in starts], shape=units)
    assert_same(state[1], [high for _, high in starts], shape=units)

    low, high = static_minmax(before, args)
    assert_same(low, [low for low, _ in starts], shape=units)
    assert_same(high, [high for _, high in starts], shape=units)

    low, high = memoryless_minmax(x, args, state)
    assert_same(low, [low for low, _ in ends], shape=units)
    assert_same(high, [high for _, high in ends], shape=units)

    low, high = static_minmax(x, args, state)
    each = list(zip(starts, ends, strict=True))
    assert_same(low, [Scalar(minimum(a[0].number, b[0].number), name) for a, b in each])
    assert_same(high, [Scalar(maximum(a[1].number, b[1].number), name) for a, b in each])

    low, high = minmax(x, args, state)
    c = Fraction(0.01 if constant is None else constant)
    assert_same(low, [moving_average(a[0], b[0], c) for a, b in each], *state)
    assert_same(high, [moving_average(a[1], b[1], c) for a, b in each], *state)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("strategy", "shape", "units", "fields"), DYNAMIC)
@settings(DETERMINISTIC, max_examples=6)
@given(data=st.data(), seed=SEEDS)
def test_dynamic_scales(
    strategy: str,
    shape: Index,
    units: Index,
    fields: dict[str, Any],
    name: str,
    data: st.DataObject,
    seed: int,
) -> None:
    """The scale and zero-point of a unit are those of the range of its elements."""
    rng = Random(seed)
    kind, num_bits = data.draw(st.sampled_from([("int", 8), ("int", 4), ("float", 8)]))
    args = QuantizationArgs(
        num_bits=num_bits,
        type=kind,
        symmetric=data.draw(st.booleans()),
        strategy=strategy,
        dynamic=True,
        **fields,
    )
    x = sparse(name, shape, rng)
    whole = None if rng.random() < 0.5 else drawn(any_code, rng.choice(WORKING), (1,), rng)
    one = None if whole is None else scalars_of(whole)[0]
    scale, zero_point = compute_dynamic_scales_and_zp(x, args, whole)
    expected = [calculate_qparams(*pair, oracle_args(args), one) for pair in observed(x, args)]
    assert_same(scale, [s for s, _ in expected], shape=units)
    assert_same(zero_point, [zp for _, zp in expected], shape=units)
