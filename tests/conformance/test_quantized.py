"""Cases of quantize, dequantize and fake_quantize reach every strategy and option."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from qparity.conformance.bits import nan_mask
from qparity.conformance.case import Case, expected_outputs
from qparity.conformance.quantized import (
    STRATEGIES,
    WORKING,
    dequantize_cases,
    fake_quantize_cases,
    quantize_cases,
    strategy_args,
)
from qparity.conformance.spec import Spec
from qparity.conformance.values import Rng, ties_of
from qparity.reference import QuantizationArgs
from tests.conformance.test_values import within_ulps

FLOAT32 = np.dtype(np.float32)
INT8, FP4 = Spec("int", 8, FLOAT32), Spec("float", 4, FLOAT32)
MAKERS = (quantize_cases, dequantize_cases, fake_quantize_cases)
Maker = Callable[[Rng, Spec], Iterator[Case]]


def many(make: Maker, spec: Spec, examples: int = 25) -> list[Case]:
    """The cases of several examples."""
    with np.errstate(all="ignore"):
        return [c for seed in range(examples) for c in make(np.random.default_rng(seed), spec)]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("spec", [INT8, FP4], ids=["int8", "fp4"])
def test_the_reference_answers_every_case(make: Maker, spec: Spec) -> None:
    """No generated case is bad input: the reference returns numbers for each."""
    for case in many(make, spec, 6):
        assert expected_outputs(case)


@pytest.mark.parametrize("make", MAKERS)
def test_every_strategy_is_met_symmetric_and_not(make: Maker) -> None:
    """One example has each strategy, of int8 with and without a zero-point, of fp4 without."""
    pairs = [(c.inputs["args"].strategy, c.inputs["args"].symmetric) for c in many(make, INT8, 1)]
    assert sorted(pairs) == sorted((s, b) for s in STRATEGIES for b in (True, False))
    found = [c.inputs["args"].strategy for c in many(make, FP4, 1)]
    assert sorted(found) == sorted(STRATEGIES)


@pytest.mark.parametrize("make", MAKERS)
def test_every_option_is_met(make: Maker) -> None:
    """Zero-points and None, global scales, ``dtype`` and gaps in memory all occur."""
    cases = many(make, INT8, 12)
    inputs = [case.inputs for case in cases]
    assert {i["zero_point"] is None for i in inputs} == {True, False}
    assert {"global_scale" in i for i in inputs} == {True, False}
    tensors = [
        i["x_q" if case.op == "dequantize" else "x"] for case, i in zip(cases, inputs, strict=True)
    ]
    assert {x.flags.c_contiguous for x in tensors} == {True, False}
    assert {i["scale"].dtype for i in inputs} == set(WORKING)
    if make is not fake_quantize_cases:
        assert {"dtype" in i for i in inputs} == {True, False}


@pytest.mark.parametrize("make", MAKERS)
def test_columns_come_in_any_order(make: Maker) -> None:
    """``g_idx`` is met, left out, and negative somewhere, which means that it is not given."""
    spec = Spec("int", 4, FLOAT32, args=QuantizationArgs(num_bits=4, group_size=3))
    g_idx = [case.inputs.get("g_idx") for case in many(make, spec, 200)]
    assert {None if g is None else bool((g < 0).any()) for g in g_idx} == {None, True, False}


@pytest.mark.parametrize("make", MAKERS)
def test_nan_is_there_only_where_it_is_asked_for(make: Maker) -> None:
    """Without ``nan``, x and the scale hold none; with it, some of each hold some."""
    key = "x_q" if make is dequantize_cases else "x"
    for case in many(make, INT8, 6):
        assert not nan_mask(case.inputs[key]).any()
        assert not nan_mask(case.inputs["scale"]).any()
    with_nan = many(make, Spec("int", 8, FLOAT32, nan=True), 6)
    assert any(nan_mask(case.inputs["scale"]).any() for case in with_nan) or key == "x_q"
    assert any(nan_mask(case.inputs[key]).any() for case in with_nan) or key == "x_q"


def test_x_is_at_ties_of_its_own_quotient() -> None:
    """At least 45 % of x over s plus zero-point lie within 4 ulps of a tie, one scale or many."""
    hits, total = 0, 0
    for case in many(quantize_cases, INT8, 12):
        i = case.inputs
        if i["args"].strategy != "channel" or i["scale"].dtype != FLOAT32 or "global_scale" in i:
            continue
        zero_point = 0 if i["zero_point"] is None else i["zero_point"].astype(np.float32)
        with np.errstate(all="ignore"):
            y = i["x"] / i["scale"] + zero_point
            usual = np.isfinite(y) & (np.abs(i["scale"]) < 1e30) & (i["scale"] > 1e-30)
            near = within_ulps(y, ties_of(i["args"].code_format), 4)
            near |= np.abs(y - np.floor(y) - 0.5) < 1e-4
        hits, total = hits + int((near & usual).sum()), total + int(usual.sum())
    assert total > 500
    assert hits / total >= 0.45


def test_codes_are_stored_in_every_dtype_that_holds_them() -> None:
    """``dequantize`` is given int8 codes and float codes, -0.0 and values off the grid too."""
    cases = many(dequantize_cases, INT8, 10)
    codes = [case.inputs["x_q"] for case in cases]
    assert {x.dtype for x in codes} == {np.dtype(np.int8), FLOAT32}
    floats = np.concatenate([x.reshape(-1) for x in codes if x.dtype == FLOAT32])
    assert ((floats == 0) & np.signbit(floats)).any()
    assert (floats != np.rint(floats)).any()


def test_given_args_are_the_only_ones() -> None:
    """A spec with args has the cases of these args alone."""
    args = QuantizationArgs(num_bits=4, group_size=32)
    spec = Spec("int", 4, FLOAT32, args=args, compute_dtype=FLOAT32)
    assert strategy_args(np.random.default_rng(0), spec) == [args]
    assert all(case.inputs["args"] == args for make in MAKERS for case in many(make, spec, 3))
    assert all(case.inputs["compute_dtype"] == FLOAT32 for case in many(quantize_cases, spec, 3))
    assert all("compute_dtype" not in case.inputs for case in many(dequantize_cases, spec, 3))
