"""A check comes to the right verdict, and counts what it ran."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance.case import Case
from qparity.conformance.case_file import load_case
from qparity.conformance.operations import Check
from qparity.conformance.outcome import Outcome
from qparity.conformance.run import run_cases, run_check
from qparity.conformance.spec import Spec
from qparity.conformance.values import Rng
from tests.conformance import planted
from tests.conformance.planted import INT8, Array

SPEC = Spec("int", 8, np.dtype(np.float32))


def one_number(rng: Rng, spec: Spec) -> Iterator[Case]:
    """One case of one number."""
    x = rng.integers(1, 100, 1).astype(spec.dtype)
    scale = np.ones(1, spec.dtype)
    yield Case("quantize", {"x": x, "scale": scale, "zero_point": None, "args": INT8})


CHECK = Check("quantize", "one number", SPEC, one_number)


def judged(backend: object, check: Check = CHECK, examples: int = 4, **options: Any) -> Outcome:  # noqa: ANN401 - any option
    """What a check comes to on a backend."""
    return run_check(check, backend, seed=0, examples=examples, **options)


@pytest.mark.parametrize("examples", [1, 2, 7])
def test_what_is_planned_is_executed(examples: int) -> None:
    """A check of equal answers passes, with one case and one number an example."""
    outcome = judged(planted.backend(), examples=examples)
    assert (outcome.status, outcome.cases, outcome.elements) == ("PASS", examples, examples)
    assert (outcome.differing, outcome.counterexample, outcome.evidence) == (0, None, "sampled")


def test_a_check_that_breaks_halfway_is_an_error() -> None:
    """Fewer examples than planned are no success, though all that were run were equal."""
    calls = count()

    def two(rng: Rng, spec: Spec) -> Iterator[Case]:
        if next(calls) == 2:
            raise RuntimeError("no more")
        yield from one_number(rng, spec)

    outcome = judged(planted.backend(), replace(CHECK, make=two), examples=5)
    assert (outcome.status, outcome.cases, outcome.differing) == ("ERROR", 2, 0)


def test_zero_cases_are_an_error() -> None:
    """A check that makes no case has proved nothing."""
    outcome = judged(planted.backend(), replace(CHECK, make=lambda *_: iter(())))
    assert (outcome.status, outcome.detail) == ("ERROR", "no case was run")
    outcome = run_cases("quantize", "none", iter(()), planted.backend())
    assert (outcome.status, outcome.evidence) == ("ERROR", "fixed")


def test_a_check_that_breaks_is_an_error() -> None:
    """An exception of the generator is told, on one line, not taken for the backend's."""

    def broken(rng: Rng, spec: Spec) -> Iterator[Case]:
        raise ZeroDivisionError(f"of {spec.format_name}\nand {rng}")

    outcome = judged(planted.backend(), replace(CHECK, make=broken))
    assert outcome.status == "ERROR"
    assert outcome.detail == "the check broke: ZeroDivisionError: of int8"


def test_a_wrong_number_fails_with_a_counterexample() -> None:
    """One wrong bit fails the check; the counterexample has both answers."""
    outcome = judged(planted.spoiled("quantize", planted.next_to))
    assert (outcome.status, outcome.cases, outcome.differing) == ("FAIL", 4, 4)
    found = outcome.counterexample
    assert found is not None
    assert found.difference.index == (0,)
    assert found.expected[""].tolist() != found.actual[""].tolist()


def test_a_counterexample_is_written_and_differs_again(tmp_path: Path) -> None:
    """The case file of a failure is the shrunk case, which fails alone."""
    backend = planted.spoiled("quantize", planted.next_to)
    outcome = judged(backend, cases_folder=tmp_path)
    assert outcome.case_file is not None
    again = run_cases("quantize", "again", iter([load_case(outcome.case_file)]), backend)
    assert again.status == "FAIL"
    assert list(tmp_path.iterdir()) == [outcome.case_file]


def test_nothing_is_written_unless_asked_for(tmp_path: Path, monkeypatch: Any) -> None:  # noqa: ANN401 - pytest's
    """Without a folder, a failing check leaves no file."""
    monkeypatch.chdir(tmp_path)
    outcome = judged(planted.spoiled("quantize", planted.next_to))
    assert outcome.case_file is None
    assert not list(tmp_path.iterdir())


def test_a_flaky_backend_is_an_error() -> None:
    """A backend that differs once, and not when asked again, is not called equal or different."""
    calls = count()

    def quantize(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        codes = reference.quantize(x, *a, **k)
        return planted.next_to(codes) if next(calls) == 0 else codes

    outcome = judged(planted.backend(quantize=quantize))
    assert outcome.status == "ERROR"
    assert outcome.detail == "the backend answers the same case differently when asked again"


def test_a_missing_function_is_unsupported_without_a_case() -> None:
    """Nothing is run for a function that the backend lacks."""
    outcome = judged(planted.lacking("quantize"))
    assert (outcome.status, outcome.cases) == ("UNSUPPORTED", 0)
    assert outcome.detail == "no function quantize"


def declining(every: int, change: Any) -> Any:  # noqa: ANN401 - a function of arrays
    """A backend that declines each call but every so many."""
    calls = count()

    def quantize(*a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        if next(calls) % every:
            raise NotImplementedError("only some")
        return change(reference.quantize(*a, **k))

    return planted.backend(quantize=quantize)


def test_declined_calls_are_counted_apart() -> None:
    """A backend may decline some calls; those it answers are judged."""
    outcome = judged(declining(2, lambda codes: codes), examples=6)
    assert (outcome.status, outcome.cases, outcome.unsupported) == ("PASS", 3, 3)
    assert "3 calls unsupported" in outcome.detail


def test_declining_hides_no_difference() -> None:
    """A wrong answer fails the check, though the calls before and after it are declined."""
    outcome = judged(declining(3, planted.next_to), examples=6)
    assert outcome.differing == 2
    assert outcome.status in ("FAIL", "ERROR")


def test_a_backend_that_declines_every_call_is_unsupported() -> None:
    """NotImplementedError for every case is the same as no function."""

    def quantize(**_: object) -> None:
        raise NotImplementedError("no integers")

    outcome = judged(planted.backend(quantize=quantize))
    assert (outcome.status, outcome.cases, outcome.unsupported) == ("UNSUPPORTED", 0, 4)
    assert "no integers" in outcome.detail


def test_given_cases_are_all_run() -> None:
    """Fixed cases are run one by one; they are evidence of another kind."""
    cases = [planted.reciprocal_case(), planted.reciprocal_case(dtype=np.dtype(np.int8))]
    outcome = run_cases("quantize", "two", iter(cases), planted.backend())
    assert (outcome.status, outcome.cases, outcome.evidence) == ("PASS", 2, "fixed")
    backend = planted.backend(quantize=planted.by_reciprocal)
    outcome = run_cases("quantize", "two", iter(cases), backend)
    assert (outcome.status, outcome.differing) == ("FAIL", 2)


def test_the_seed_decides_the_cases() -> None:
    """The same seed fails by the same counterexample; checks of other names have other cases."""

    def first(seed: int, check: Check = CHECK) -> bytes:
        seen: list[Array] = []
        backend = planted.backend(
            quantize=lambda x, *a, **k: (seen.append(x), reference.quantize(x, *a, **k))[1]
        )
        run_check(check, backend, seed=seed, examples=8)
        return np.concatenate(seen).tobytes()

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert first(1) != first(1, replace(CHECK, name="another"))
