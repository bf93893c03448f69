"""Generated shapes fit the strategy, at awkward sizes."""

import numpy as np
import pytest

from qparity.conformance.quantized import STRATEGIES, strategy_args
from qparity.conformance.shapes import TAILS, per_element, shapes_for
from qparity.conformance.spec import Spec
from qparity.reference import quantize

SPEC = Spec("int", 8, np.dtype(np.float32))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_reference_takes_every_shape(strategy: str) -> None:
    """``quantize`` of a generated shape of x and of its scale raises nothing."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        for args in strategy_args(rng, SPEC):
            if args.strategy == strategy:
                shapes = shapes_for(rng, args)
                x, scale = np.ones(shapes.x, np.float32), np.ones(shapes.scale, np.float32)
                assert quantize(x, scale, None, args).shape == (shapes.x or (1,))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_scale_of_every_element_is_the_one_used(strategy: str) -> None:
    """x made of the per-element scales has code 1 everywhere: the reference pairs them alike."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        for args in strategy_args(rng, SPEC):
            if args.strategy == strategy:
                shapes = shapes_for(rng, args)
                scale = (1 + rng.permutation(int(np.prod(shapes.scale)))).astype(np.float32)
                scale = scale.reshape(shapes.scale)
                x = per_element(scale, shapes, args).astype(np.float32)
                assert x.shape == (shapes.x or (1,))
                assert (quantize(x, scale, None, args) == 1).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_shapes_without_elements_are_taken(strategy: str) -> None:
    """Where they are asked for, shapes without elements occur, and come back as they are."""
    rng = np.random.default_rng(4)
    (args,) = [a for a in strategy_args(rng, SPEC) if a.strategy == strategy and a.symmetric]
    drawn = [shapes_for(rng, args, empty=True) for _ in range(300)]
    empty = {shapes for shapes in drawn if 0 in shapes.x}
    assert len({shapes.x for shapes in empty}) >= 2
    for shapes in empty:
        x, scale = np.ones(shapes.x, np.float32), np.ones(shapes.scale, np.float32)
        assert per_element(scale, shapes, args).shape == shapes.x
        assert quantize(x, scale, None, args).shape == shapes.x
    assert not any(0 in shapes_for(rng, args).x for _ in range(100))


@pytest.mark.parametrize("strategy", ["tensor", "channel", "token", "group", "tensor_group"])
def test_rows_may_be_longer_than_1024(strategy: str) -> None:
    """Rows of 1023, 1024 and 1025 columns occur, and of as many groups as make about 1024."""
    rng = np.random.default_rng(5)
    (args,) = [a for a in strategy_args(rng, SPEC) if a.strategy == strategy and a.symmetric]
    columns = {shapes.x[-1] for _ in range(800) if (shapes := shapes_for(rng, args)).x}
    if args.group_size is None:
        assert columns >= {1023, 1024, 1025}
    assert max(columns) > 1024


def test_tails_are_around_the_widths_of_vectors() -> None:
    """Sizes one below, at, and one above 16, 32, 64 and 128 all occur, and 1, 2 and 3."""
    around = {n + step for n in (16, 32, 64, 128) for step in (-1, 0, 1)}
    assert set(TAILS) == around | {1, 2, 3}


def test_ranks_go_from_0_to_4() -> None:
    """Over all strategies, x of every rank from 0-D to 4-D occurs, and 1-D scales of groups."""
    rng = np.random.default_rng(3)
    drawn = [
        (args.strategy, shapes_for(rng, args))
        for _ in range(60)
        for args in strategy_args(rng, SPEC)
    ]
    assert {len(shapes.x) for _, shapes in drawn} == {0, 1, 2, 3, 4}
    assert {len(shapes.scale) for strategy, shapes in drawn if strategy == "group"} == {1, 2, 3, 4}
