"""The checks as test functions, for a backend's own test suite."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from itertools import chain, count
from pathlib import Path

import numpy as np

from qparity.backends import load_backend
from qparity.reference import QuantizationScheme

from .guard import CASE_TIMEOUT, guarded, staying
from .known import load_known, selected, unmatched
from .known_failure import KnownFailure
from .operations import public_operations
from .outcome import Outcome
from .probes import probe_backend_subnormals, probe_bridge, probe_subnormals
from .report import failure_lines
from .run import CASES_FOLDER
from .sweeps import chosen_sweeps, prove
from .tasks import Task, check_tasks, witness_tasks
from .verdict import VERDICTS
from .verify import LEVELS, plan

__all__ = ["conformance_tests"]

Test = Callable[[], None]
_LAWS = (
    "Every bit pattern crosses to the backend's arrays and back unchanged.",
    "Subnormals are not flushed to zero.",
    "The backend answers one of the checks at least.",
)


def conformance_tests(
    backend: str | object,
    *,
    level: str = "quick",
    operations: Sequence[str] = (),
    schemes: Mapping[str, QuantizationScheme] | None = None,
    compute_dtype: np.dtype | None = None,
    seed: int = 0,
    known: str | Path | None = None,
    case_timeout: float | None = CASE_TIMEOUT,
) -> dict[str, Test]:
    """One test function per check, by name, for ``globals().update(...)`` in a test file.

    Args:
        backend: the name of a backend, as for ``qparity verify``, or a module or object.
        level: as for ``qparity verify``; the sweeps of ``"thorough"`` are tests, too.
        operations: only these operations; empty: all.
        schemes: only the args of these schemes, by name; None: all formats and strategies.
        compute_dtype: float32 compares under the rule of fused kernels.
        seed: the same seed gives the same cases.
        known: a file of failures to accept, as for ``qparity verify --known``. What it names passes
            everywhere else; ``test_known_failures`` fails if an entry is fixed or matches nothing.
        case_timeout: seconds that a call of the backend may take; None: any time.

    Returns:
        Test functions such as ``test_quantize_int8_float32``, numbered where two would have one
        name. The backend is loaded by the first that runs; one fails with the counterexample, and
        is skipped where the backend has no such operation; ``test_something_is_compared`` fails
        where all of them are skipped, as ``qparity verify`` exits with 5. They are independent of
        each other, so they may run in any order and process.

    Raises:
        OSError: if ``known`` or a witness cannot be read.
        ValueError: if the level or an operation is unknown, or ``known`` or a witness is not one.
    """
    if level not in LEVELS:
        raise ValueError(f"level: {level!r} is not allowed; allowed: {list(LEVELS)}")
    unknown = [op for op in operations if op not in public_operations()]
    if unknown:
        raise ValueError(f"op: {unknown[0]!r} is not an operation; allowed: {public_operations()}")
    name = backend if isinstance(backend, str) else getattr(backend, "__name__", repr(backend))

    @lru_cache(maxsize=1)
    def loaded() -> object:
        with staying():
            found = load_backend(backend) if isinstance(backend, str) else backend
        return guarded(found, case_timeout)

    entries = () if known is None else selected(load_known(Path(known)), operations)
    whole = schemes is None and compute_dtype is None and level != "smoke"
    checks = plan(level, operations, schemes, compute_dtype)
    tasks = check_tasks(checks, seed, CASES_FOLDER, entries)
    for sweep in chosen_sweeps(level, operations, schemes, compute_dtype):
        run = partial(prove, sweep, cases_folder=CASES_FOLDER, known=entries)
        tasks.append(Task(sweep.op, sweep.name, run))
    tests: dict[str, Test] = {
        "test_bridge": lambda: _judge(probe_bridge(loaded()), name),
        "test_subnormals": lambda: _judge_subnormals(loaded(), name, entries),
        "test_something_is_compared": lambda: _judge_any(tasks, loaded(), name),
    }
    for test, law in zip(tests.values(), _LAWS, strict=True):
        test.__doc__ = law
    for task in tasks:
        tests[_free_name(task, tests)] = _test(task, loaded, name)
    if known is not None:
        witnesses = witness_tasks(entries)
        tests["test_known_failures"] = lambda: _judge_known(
            entries, witnesses, tasks, loaded(), whole=whole
        )
    return tests


def _free_name(task: Task, taken: Container[str]) -> str:
    """The name of a test; a number tells those of checks whose names differ in signs alone."""
    slug = re.sub(r"\W+", "_", f"test_{task.op}_{task.check}")
    numbered = (f"{slug}_{i}" for i in count(2))
    return next(name for name in chain([slug], numbered) if name not in taken)


def _test(task: Task, loaded: Callable[[], object], name: str) -> Test:
    def test() -> None:
        _judge(task.run(loaded()), name)

    test.__doc__ = f"{task.op} of {task.check} returns the bits of the reference."
    return test


def _judge_subnormals(backend: object, name: str, known: Sequence[KnownFailure]) -> None:
    """Neither this thread, the backend being loaded, nor the backend flushes them to zero."""
    _judge(probe_subnormals(), name)
    kept = probe_backend_subnormals(backend, known)
    if kept.status != "UNSUPPORTED":
        _judge(kept, name)


def _judge_any(checks: Sequence[Task], backend: object, name: str) -> None:
    """The backend answers a check; they are run until one is answered."""
    import pytest

    reasons: dict[str, str] = {}
    for task in checks:
        outcome = task.run(backend)
        if outcome.status != "UNSUPPORTED":
            return
        reasons[outcome.op] = f"{outcome.op}: {outcome.detail}"
    why = [f"  {reason}" for reason in reasons.values()] or ["  no check was planned"]
    pytest.fail("\n".join([f"{VERDICTS[5]}: {name}", *why]), pytrace=False)


def _judge_known(
    known: Sequence[KnownFailure],
    witnesses: Sequence[Task],
    checks: Sequence[Task],
    backend: object,
    *,
    whole: bool,
) -> None:
    """Every witness still differs, and every entry is met; checks are run until it is."""
    import pytest

    replayed = [task.run(backend) for task in witnesses]
    wrong = [outcome for outcome in replayed if outcome.status not in ("KNOWN", "UNSUPPORTED")]
    met: list[Outcome] = []
    for entry in known:
        for task in checks:
            if any(entry in outcome.known for outcome in met):
                break
            if task.op == entry.operation and fnmatchcase(task.check, entry.check):
                met.append(task.run(backend))
    wrong += unmatched(known, [*replayed, *met], whole=whole)
    if wrong:
        lines = [f"{found.status} {found.op} {found.check}: {found.detail}" for found in wrong]
        pytest.fail("\n".join(lines), pytrace=False)


def _judge(outcome: Outcome, name: str) -> None:
    import pytest

    if outcome.status == "UNSUPPORTED":
        pytest.skip(f"{name} has no {outcome.op}: {outcome.detail}")
    if outcome.status not in ("PASS", "KNOWN"):
        pytest.fail("\n".join(failure_lines(outcome, name)), pytrace=False)
