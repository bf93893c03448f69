"""Strategies for anybody's ``@given``: valid, aimed, and quiet under ``-W error``."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from qparity.conformance import strategies
from qparity.conformance.bits import nan_mask
from qparity.conformance.case import Case, run_case
from qparity.conformance.layouts import LAYOUTS
from qparity.conformance.operations import public_operations
from qparity.conformance.quantized import WORKING
from qparity.conformance.spec import FORMATS_OF_CODES
from qparity.conformance.values import ties_of
from qparity.reference import (
    PRESET_SCHEMES,
    QuantizationArgs,
    calculate_qparams,
    preset_name_to_scheme,
    quantize,
)
from tests.conformance import planted
from tests.conformance.test_values import within_ulps

fixed = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
searching = settings(fixed, max_examples=400)
ARGS = strategies.quantization_args()


@fixed
@given(st.data())
def test_args_are_valid_and_inputs_fit_them(data: st.DataObject) -> None:
    """Whatever args are drawn, ``quantize`` takes the inputs that are drawn for them."""
    args = data.draw(ARGS)
    inputs: dict[str, Any] = data.draw(strategies.quantized_inputs(args, nan=True))
    codes = quantize(zero_point=None, args=args, **inputs)
    assert codes.shape == (inputs["x"].shape or (1,))


@fixed
@given(st.data())
def test_ranges_fit_the_args(data: st.DataObject) -> None:
    """``calculate_qparams`` takes the ranges that are drawn for any args."""
    args = data.draw(ARGS)
    lo, hi = data.draw(strategies.ranges(args, size=5))
    scale, zero_point = calculate_qparams(lo, hi, args)
    assert (scale.shape, zero_point.shape) == ((5,), (5,))
    assert not (nan_mask(lo) | nan_mask(hi)).any()


@pytest.mark.parametrize("kind", FORMATS_OF_CODES)
def test_every_format_is_drawn(kind: tuple[str, int]) -> None:
    """A search finds args of each format, and among them asymmetric ones where there are such."""
    args = find(ARGS, lambda a: (a.type, a.num_bits) == kind, settings=searching)
    assert (args.type, args.num_bits) == kind


@pytest.mark.parametrize(
    "condition",
    [
        lambda a: a.is_mx,
        lambda a: not a.symmetric and a.strategy == "block",
        lambda a: a.strategy == "tensor_group" and a.scale_dtype is None,
        lambda a: a.strategy == "attn_head",
        lambda a: a.dynamic is True and a.strategy == "token",
        lambda a: a.zp_dtype is not None and a.zp_dtype.name == "uint8" and a.type == "int",
    ],
)
def test_rare_args_are_drawn(condition: Any) -> None:  # noqa: ANN401 - a predicate
    """MX, asymmetric blocks, null scale dtypes, heads, tokens and odd zero-points are all found."""
    find(ARGS, condition, settings=settings(searching, max_examples=4000))


def test_args_can_be_narrowed() -> None:
    """Strategies and formats that are not asked for are not drawn."""
    narrow = strategies.quantization_args(strategies=("group",), formats=(("int", 4),))
    with pytest.raises(NoSuchExample):
        find(
            narrow,
            lambda a: (a.strategy, a.type, a.num_bits) != ("group", "int", 4),
            settings=fixed,
        )


def test_the_presets_are_drawn() -> None:
    """Every preset scheme is found by a search."""
    for name in PRESET_SCHEMES:
        wanted = preset_name_to_scheme(name)
        find(strategies.quantization_schemes(), lambda s, w=wanted: s == w, settings=searching)


def test_dtypes_and_layouts_are_all_drawn() -> None:
    """float32 is the simplest dtype, contiguous the simplest layout; the others are found."""
    assert find(strategies.dtypes(), lambda _: True) == np.float32
    assert find(strategies.layouts(), lambda _: True) == "contiguous"
    for dtype in WORKING:
        assert find(strategies.dtypes(), lambda d, w=dtype: d == w, settings=searching) == dtype
    for layout in LAYOUTS:
        assert find(strategies.layouts(), lambda x, w=layout: x == w, settings=searching) == layout


def test_inputs_are_aimed_at_ties() -> None:
    """At least 30 % of the drawn x over their scale lie within 4 ulps of a tie."""
    args = QuantizationArgs(strategy="channel")
    near: list[bool] = []

    @fixed
    @given(strategies.quantized_inputs(args, dtype=np.dtype(np.float32)))
    def collect(inputs: dict[str, Any]) -> None:
        with np.errstate(all="ignore"):
            y = (inputs["x"] / inputs["scale"]).reshape(-1)
        usual = np.isfinite(y) & (np.abs(y) < 200)
        near.extend(within_ulps(y[usual], ties_of(args.code_format), 4).tolist())

    collect()
    assert len(near) > 200
    assert np.mean(near) >= 0.30


def test_tensors_have_nan_only_if_asked_for() -> None:
    """NaN is found in tensors drawn with it, and never in others."""
    args = QuantizationArgs()

    def has_nan(x: Any) -> bool:  # noqa: ANN401 - an array
        return bool(nan_mask(x).any())

    find(strategies.tensors(args, nan=True), has_nan, settings=searching)
    with pytest.raises(NoSuchExample):
        find(strategies.tensors(args), has_nan, settings=fixed)
    of_dtype = strategies.tensors(args, dtype=np.dtype(np.float16))
    assert find(of_dtype, lambda _: True).dtype == np.float16


@pytest.mark.parametrize("op", public_operations())
def test_cases_of_every_operation_are_drawn(op: str) -> None:
    """What is drawn are cases of the operation, equal on the reference itself."""
    backend = planted.backend()

    @settings(fixed, max_examples=2)
    @given(strategies.cases(op, nan=True))
    def equal(cases: list[Case]) -> None:
        for case in cases[:3]:
            assert case.op == op
            assert run_case(case, backend)[2] is None

    equal()


def test_a_property_that_fails_is_found() -> None:
    """A fault that a user plants in a kernel of their own is found by a drawn input."""
    args = QuantizationArgs(strategy="channel")

    @settings(fixed, max_examples=100)
    @given(strategies.quantized_inputs(args, dtype=np.dtype(np.float32)))
    def same_codes(inputs: dict[str, Any]) -> None:
        with np.errstate(all="ignore"):
            product = inputs["x"] * (np.float32(1) / inputs["scale"])
            codes = np.rint(np.clip(product, -128, 127))
        usual = np.isfinite(product) & (np.abs(inputs["scale"]) < 1e30)
        expected = quantize(zero_point=None, args=args, **inputs)
        assert (codes[usual] == expected[usual]).all()

    with pytest.raises(AssertionError):
        same_codes()


def test_an_unknown_operation_is_refused() -> None:
    """The message names the operation."""
    with pytest.raises(ValueError, match="op: 'quantise' is not an operation"):
        strategies.cases("quantise")
