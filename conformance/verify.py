"""Verify a backend: plan the checks, run them all, and sum up (SPEC section 12)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from qparity.reference import QuantizationScheme

from .bits import Array
from .guard import CASE_TIMEOUT, guarded, load_guarded
from .isolate import Isolated
from .known import selected, unmatched
from .known_failure import KnownFailure
from .operations import Check, all_checks, public_operations, scheme_checks
from .outcome import Outcome
from .pool import Plan, run_in_processes
from .probes import (
    SUBNORMALS_KEPT,
    environment,
    probe_backend_subnormals,
    probe_bridge,
    probe_subnormals,
)
from .run import CASES_FOLDER
from .sweeps import Sweeping, chosen_sweeps, proofs
from .tasks import Task, check_tasks, weight_tasks, witness_tasks
from .verdict import exit_code_of

__all__ = ["LEVELS", "Report", "verify"]

LEVELS = ("smoke", "quick", "thorough", "exhaustive")
_QUICK, _THOROUGH = 2, 40
_SMOKE_STRIDE = 3
Run = Callable[[Sequence[Task]], Iterator[Outcome]]
Track = Callable[[Iterator[Outcome], int], Iterable[Outcome]]


def untracked(outcomes: Iterator[Outcome], planned: int) -> Iterable[Outcome]:
    """The outcomes as they come; ``planned`` is how many there will be."""
    del planned
    return outcomes


@dataclass
class Report:
    """What a verification came to; ``exit_code`` is the command's."""

    backend: str
    level: str
    seed: int
    environment: dict[str, str]
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Checks by status, and cases and numbers in all."""
        counts: dict[str, int] = {}
        for outcome in self.outcomes:
            counts[outcome.status] = counts.get(outcome.status, 0) + 1
        counts["cases"] = sum(o.cases for o in self.outcomes)
        counts["numbers"] = sum(o.elements for o in self.outcomes)
        return counts

    @property
    def exit_code(self) -> int:
        """0 all equal, 1 a difference, 5 nothing was run."""
        return exit_code_of((o.op, o.status) for o in self.outcomes)


def verify(
    backend: object,
    *,
    name: str,
    level: str | None = "quick",
    operations: Sequence[str] = (),
    schemes: Mapping[str, QuantizationScheme] | None = None,
    compute_dtype: np.dtype | None = None,
    weights: Mapping[str, Array] | None = None,
    seed: int = 0,
    cases_folder: Path | None = CASES_FOLDER,
    track: Track = untracked,
    load: Callable[[], object] | None = None,
    jobs: int = 1,
    known: Sequence[KnownFailure] = (),
    sweeping: Sweeping | None = None,
    case_timeout: float | None = CASE_TIMEOUT,
    isolate: bool = False,
) -> Report:
    """Hold a backend to the reference, bit for bit.

    Args:
        backend: a module or object; see ``qparity.backends``.
        name: how the report names it.
        level: ``"smoke"`` (seconds) or ``"quick"`` (a minute) of made-up inputs; ``"thorough"``
            (ten minutes): more of them, and all inputs of what has few; ``"exhaustive"``: all
            float32 through every rounding function, too; None: none.
        operations: only these operations; empty: all.
        schemes: only the args of these schemes, by name; None: all formats and strategies.
        compute_dtype: float32 compares ``quantize`` and ``fake_quantize`` under that rule.
        weights: tensors by name: every weight preset is run over every 2-D one.
        seed: the same seed gives the same cases.
        cases_folder: where counterexamples are written; None: nowhere.
        track: wraps the outcomes and their planned number, to show progress.
        load: makes the backend again in another process; needed for ``jobs`` above 1.
        jobs: how many processes run the checks; weights are run in this one.
        known: failures of the backend that are accepted, each with a witness, replayed first;
            those of other operations than ``operations`` are passed by.
        sweeping: how the sweeps over all inputs are run; None: in full, nothing kept.
        case_timeout: seconds that a call of the backend may take; None: any time.
        isolate: run all but the sweeps in ``jobs`` processes that may die: their check is an
            ERROR then, and the rest goes on.

    Raises:
        ValueError: if a level or an operation is unknown, or ``isolate`` has no ``load``.
    """
    if level not in (*LEVELS, None):
        raise ValueError(f"level: {level!r} is not allowed; allowed: {list(LEVELS)}")
    unknown = [op for op in operations if op not in public_operations()]
    if unknown:
        raise ValueError(f"op: {unknown[0]!r} is not an operation; allowed: {public_operations()}")
    known = selected(known, operations)
    levels = [level] if level else []
    report = Report(
        name, "+".join(levels + ["weights"] * bool(weights)), seed, _environment(backend)
    )
    backend, plain_load = guarded(backend, case_timeout), load
    load = None if load is None else partial(load_guarded, load, case_timeout)
    with ExitStack() as stack:
        run: Run = partial(_run_here, backend)
        if isolate:
            if plain_load is None:
                raise ValueError("isolate: nothing loads the backend; allowed: together with load")
            processes = Isolated(plain_load, case_timeout, jobs)
            stack.callback(processes.close)
            run = processes.run
        checks = partial(plan, level, tuple(operations), schemes, compute_dtype)
        steps = weight_tasks(weights or {}, schemes, operations, cases_folder, report.notes)
        if jobs > 1 and load is not None and level is not None and not isolate:
            sampled = run_in_processes(Plan(load, checks, seed, cases_folder, known), jobs)
        else:
            sampled = run(check_tasks(checks(), seed, cases_folder, known))
        sweeps = partial(chosen_sweeps, level, tuple(operations), schemes, compute_dtype)
        proven = proofs(
            sweeps,
            backend,
            name,
            versions=report.environment,
            sweeping=sweeping or Sweeping(),
            cases_folder=cases_folder,
            known=known,
            load=load,
            jobs=jobs,
        )
        planned = len(checks()) + len(sweeps()) + len(steps)
        report.outcomes += [*run([_BRIDGE]), probe_subnormals()]
        if any(outcome.status != "PASS" for outcome in report.outcomes):
            report.outcomes.append(_blocked(planned))
            return report
        report.outcomes += run([_subnormals(known), *witness_tasks(known)])
        results = list(track(chain(proven, sampled, run(steps)), planned))
    report.outcomes += results
    whole = schemes is None and compute_dtype is None and level not in (None, "smoke")
    report.outcomes += unmatched(known, report.outcomes, whole=whole)
    if len(results) != planned:
        detail = f"planned {planned} checks, executed {len(results)}"
        report.outcomes.append(Outcome("all", "all", status="ERROR", detail=detail))
    return report


_BRIDGE = Task("bridge", "round trip of bits", probe_bridge)


def _environment(backend: object) -> dict[str, str]:
    """Ours, and the versions in the backend's ``libraries`` where it has such a mapping."""
    libraries = getattr(backend, "libraries", None)
    return environment() | (dict(libraries) if isinstance(libraries, Mapping) else {})


def _subnormals(known: Sequence[KnownFailure]) -> Task:
    run = partial(probe_backend_subnormals, known=known)
    return Task("bridge", SUBNORMALS_KEPT, run)


def _run_here(backend: object, tasks: Sequence[Task]) -> Iterator[Outcome]:
    return (task.run(backend) for task in tasks)


def plan(
    level: str | None,
    operations: Sequence[str],
    schemes: Mapping[str, QuantizationScheme] | None,
    compute_dtype: np.dtype | None,
) -> list[tuple[Check, int]]:
    """The checks of a level, each with its number of examples."""
    if level is None:
        return []
    if schemes is None:
        checks = all_checks(compute_dtype)
    else:
        checks = [c for n, s in schemes.items() for c in scheme_checks(n, s, compute_dtype)]
    wanted = [check for check in checks if not operations or check.op in operations]
    if level == "smoke":
        return [(check, 1) for check in _every_few(wanted)]
    examples = _QUICK if level == "quick" else _THOROUGH
    return [(check, examples * check.weight) for check in wanted]


def _every_few(checks: Sequence[Check]) -> list[Check]:
    """One check in a few of each operation, so that every operation, format and dtype is met."""
    chosen: list[Check] = []
    seen: dict[str, int] = {}
    for check in checks:
        position = seen.get(check.op, 0)
        seen[check.op] = position + 1
        if position % _SMOKE_STRIDE == 0:
            chosen.append(check)
    return chosen


def _blocked(planned: int) -> Outcome:
    detail = f"the bridge is broken, so {planned} checks were not run"
    return Outcome("all", "all", status="BLOCKED", evidence="fixed", detail=detail)
