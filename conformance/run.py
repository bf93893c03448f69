"""Run checks on a backend; count what was run; keep and shrink what differs."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from .case import (
    Case,
    UnsupportedError,
    expected_outputs,
    run_case,
)
from .case_file import save_case
from .compare import Difference
from .comparing import Comparing, CutShortError
from .diagnose import diagnose
from .explain_case import Counterexample
from .known_failure import KnownFailure
from .operations import Check
from .outcome import Outcome
from .outputs import Outputs, count_of
from .shrink import shrink

__all__ = ["run_cases", "run_check"]

CASES_FOLDER = Path(".qparity") / "cases"
_SEEDS = 1 << 63


def run_check(
    check: Check,
    backend: object,
    *,
    seed: int,
    examples: int,
    cases_folder: Path | None = None,
    known: Sequence[KnownFailure] = (),
) -> Outcome:
    """Run one check.

    Args:
        check: the law.
        backend: the backend; see ``run_case``.
        seed: the same seed gives the same cases.
        examples: how many examples are drawn, each of several cases.
        cases_folder: where the counterexample is written; None: nowhere.
        known: failures that are accepted.

    Returns:
        PASS if every case was equal in bits; KNOWN if those that differ are all known; FAIL with
        the smallest counterexample otherwise;
        UNSUPPORTED if the backend lacks the operation, or declined every call; ERROR if the check
        itself broke, or if fewer examples were run than planned. A call that takes too long (see
        ``guarded``) differs, and ends the check; where that is known, the other cases that its
        entry names are left out instead. Every second example has NaN among its values. An answer
        that does not last, or is another when asked again, differs, and is never known; see
        ``Calls``.
    """
    outcome = Outcome(check.op, check.name)
    executed, comparing = [0], Comparing(backend, outcome, known)

    def execute() -> None:
        for cases in examples_of(check, seed, examples):
            with np.errstate(all="ignore"):
                for case in cases:
                    comparing.compare(case)
            executed[0] += 1

    return finish(execute, outcome, backend, (examples, executed), cases_folder)


def examples_of(check: Check, seed: int, examples: int) -> Iterator[Iterable[Case]]:
    """The cases of each example of a check; every second one has NaN among its values."""
    own_seed = zlib.crc32(f"{seed}:{check.op}:{check.name}".encode())
    seeds = np.random.default_rng(own_seed)
    for example in range(examples):
        nan = (own_seed + example) % 2 == 1
        yield check.cases(int(seeds.integers(_SEEDS)), nan)


def run_cases(
    op: str, name: str, cases: Iterator[Case], backend: object, cases_folder: Path | None = None
) -> Outcome:
    """Run given cases as one check; its evidence is ``"fixed"``."""
    outcome = Outcome(op, name, evidence="fixed")
    comparing = Comparing(backend, outcome)

    def execute() -> None:
        for case in cases:
            comparing.compare(case)

    return finish(execute, outcome, backend, None, cases_folder)


def finish(
    execute: Callable[[], None],
    outcome: Outcome,
    backend: object,
    counted: tuple[int, list[int]] | None,
    cases_folder: Path | None,
) -> Outcome:
    """Execute a check and settle its status."""
    if getattr(backend, outcome.op, None) is None:
        outcome.status, outcome.detail = "UNSUPPORTED", f"no function {outcome.op}"
        return outcome
    try:
        execute()
    except CutShortError as error:
        return _settle_cut_short(outcome, error.found, cases_folder)
    except Exception as error:  # noqa: BLE001 - a broken check is reported, not hidden
        outcome.status = "ERROR"
        outcome.detail = f"the check broke: {type(error).__name__}: {error}".splitlines()[0]
        return outcome
    if counted is not None and counted[1][0] != counted[0]:
        outcome.status = "ERROR"
        outcome.detail = f"planned {counted[0]} examples, executed {counted[1][0]}"
    elif outcome.cases == 0 and outcome.unsupported:
        outcome.status = "UNSUPPORTED"
    elif outcome.cases == 0:
        outcome.status, outcome.detail = "ERROR", "no case was run"
    elif outcome.failures:
        _settle_failures(outcome, backend, cases_folder)
    elif outcome.counterexample is not None:
        outcome.status = "FAIL"
    elif outcome.known or outcome.declared:
        outcome.status = "KNOWN"
        outcome.detail = "; ".join(
            sorted([*(entry.reason for entry in outcome.known), *outcome.declared])
        )
    outcome.failures.clear()
    return outcome


def _settle_cut_short(
    outcome: Outcome, found: Counterexample, cases_folder: Path | None
) -> Outcome:
    """FAIL by the call that took too long."""
    outcome.failures.clear()
    outcome.status, outcome.counterexample = "FAIL", found
    outcome.detail = f"the check was cut short after case {outcome.cases:,}"
    if cases_folder is not None:
        outcome.case_file = save_case(found.case, cases_folder)
    return outcome


def _settle_failures(outcome: Outcome, backend: object, cases_folder: Path | None) -> None:
    """FAIL with the smallest counterexample and its likely cause."""
    outcome.status = "FAIL"
    with np.errstate(all="ignore"):
        _settle_counterexample(outcome, backend, cases_folder)
    if outcome.status == "FAIL" and outcome.counterexample is not None:
        shrunk = outcome.counterexample.case
        outcome.diagnosis = diagnose(outcome.failures, backend, shrunk=shrunk)


def _settle_counterexample(outcome: Outcome, backend: object, cases_folder: Path | None) -> None:
    """Shrink the failures that look smallest; keep the smallest result that still differs."""
    best: tuple[tuple[bool, int], Counterexample] | None = None
    for case in sorted(outcome.failures, key=_size)[:3]:
        try:
            small = shrink(case, backend)
        except Exception as error:  # noqa: BLE001 - then the case is shown as it is
            small, outcome.detail = case, f"not shrunk: {type(error).__name__}: {error}"
        try:
            expected, actual, difference = run_case(small, backend)
        except UnsupportedError:
            expected, actual, difference = expected_outputs(small), {}, None
        if difference is None:
            outcome.status = "ERROR"
            outcome.detail = "the backend answers the same case differently when asked again"
            small, (expected, actual, difference) = case, (expected, actual, _flaky(expected))
        arrays = {key: value for key, value in actual.items() if isinstance(value, np.ndarray)}
        found = Counterexample(small, expected, arrays, difference)
        if best is None or _size(small) < best[0]:
            best = _size(small), found
    if best is not None:
        outcome.counterexample = best[1]
        if cases_folder is not None:
            outcome.case_file = save_case(best[1].case, cases_folder)


def _flaky(expected: Outputs) -> Difference:
    total = count_of(expected)
    return Difference("", "raised", "not reproducible", (), total, total)


def _size(case: Case) -> tuple[bool, int]:
    """What makes a case tell more than another: it has numbers, and few of them."""
    values = case.simple_inputs.values()
    numbers = sum(int(v.size) if isinstance(v, np.ndarray) else len(str(v)) for v in values)
    return case.is_empty, numbers
