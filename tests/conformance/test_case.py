"""One call on a backend: whatever is not the reference's answer is a difference."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance.case import (
    Case,
    UnsupportedError,
    expected_outputs,
    run_case,
)
from qparity.conformance.compare import Difference
from qparity.conformance.operations import all_checks, public_operations
from qparity.conformance.outputs import named_outputs
from qparity.reference import QuantizationArgs, preset_name_to_scheme
from tests.conformance import planted
from tests.conformance.planted import INT8, Array

CHECKS = {check.op: check for check in all_checks() if "UNQUANTIZED" not in check.name}


def first_case(op: str) -> Case:
    """A case of an operation, with numbers."""
    with np.errstate(all="ignore"):
        return next(case for case in CHECKS[op].cases(7, False) if not case.is_empty)


def quantize_case() -> Case:
    """Three numbers, the second of which is 2."""
    x = np.array([1, 2, 300], np.float32)
    return Case(
        "quantize", {"x": x, "scale": np.ones(1, np.float32), "zero_point": None, "args": INT8}
    )


@pytest.mark.parametrize("op", public_operations())
def test_the_reference_equals_itself(op: str) -> None:
    """A case of any operation, run on the reference as a backend, has no difference."""
    case = first_case(op)
    expected, actual, difference = run_case(case, planted.backend())
    assert difference is None
    assert expected.keys() == actual.keys()


@pytest.mark.parametrize("op", public_operations())
def test_one_wrong_bit_in_any_operation_is_found(op: str) -> None:
    """A backend whose last number has one wrong bit differs, whatever the operation."""
    case = first_case(op)
    names = list(expected_outputs(case))

    def operation(**inputs: Any) -> Any:  # noqa: ANN401 - as the reference's
        result = getattr(reference, op)(**inputs)
        if isinstance(result, dict):
            return result | {names[-1]: planted.next_to(result[names[-1]])}
        if isinstance(result, tuple):
            last = planted.next_to(np.atleast_1d(result[-1]))
            return (*result[:-1], float(last[0]) if isinstance(result[-1], float) else last)
        return planted.next_to(result)

    _, _, difference = run_case(case, planted.backend(**{op: operation}))
    assert difference is not None
    assert (difference.output, difference.reason, difference.count) == (names[-1], "bits", 1)


@pytest.mark.parametrize("op", public_operations())
def test_a_missing_function_is_unsupported(op: str) -> None:
    """A backend without the function has nothing that could be wrong."""
    with pytest.raises(UnsupportedError, match=f"no function {op}"):
        run_case(first_case(op), planted.lacking(op))


def test_not_implemented_is_unsupported() -> None:
    """A backend that raises NotImplementedError declines the call, with its own words."""

    def declines(**_: object) -> None:
        raise NotImplementedError("no groups")

    with pytest.raises(UnsupportedError, match="no groups"):
        run_case(quantize_case(), planted.backend(quantize=declines))


def test_a_raising_backend_differs() -> None:
    """Any other exception of a backend is a difference that names it, on one line."""

    def raises(**_: object) -> None:
        raise RuntimeError("launch\nfailed")

    expected, actual, difference = run_case(quantize_case(), planted.backend(quantize=raises))
    assert difference is not None
    assert (difference.reason, difference.detail) == (
        "raised",
        "raised RuntimeError: launch failed",
    )
    assert (difference.count, difference.total) == (3, 3)
    assert (len(expected), actual) == (1, {})


def test_a_bridge_that_raises_differs() -> None:
    """An exception on the way into the backend or out of it is the backend's."""

    def raises(_: object) -> None:
        raise TypeError("no such dtype")

    for function in ("from_numpy", "to_numpy"):
        _, _, difference = run_case(quantize_case(), planted.backend(**{function: raises}))
        assert difference is not None
        assert difference.detail == "raised TypeError: no such dtype"


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        (lambda q: q.astype(np.float64), "dtype", "expected dtype float32, actual float64"),
        (lambda q: q[:, None], "shape", "expected shape (3,), actual (3, 1)"),
        (lambda q: (q, q), "keys", "expected outputs [''], actual ['[0]', '[1]']"),
        (lambda q: {"": q}, "type", "expected an array, actual dict"),
        (lambda _: 1.5, "type", "expected an array, actual float"),
        (lambda q: q[0], "shape", "expected shape (3,), actual ()"),
        (lambda q: np.float64(q[0]), "type", "expected an array, actual float64"),
        (lambda q: np.ma.masked_array(q, True), "type", "expected an array, actual MaskedArray"),
    ],
)
def test_an_answer_of_another_kind_differs(change: Any, reason: str, detail: str) -> None:  # noqa: ANN401 - a lambda
    """The right numbers in another dtype, shape or container are a difference."""
    _, _, difference = run_case(quantize_case(), planted.spoiled("quantize", change))
    assert difference is not None
    assert (difference.reason, difference.detail) == (reason, detail)


def test_what_the_bridge_cannot_read_is_no_array() -> None:
    """A result that does not come back as an array is a difference of type."""
    backend = planted.backend(to_numpy=lambda value: value, quantize=lambda **_: [1.0, 2.0, 127.0])
    _, _, difference = run_case(quantize_case(), backend)
    assert difference is not None
    assert (difference.reason, difference.detail) == ("type", "expected an array, actual list")


@pytest.mark.parametrize("op", ["calculate_qparams", "minmax", "calculate_range"])
def test_a_list_of_outputs_is_as_good_as_a_tuple(op: str) -> None:
    """Operations of two outputs may return them in a list; one too few or none at all differs."""
    case, names = first_case(op), sorted(expected_outputs(first_case(op)))

    def found(change: Callable[[Any], Any]) -> Difference | None:
        operation = getattr(reference, op)
        functions = {op: lambda **inputs: change(operation(**inputs)), "to_numpy": lambda v: v}
        return run_case(case, planted.backend(**functions))[2]

    assert found(list) is None
    for change, told in (
        (lambda pair: list(pair[:1]), "['[0]']"),
        (lambda _: None, "NoneType"),
        (lambda pair: np.atleast_1d(pair[0]), "['']"),
    ):
        difference = found(change)
        assert difference is not None
        assert difference.detail == f"expected outputs {names}, actual {told}"


def test_a_number_is_no_array() -> None:
    """A number of numpy or Python differs, where a float64 array of shape (1,) is due."""
    case = Case("dequantize", {"x_q": np.ones(1), "scale": np.ones(1), "zero_point": None})
    case = case.having(args=INT8, dtype=np.dtype(np.float64))
    assert expected_outputs(case)[""].shape == (1,)
    for number, name in ((lambda x: x[0], "float64"), (lambda x: x.item(), "float")):
        _, _, difference = run_case(case, planted.spoiled("dequantize", number))
        assert difference is not None
        assert difference.detail == f"expected an array, actual {name}"


def test_a_dict_is_no_pair() -> None:
    """Outputs by name, where a pair is due, are a difference, though the names are right."""
    case = first_case("calculate_qparams")

    def named(**inputs: Any) -> dict[str, Array]:  # noqa: ANN401 - as the reference's
        scale, zero_point = reference.calculate_qparams(**inputs)
        return {"scale": scale, "zero_point": zero_point}

    _, _, difference = run_case(case, planted.backend(calculate_qparams=named))
    assert difference is not None
    assert (difference.reason, difference.detail) == ("keys", "returned dict, expected a pair")


def test_missing_and_added_keys_differ() -> None:
    """A state dict with an entry too few or too many is a difference that names the keys."""
    case = first_case("compress")
    for change in (lambda d: dict(list(d.items())[1:]), lambda d: {**d, "extra": d["bias"]}):
        backend = planted.spoiled("compress", change)
        _, _, difference = run_case(case, backend)
        assert difference is not None
        assert difference.reason == "keys"


def test_the_outputs_that_differ_are_counted_together() -> None:
    """The first output that differs is shown; the count is over all of them."""
    lo, hi = np.array([-1, -2], np.float32), np.array([1, 2], np.float32)
    case = Case("calculate_qparams", {"min_vals": lo, "max_vals": hi, "args": INT8})
    wrong = lambda **k: tuple(planted.next_to(v) for v in reference.calculate_qparams(**k))  # noqa: E731
    _, _, difference = run_case(case, planted.backend(calculate_qparams=wrong))
    assert difference is not None
    assert (difference.output, difference.count, difference.total) == ("scale", 2, 4)


def sharing(**functions: Any) -> SimpleNamespace:  # noqa: ANN401 - any functions
    """A backend whose arrays are the caller's own memory."""
    return planted.backend(from_numpy=lambda a: a, to_numpy=lambda a: a, **functions)


def writes_x(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
    """The right codes; but the input is clamped in place."""
    codes = reference.quantize(x, *a, **k)
    np.clip(x, -128, 127, out=x)
    return codes


@pytest.mark.parametrize("make", [planted.backend, sharing])
def test_a_backend_that_writes_its_input_differs(make: Any) -> None:  # noqa: ANN401 - a function
    """An input changed in place is a difference, in a copy or in the caller's memory."""
    case = quantize_case()
    _, _, difference = run_case(case, make(quantize=writes_x))
    assert difference is not None
    assert (difference.reason, difference.detail) == ("mutated", "changed its input x")
    assert case.inputs["x"].tolist() == [1, 2, 300]


@pytest.mark.parametrize("make", [planted.backend, sharing])
@pytest.mark.parametrize("op", ["compress", "static_minmax"])
def test_nested_inputs_may_not_change_either(op: str, make: Any) -> None:  # noqa: ANN401 - a function
    """An array within a state dict or a state is an input as well, and is named."""

    def writes(**inputs: Any) -> Any:  # noqa: ANN401 - as the reference's
        result = getattr(reference, op)(**inputs)
        inner = inputs["state_dict"]["weight"] if op == "compress" else inputs["state"][1]
        inner += inner.dtype.type(1)
        return result

    if op == "compress":
        case, name = first_case(op), "state_dict[weight]"
    else:
        state = np.zeros(1, np.float32), np.ones(1, np.float32)
        case = Case(op, {"x": np.ones((2, 2), np.float32), "args": INT8, "state": state})
        name = "state[1]"
    _, _, difference = run_case(case, make(**{op: writes}))
    assert difference is not None
    assert (difference.reason, difference.output) == ("mutated", name)
    assert run_case(case, planted.backend())[2] is None


def test_a_state_dict_may_not_lose_a_key() -> None:
    """A backend that empties the dict it is given has changed its input."""

    def pops(state_dict: dict[str, Array], scheme: object) -> dict[str, Array]:
        result = reference.compress(state_dict, scheme)
        state_dict.clear()
        return result

    case = first_case("compress")
    _, _, difference = run_case(case, planted.backend(compress=pops))
    assert difference is not None
    assert difference.detail == "changed its input state_dict"
    assert case.inputs["state_dict"]


def test_an_input_written_before_an_exception_is_restored() -> None:
    """A case can be run again after a backend that wrote into shared memory and raised."""

    def breaks(x: Array, **_: object) -> None:
        x[:] = 0
        raise RuntimeError("too late")

    case = quantize_case()
    run_case(case, sharing(quantize=breaks))
    assert case.inputs["x"].tolist() == [1, 2, 300]


def test_python_numbers_are_outputs() -> None:
    """Python numbers count as float64, so that an int in place of a float is no difference."""
    assert named_outputs("calculate_range", (-8, 7))["q_min"].dtype == np.float64
    case = Case("calculate_range", {"args": INT8})
    for low, equal in ((-128, True), (-127, False)):
        backend = planted.backend(calculate_range=lambda args, low=low: (low, args.num_bits + 119))
        assert (run_case(case, backend)[2] is None) == equal


def test_having_changes_inputs_and_nothing_else() -> None:
    """``having`` gives a new case; where inputs are made from simpler ones, it makes them again."""
    case = quantize_case()
    assert case.having(zero_point=1).inputs == {**case.inputs, "zero_point": 1}
    assert case.inputs["zero_point"] is None
    made = first_case("compress")
    weight = made.simple_inputs["weight"] * 0
    again = made.having(weight=weight)
    assert not again.inputs["state_dict"]["weight"].any()
    assert again.simple_inputs["scheme"] == made.simple_inputs["scheme"]


@pytest.mark.parametrize(
    ("args", "label"),
    [
        (INT8, "int8 tensor symmetric float32"),
        (
            QuantizationArgs(num_bits=3, symmetric=False, group_size=4),
            "int3 group asymmetric float32",
        ),
        (QuantizationArgs(type="float", num_bits=4), "fp4 tensor symmetric float32"),
        (preset_name_to_scheme("MXFP4").weights, "mxfp4 group symmetric float32"),
        (preset_name_to_scheme("MXFP6A16"), "mxfp6 group symmetric float32"),
    ],
)
def test_a_label_names_format_strategy_symmetry_and_dtype(args: object, label: str) -> None:
    """What a report calls a case is made from its args or scheme, and its first array."""
    assert Case("quantize", {"x": np.ones(4, np.float32), "args": args}).label == label
