"""An answer of a backend must last, and be the same when it is asked again."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance.case import Case
from qparity.conformance.faults import FAULTS
from qparity.conformance.known_failure import KnownFailure
from qparity.conformance.outcome import Outcome
from qparity.conformance.report import failure_lines
from qparity.conformance.run import run_check
from tests.conformance import planted
from tests.conformance.planted import INT8, Array

CHECK = planted.check_of("quantize", "int8 float32")
LATER = "the output changed after a later call: 2 of 2 numbers differ"
AGAIN = "the same inputs gave another output when asked again: 1 of 1 numbers differ"


def case_of(*numbers: float) -> Case:
    """These numbers to int8, with a scale of 1."""
    inputs = {"x": np.array(numbers, np.float32), "scale": np.ones(1, np.float32)}
    return Case("quantize", inputs | {"zero_point": None, "args": INT8})


def judged(backend: object, *cases: Case, **options: Any) -> Outcome:  # noqa: ANN401 - any option
    """What a check of these cases comes to."""
    check = replace(CHECK, make=lambda *_: iter(cases))
    return run_check(check, backend, seed=0, examples=1, **options)


def quantizing(change: Callable[[Array], Any], **functions: Any) -> object:  # noqa: ANN401 - any function
    """A backend whose codes are changed, and come out of it as they are."""
    functions["quantize"] = lambda *a, **k: change(reference.quantize(*a, **k))
    return planted.backend(**{"to_numpy": lambda array: array} | functions)


def of_workspace() -> object:
    """A backend that writes every result to the same memory."""
    workspace = np.zeros(8, np.float32)

    def written(codes: Array) -> Array:
        workspace[: codes.size] = codes
        return workspace[: codes.size]

    return quantizing(written)


def test_an_answer_that_is_written_over_is_a_failure(tmp_path: Path) -> None:
    """The call that follows shows it; the case that is told is the one that had been right."""
    outcome = judged(of_workspace(), case_of(1, 2), case_of(3, 4), cases_folder=tmp_path)
    assert (outcome.status, outcome.cases, outcome.differing) == ("FAIL", 2, 2)
    found = outcome.counterexample
    assert found is not None
    assert (found.difference.reason, found.difference.detail) == ("unsteady", LATER)
    assert found.case.inputs["x"].tolist() == [1, 2]
    assert f"  {LATER}" in failure_lines(outcome, "mine")
    assert judged(of_workspace(), case_of(1, 2), case_of(1, 2)).status == "PASS"


class Handle:
    """A result that lives until the next one is made."""

    latest: object = None

    def __init__(self, codes: Array) -> None:
        self.codes = codes
        Handle.latest = self


def of_handles(error: BaseException) -> object:
    """A backend that raises when a result is read that is not the latest."""

    def read(result: Any) -> Array:  # noqa: ANN401 - an array or a handle
        if isinstance(result, Handle) and result is not Handle.latest:
            raise error
        return np.asarray(getattr(result, "codes", result))

    return quantizing(Handle, to_numpy=read)


@pytest.mark.parametrize("error", [RuntimeError("freed"), SystemExit(1)])
def test_an_answer_that_cannot_be_read_again_is_a_failure(error: BaseException) -> None:
    """A result whose conversion raises after the next call has not lasted."""
    outcome = judged(of_handles(error), case_of(1), case_of(2))
    assert outcome.status == "FAIL"
    assert outcome.counterexample is not None
    detail = outcome.counterexample.difference.detail
    assert detail == f"the output changed after a later call: raised {type(error).__name__}"


def test_ctrl_c_while_an_answer_is_read_again_is_the_users() -> None:
    """KeyboardInterrupt is not taken for a change of the output."""
    with pytest.raises(KeyboardInterrupt):
        judged(of_handles(KeyboardInterrupt()), case_of(1), case_of(2))


def test_one_case_in_eight_is_asked_twice() -> None:
    """The fourth case, and every eighth after it, is run again; repeats are not counted."""
    seen: list[float] = []

    def noting(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        seen.append(float(x[0]))
        return reference.quantize(x, *a, **k)

    outcome = judged(planted.backend(quantize=noting), *(case_of(i) for i in range(20)))
    assert (outcome.status, outcome.cases, outcome.elements) == ("PASS", 20, 20)
    assert [i for i in range(20) if seen.count(i) == 2] == [3, 11, 19]
    assert len(seen) == 23


def test_a_second_answer_that_is_another_is_a_failure() -> None:
    """What is right once and wrong when asked again fails, and is not accepted as known."""
    before: list[Array] = []

    def forgetful(codes: Array) -> Array:
        again = any(np.array_equal(codes, other) for other in before)
        before.append(codes)
        return codes * 0 if again else codes

    cases = [case_of(i) for i in range(1, 6)]
    entry = KnownFailure("quantize", "*", "*", "by design", "", Path())
    outcome = judged(quantizing(forgetful), *cases, known=(entry,))
    assert (outcome.status, outcome.cases, outcome.known) == ("FAIL", 5, set())
    assert outcome.counterexample is not None
    assert outcome.counterexample.difference.detail == AGAIN
    assert outcome.counterexample.case.inputs["x"].tolist() == [4]


def test_a_wrong_answer_is_told_before_an_unsteady_one() -> None:
    """Where cases differ by themselves, they are the counterexample."""
    workspace = np.zeros(1, np.float32)

    def written(codes: Array) -> Array:
        workspace[:] = np.where(codes == 9, 0, codes)
        return workspace

    outcome = judged(quantizing(written), *(case_of(i) for i in (1, 2, 9)))
    assert outcome.status == "FAIL"
    assert outcome.counterexample is not None
    assert outcome.counterexample.difference.reason == "bits"


def test_declining_the_second_time_is_allowed() -> None:
    """A backend may decline a call that it has answered."""
    calls = count()

    def declines(codes: Array) -> Array:
        if next(calls) == 4:
            raise NotImplementedError("no more")
        return codes

    outcome = judged(quantizing(declines), *(case_of(i) for i in range(5)))
    assert (outcome.status, outcome.cases, outcome.unsupported) == ("PASS", 5, 0)


@pytest.mark.parametrize("name", ["workspace_returned", "second_call_empty"])
def test_the_planted_ones_are_right_call_by_call(name: str) -> None:
    """Without a second look, both faults would be taken for equal."""
    (fault,) = (fault for fault in FAULTS if fault.name == name)
    outcome = judged(fault.backend(), *(case_of(i) for i in range(1, 4)))
    alone = [judged(fault.backend(), case_of(i)).status for i in range(1, 4)]
    assert alone == ["PASS"] * 3
    assert outcome.status == ("FAIL" if name == "workspace_returned" else "PASS")
