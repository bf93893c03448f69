"""Cases of qparams, ranges and observers reach every dtype, strategy and state."""

import numpy as np
import pytest

from qparity.conformance.bits import nan_mask
from qparity.conformance.case import expected_outputs
from qparity.conformance.parameters import (
    SCALE_DTYPES,
    ZP_DTYPES,
    calculate_qparams_cases,
    calculate_range_cases,
    dynamic_cases,
    generate_gparam_cases,
    observer_cases,
)
from qparity.conformance.quantized import WORKING
from qparity.conformance.spec import Spec
from qparity.reference import QuantizationArgs
from tests.conformance.test_quantized import FLOAT32, FP4, INT8, Maker, many

OBSERVERS = ("memoryless_minmax", "minmax", "static_minmax")
MAKERS = [calculate_range_cases, calculate_qparams_cases, generate_gparam_cases, dynamic_cases]


def observed(op: str) -> Maker:
    """The cases of an observer."""
    return lambda rng, spec: observer_cases(op, rng, spec)


@pytest.mark.parametrize("make", [*MAKERS, *map(observed, OBSERVERS)])
@pytest.mark.parametrize("spec", [INT8, FP4], ids=["int8", "fp4"])
def test_the_reference_answers_every_case(make: Maker, spec: Spec) -> None:
    """No generated case is bad input: the reference returns numbers for each."""
    for case in many(make, spec, 4):
        with np.errstate(all="ignore"):
            assert expected_outputs(case)


def test_every_scale_dtype_is_met() -> None:
    """One example has every ``scale_dtype``, null too, symmetric and not."""
    args = [case.inputs["args"] for case in many(calculate_qparams_cases, INT8, 1)]
    names = [(None if a.scale_dtype is None else a.scale_dtype.name, a.symmetric) for a in args]
    assert set(names) == {(name, b) for name in SCALE_DTYPES for b in (True, False)}


def test_every_zero_point_dtype_is_met() -> None:
    """A few examples have every ``zp_dtype``."""
    args = [case.inputs["args"] for case in many(calculate_qparams_cases, INT8, 8)]
    assert {a.zp_dtype.name for a in args} == {name for name in ZP_DTYPES if name is not None}


def test_mx_and_global_scales_are_met() -> None:
    """Ranges of fp4 come with MX args, with a global scale and without, and with NaN if asked."""
    cases = many(calculate_qparams_cases, FP4, 8)
    assert any(case.inputs["args"].is_mx for case in cases)
    assert {"global_scale" in case.inputs for case in cases} == {True, False}
    assert not any(nan_mask(case.inputs["min_vals"]).any() for case in cases)
    asked = many(calculate_qparams_cases, Spec("float", 4, FLOAT32, nan=True), 2)
    assert any(nan_mask(case.inputs["min_vals"]).any() for case in asked)


def test_ranges_of_every_rank_are_met() -> None:
    """Ranges are 0-D to 4-D."""
    cases = many(calculate_qparams_cases, INT8, 6)
    assert {case.inputs["min_vals"].ndim for case in cases} == {0, 1, 2, 3, 4}


def test_every_dynamic_strategy_is_met() -> None:
    """Tokens, tensors, groups and tensor groups occur, of rank 1 to 4."""
    cases = many(dynamic_cases, INT8, 6)
    strategies = {case.inputs["args"].strategy for case in cases}
    assert strategies == {"token", "tensor", "group", "tensor_group"}
    assert {case.inputs["x"].ndim for case in cases} == {1, 2, 3, 4}


@pytest.mark.parametrize("op", OBSERVERS)
def test_observers_start_and_go_on(op: str) -> None:
    """Every static strategy is observed twice: without a state, and with one."""
    cases = many(observed(op), INT8, 1)
    strategies = [case.inputs["args"].strategy for case in cases]
    assert set(strategies) == {"tensor", "channel", "group", "tensor_group", "block", "attn_head"}
    assert [("state" in case.inputs) for case in cases] == [False, True] * (len(cases) // 2)
    assert all(case.op == op for case in cases)


def test_one_range_at_a_time_has_a_global_scale() -> None:
    """``generate_gparam`` is given single numbers, 0-D and 1-D."""
    shapes = {case.inputs["min_val"].shape for case in many(generate_gparam_cases, INT8, 2)}
    assert shapes == {(), (1,)}


@pytest.mark.parametrize("dtype", WORKING, ids=str)
def test_tensors_are_of_the_dtype_of_the_spec(dtype: np.dtype) -> None:
    """x and its ranges are in the dtype that the check is of."""
    spec = Spec("int", 4, dtype)
    assert all(case.inputs["x"].dtype == dtype for case in many(dynamic_cases, spec, 2))
    cases = many(calculate_qparams_cases, spec, 2)
    assert all(case.inputs["max_vals"].dtype == dtype for case in cases)


def test_given_args_are_the_only_ones() -> None:
    """A spec with args has the cases of these args alone."""
    args = QuantizationArgs(num_bits=4, group_size=32, scale_dtype="float16")
    spec = Spec("int", 4, FLOAT32, args=args)
    for make in (calculate_range_cases, calculate_qparams_cases, dynamic_cases, observed("minmax")):
        assert {case.inputs["args"] for case in many(make, spec, 2)} == {args}
