"""The likely cause of a failure: the planted fault that answers as the backend does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance.case import Case
from qparity.conformance.diagnose import Diagnosis, diagnose
from qparity.conformance.faults import FAULTS, Fault
from qparity.conformance.report import failure_lines, report_to_json
from qparity.conformance.run import run_check
from qparity.conformance.verify import verify
from tests.conformance import planted
from tests.conformance.planted import INT8, Array
from tests.conformance.test_faults import cases_of, fault_of

OPERATION = "quantize"
REPRESENTATIVES = [
    ("reciprocal_multiply", "quantize", "int8 float32"),
    ("half_away", "round_to_quantized_type_args", "int4 float32"),
    ("symmetric_clamp", "quantize", "int4 float32"),
    ("zero_point_after_rounding", "fake_quantize", "int8 float32"),
    ("interleaved_groups", "dequantize", "int8 bfloat16"),
    ("global_scale_multiplied", "quantize", "fp4 bfloat16"),
    ("scale_by_q_max", "calculate_qparams", "int4 float32"),
    ("zero_point_truncated", "calculate_qparams", "int8 float32"),
    ("mx_ceil", "calculate_qparams", "fp4 bfloat16"),
    ("average_swapped", "minmax", "float32"),
    ("dtype_nan_is_one", "round_to_quantized_type_dtype", "float8_e4m3fn from float32"),
    ("word_bits_reversed", "pack_to_int32", "int3"),
    ("unpack_sign_extended", "unpack_from_int32", "int4"),
    ("shape_reversed", "compress", "W4A16 bfloat16"),
    ("last_lanes", "quantize", "int8 float32"),
    ("list_result", "quantize", "int8 float32"),
    ("large_refused", "quantize", "int8 float32"),
    ("scale_overwritten", "quantize", "int8 float32"),
    ("flat_result", "dequantize", "int8 float32"),
    ("scale_alone", "calculate_qparams", "int8 float32"),
]


def numbers(count: int) -> Case:
    """Quantize a row of numbers, none of which is at a tie."""
    x = np.arange(count, dtype=np.float32) + np.float32(0.25)
    scale = np.ones(1, np.float32)
    return Case(OPERATION, {"x": x, "scale": scale, "zero_point": None, "args": INT8})


def adding_one(where: Callable[[Array], Array]) -> Callable[..., Array]:
    """Quantize with a code too much where the place of a number says so."""

    def quantize(*a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        codes = reference.quantize(*a, **k)
        return np.where(where(np.arange(codes.size)), codes + codes.dtype.type(1), codes)

    return quantize


def fault(name: str, where: Callable[[Array], Array]) -> Fault:
    """A fault that adds one in some places."""
    change = adding_one(where)
    return Fault(
        name, "one too much", (OPERATION,), {OPERATION: lambda _, *a, **k: change(*a, **k)}
    )


def chosen(faults: list[Fault], where: Callable[[Array], Array], count: int = 12) -> str | None:
    """The fault that explains a backend that adds one in some places."""
    found = diagnose([numbers(count)], planted.backend(quantize=adding_one(where)), faults=faults)
    return None if found is None else found.fault


def plain_reciprocal(x: Array, scale: Array, **_: object) -> Array:
    """Quantize to int8 by the product with the reciprocal, as a kernel has it."""
    product = (x * (np.float32(1) / scale)).astype(np.float32)
    return np.clip(np.rint(product), -128, 127).astype(np.float32)


@pytest.mark.parametrize(("name", "op", "check"), REPRESENTATIVES)
def test_a_fault_explains_itself(name: str, op: str, check: str) -> None:
    """What a planted fault changes is explained by it, on every number."""
    backend = fault_of(name).backend()
    outcome = run_check(planted.check_of(op, check), backend, seed=0, examples=8)
    assert outcome.status == "FAIL"
    assert outcome.diagnosis is not None
    assert (outcome.diagnosis.fault, outcome.diagnosis.explained) == (name, outcome.diagnosis.of)


def test_code_of_another_hand_is_explained() -> None:
    """A kernel that shares nothing with the faults is explained by the one that it has."""
    rng = np.random.default_rng(0)
    scale = rng.random((40, 1)).astype(np.float32) + np.float32(1)
    x = ((rng.integers(-9, 9, (40, 32)) + 0.5) * scale).astype(np.float32)
    args = reference.QuantizationArgs(strategy="channel")
    case = Case(OPERATION, {"x": x, "scale": scale, "zero_point": None, "args": args})
    found = diagnose([case], planted.backend(quantize=plain_reciprocal))
    assert found is not None
    assert found.fault == "reciprocal_multiply"
    assert found.explained == found.of > 10


def test_a_pair_that_is_no_pair_is_not_explained_by_half_of_it() -> None:
    """Qparams that are nothing, or a dict, are not a scale that came alone."""
    check = planted.check_of("calculate_qparams", "int8 float32")
    case = next(iter(check.cases(1, nan=False)))
    for answer in (None, {"scale": np.ones(1, np.float32)}):
        functions = {"calculate_qparams": lambda *_, a=answer, **__: a, "to_numpy": lambda v: v}
        assert diagnose([case], planted.backend(**functions)) is None


def test_what_nothing_explains_is_not_explained() -> None:
    """A backend that no fault resembles has no diagnosis."""
    backend = planted.backend(quantize=lambda *a, **k: reference.quantize(*a, **k) + np.float32(3))
    assert diagnose([numbers(12)], backend) is None


def test_half_of_the_numbers_must_be_explained() -> None:
    """A fault that explains half of the numbers is named, one that explains fewer is not."""
    first = fault("first", lambda i: i < 3)
    assert chosen([first], lambda i: i < 6) == "first"
    assert chosen([first], lambda i: i < 7) is None


def test_numbers_wrongly_changed_count_against_a_fault() -> None:
    """Of two that explain the same, the one that changes nothing else is better."""
    exact, more = fault("exact", lambda i: i < 4), fault("more", lambda i: i < 7)
    most = fault("most", lambda i: i >= 0)
    assert chosen([more, exact], lambda i: i < 4) == "exact"
    assert chosen([more, most], lambda i: i < 4) == "more"
    assert chosen([most], lambda i: i < 4) is None


def test_the_first_of_equals_is_named() -> None:
    """Faults that explain as much are taken in their order."""
    one, two = fault("one", lambda i: i < 4), fault("two", lambda i: i < 4)
    assert chosen([one, two], lambda i: i < 4) == "one"
    assert chosen([two, one], lambda i: i < 4) == "two"


def test_faults_of_other_operations_are_not_asked() -> None:
    """Only a fault that shows in the operation explains it."""
    other = Fault("other", "", ("dequantize",), dict(fault("one", lambda i: i < 4).steps))
    assert chosen([other], lambda i: i < 4) is None


def test_a_backend_that_is_equal_when_asked_again_has_no_diagnosis() -> None:
    """There is nothing to explain where nothing differs."""
    assert diagnose([numbers(12)], planted.backend()) is None
    assert diagnose([], planted.backend()) is None


def test_operations_that_are_declined_have_no_diagnosis() -> None:
    """A backend without the operation is not explained by anything."""
    assert diagnose([numbers(12)], planted.lacking(OPERATION)) is None


def test_large_cases_are_replaced_by_the_shrunk_one() -> None:
    """Where every case is too large to be run for each fault, the counterexample is looked at."""
    faults = [fault("one", lambda i: i < 4)]
    backend = planted.backend(quantize=adding_one(lambda i: i < 4))
    large = numbers(1 << 17)
    assert diagnose([large], backend, faults=faults) is None
    found = diagnose([large], backend, shrunk=numbers(2), faults=faults)
    assert found == Diagnosis("one", "one too much", 2, 2)


def test_an_answer_in_another_dtype_is_explained_as_a_whole() -> None:
    """Codes of another dtype are explained by a fault that returns the same array, bit by bit."""
    wide = planted.backend(quantize=lambda *a, **k: reference.quantize(*a, **k).astype(np.float64))
    same = Fault("same", "", (OPERATION,), {OPERATION: lambda _, *a, **k: wide.quantize(*a, **k)})
    other = Fault(
        "other", "", (OPERATION,), {OPERATION: lambda _, *a, **k: wide.quantize(*a, **k) + 1}
    )
    found = diagnose([numbers(5)], wide, faults=[other, same])
    assert found == Diagnosis("same", "", 5, 5)


def test_the_report_tells_the_cause_above_the_replay(tmp_path: Path) -> None:
    """The line of SPEC section 12 stands above the replay command, and in JSON beside it."""
    backend = fault_of("gparam_division").backend()
    operations = ["generate_gparam"]
    report = verify(
        backend, name="mine", level="smoke", operations=operations, cases_folder=tmp_path
    )
    failing = [outcome for outcome in report.outcomes if outcome.diagnosis is not None]
    assert failing
    for outcome in failing:
        found = outcome.diagnosis
        assert found is not None
        *_, told, replay, _ = failure_lines(outcome, "mine")
        assert told == f"  explained by: {found.fault}, on {found.explained:,} of {found.of:,}"
        assert replay.startswith("  replay: qparity replay ")
    entries = [check["diagnosis"] for check in report_to_json(report)["checks"]]
    assert sum(entry is not None for entry in entries) == len(failing)
    told_of = next(entry for entry in entries if entry is not None)
    assert told_of.keys() == {"fault", "description", "explained", "of"}


def test_equal_checks_have_no_diagnosis() -> None:
    """A check that passes is not explained."""
    outcome = run_check(
        planted.check_of("pack_to_int32", "int4"), planted.backend(), seed=0, examples=2
    )
    assert (outcome.status, outcome.diagnosis) == ("PASS", None)


def test_the_diagnosis_is_the_same_every_time() -> None:
    """The same cases give the same diagnosis, whatever was diagnosed before."""
    check = planted.check_of("fake_quantize", "int8 float32")
    cases = [case for case, _ in cases_of(check, 4)]
    backend = fault_of("through_bfloat16").backend()
    first = diagnose(cases, backend)
    diagnose(cases[:2], FAULTS[0].backend())
    assert first is not None
    assert diagnose(cases, backend) == first
