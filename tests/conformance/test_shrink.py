"""A planted fault shrinks to one number or one group, with nothing around it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance.bits import bits_of
from qparity.conformance.case import Case, run_case
from qparity.conformance.layouts import with_layout
from qparity.conformance.run import run_check
from qparity.conformance.shrink import shrink
from qparity.reference import QuantizationArgs
from tests.conformance import planted
from tests.conformance.planted import Array

OPTIONS = ("g_idx", "global_scale", "compute_dtype", "dtype", "state")


def above(limit: float, change: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """Quantize with codes changed where x is above a limit."""

    def quantize(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        codes = reference.quantize(x, *a, **k)
        return np.where(np.atleast_1d(x) > limit, change(codes, x), codes)

    return quantize


def counterexample(backend: object, op: str, name: str) -> Case:
    """The shrunk case of a check that fails."""
    outcome = run_check(planted.check_of(op, name), backend, seed=0, examples=4)
    assert outcome.status == "FAIL"
    assert outcome.counterexample is not None
    return outcome.counterexample.case


@pytest.mark.parametrize(
    ("op", "name", "tensor"),
    [
        ("quantize", "int8 float32", "x"),
        ("fake_quantize", "fp8 float16", "x"),
        ("dequantize", "int4 bfloat16", "x_q"),
        ("calculate_qparams", "int8 float32", "min_vals"),
        ("round_to_quantized_type_args", "fp4 float64", "x"),
        ("round_to_quantized_type_dtype", "float8_e4m3fn from float32", "x"),
        ("pack_to_int32", "int3", "value"),
        ("unpack_from_int32", "int5", "packed"),
    ],
)
def test_a_fault_of_numbers_shrinks_to_one_number(op: str, name: str, tensor: str) -> None:
    """Where every answer is wrong in its last number, the counterexample has one number."""
    case = counterexample(planted.spoiled(op, planted.next_to), op, name)
    assert case.inputs[tensor].size == 1
    assert not [key for key in OPTIONS if key != "dtype" and case.inputs.get(key) is not None]


@pytest.mark.parametrize(("name", "most"), [("int8 float32", 1), ("fp4 bfloat16", 1)])
def test_the_reciprocal_shrinks_to_one_number(name: str, most: int) -> None:
    """A reciprocal in place of the division is shown by one x and one scale."""
    backend = planted.backend(quantize=planted.by_reciprocal)
    case = counterexample(backend, "quantize", name)
    x = case.inputs["x"]
    assert case.inputs["scale"].size == most
    assert np.count_nonzero(bits_of(x)) == 1


def test_a_group_that_matters_stays_whole() -> None:
    """A fault that only groups have shrinks to one group, all but one of its numbers zero."""
    args = QuantizationArgs(num_bits=4, group_size=16)
    wrong = above(5.0, lambda codes, x: codes + (codes.dtype.type(x.shape[-1] % 16 == 0)))
    x = np.arange(96, dtype=np.float32).reshape(2, 48)
    inputs = {"x": x, "scale": np.ones((2, 3), np.float32), "zero_point": None, "args": args}
    small = shrink(Case("quantize", inputs), planted.backend(quantize=wrong))
    assert small.inputs["x"].shape == (1, 16)
    assert small.inputs["scale"].shape == (1, 1)
    assert np.count_nonzero(bits_of(small.inputs["x"])) == 1


def test_the_number_that_is_wrong_is_the_one_that_stays() -> None:
    """Of many numbers, the counterexample keeps one that the fault is about."""
    wrong = above(90.0, lambda codes, x: codes - 1 + 0 * x)
    x = np.linspace(-100, 100, 63, dtype=np.float32).reshape(7, 9)
    inputs = {"x": x, "scale": np.ones((7, 1), np.float32), "zero_point": None}
    case = Case("quantize", inputs | {"args": QuantizationArgs(strategy="channel")})
    small = shrink(case, planted.backend(quantize=wrong))
    assert small.inputs["x"].size == 1
    assert small.inputs["x"].item() > 90


def test_options_that_do_not_matter_are_left_out() -> None:
    """Zero-point, ``g_idx``, global scale and dtypes go, unless the fault is in them."""
    args = QuantizationArgs(num_bits=4, group_size=2)
    inputs = {
        "x": np.full((2, 4), 3, np.float32),
        "scale": np.ones((2, 2), np.float32),
        "zero_point": np.ones((2, 2), np.int8),
        "args": args,
        "g_idx": np.array([1, 0, 1, 0]),
        "global_scale": np.ones(1, np.float32),
        "dtype": np.dtype(np.int8),
    }
    small = shrink(Case("quantize", inputs), planted.spoiled("quantize", planted.next_to))
    assert small.inputs.get("zero_point") is None
    assert not [key for key in OPTIONS if small.inputs.get(key) is not None]

    def without_zero_point(zero_point: Array | None = None, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        del zero_point
        return reference.quantize(zero_point=None, **k)

    backend = planted.backend(quantize=without_zero_point)
    small = shrink(Case("quantize", inputs), backend)
    assert small.inputs["zero_point"].any()
    assert small.inputs.get("g_idx") is None


def test_a_layout_that_matters_stays() -> None:
    """A fault of strided memory keeps its strides; for another fault memory becomes contiguous."""
    x = with_layout(np.arange(1, 25, dtype=np.float32).reshape(4, 6), "transposed")
    inputs = {"x": x, "scale": np.ones(1, np.float32), "zero_point": None, "args": planted.INT8}

    def reads_on(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        codes = reference.quantize(x, *a, **k)
        return codes if x.flags.c_contiguous else codes + np.float32(1)

    small = shrink(Case("quantize", inputs), planted.backend(quantize=reads_on))
    assert not small.inputs["x"].flags.c_contiguous
    assert small.inputs["x"].size < x.size
    small = shrink(Case("quantize", inputs), planted.spoiled("quantize", planted.next_to))
    assert small.inputs["x"].flags.c_contiguous


@pytest.mark.parametrize("op", ["compress", "decompress"])
def test_a_weight_shrinks_to_one_group(op: str) -> None:
    """A fault of a compressed weight is shown by the fewest groups that can be packed."""

    def spoils(*a: Any, **k: Any) -> dict[str, Array]:  # noqa: ANN401 - as the reference's
        result = getattr(reference, op)(*a, **k)
        return result | {"weight_scale": planted.next_to(result["weight_scale"])}

    case = counterexample(planted.backend(**{op: spoils}), op, "NVFP4 float32")
    weight = case.simple_inputs["weight"]
    assert weight.shape == (1, 16)
    assert np.count_nonzero(bits_of(weight)) <= 1


def test_a_fault_that_raises_shrinks_as_well() -> None:
    """A backend that raises for some input is shown by a small one."""

    def raises(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        if (x > 64).any():
            raise RuntimeError("too large")
        return reference.quantize(x, *a, **k)

    case = counterexample(planted.backend(quantize=raises), "quantize", "int8 float32")
    assert np.count_nonzero(bits_of(case.inputs["x"])) == 1


def test_a_shrunk_case_still_differs_and_the_budget_is_kept() -> None:
    """Whatever the budget, the result differs; with none it is the case itself."""
    wrong = above(90.0, lambda codes, x: codes - 1 + 0 * x)
    x = np.linspace(-100, 100, 256, dtype=np.float32)
    inputs = {"x": x, "scale": np.ones(1, np.float32), "zero_point": None, "args": planted.INT8}
    case = Case("quantize", inputs)
    for budget in (0, 3, 50):
        calls = []
        backend = planted.backend(
            quantize=lambda x, *a, calls=calls, **k: (calls.append(1), wrong(x, *a, **k))[1]
        )
        small = shrink(case, backend, budget)
        assert len(calls) <= budget + 64
        assert run_case(small, planted.backend(quantize=wrong))[2] is not None
        if budget == 0:
            assert small.inputs is case.inputs


def test_a_case_that_does_not_differ_is_left_as_it_is() -> None:
    """Without a fault there is nothing to shrink to."""
    case = planted.reciprocal_case()
    assert shrink(case, planted.backend()).inputs == case.inputs
