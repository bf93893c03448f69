"""Verify a backend: plan the checks, run them all, and sum up (SPEC section 12)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from qparity.reference import QuantizationScheme

from .bits import Array
from .known import replay_witnesses, unmatched
from .known_failure import KnownFailure
from .operations import Check, all_checks, public_operations, scheme_checks
from .pool import Plan, run_in_processes
from .probes import environment, probe_bridge, probe_subnormals
from .run import CASES_FOLDER, Outcome, run_cases, run_check
from .weights import fits, matrices, weight_presets, weights_cases

__all__ = ["LEVELS", "Report", "verify"]

LEVELS = ("smoke", "quick")
_QUICK = 2
_SMOKE_STRIDE = 3
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
        compared = [o for o in self.outcomes if o.op != "bridge"]
        if any(o.status in ("FAIL", "FIXED", "ERROR", "BLOCKED") for o in self.outcomes):
            return 1
        return 0 if any(o.status in ("PASS", "KNOWN") for o in compared) else 5


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
) -> Report:
    """Hold a backend to the reference, bit for bit.

    Args:
        backend: a module or object; see ``qparity.backends``.
        name: how the report names it.
        level: ``"smoke"`` (seconds) or ``"quick"`` (a minute) of made-up inputs; None: none.
        operations: only these operations; empty: all.
        schemes: only the args of these schemes, by name; None: all formats and strategies.
        compute_dtype: float32 compares ``quantize`` and ``fake_quantize`` under that rule.
        weights: tensors by name: every weight preset is run over every 2-D one.
        seed: the same seed gives the same cases.
        cases_folder: where counterexamples are written; None: nowhere.
        track: wraps the outcomes and their planned number, to show progress.
        load: makes the backend again in another process; needed for ``jobs`` above 1.
        jobs: how many processes run the checks; weights are run in this one.
        known: failures of the backend that are accepted, each with a witness, replayed first.

    Raises:
        ValueError: if a level or an operation is unknown.
    """
    if level not in (*LEVELS, None):
        raise ValueError(f"level: {level!r} is not allowed; allowed: {list(LEVELS)}")
    unknown = [op for op in operations if op not in public_operations()]
    if unknown:
        raise ValueError(f"op: {unknown[0]!r} is not an operation; allowed: {public_operations()}")
    levels = [level] if level else []
    report = Report(name, "+".join(levels + ["weights"] * bool(weights)), seed, environment())
    report.outcomes += [probe_bridge(backend), probe_subnormals()]
    checks = partial(plan, level, tuple(operations), schemes, compute_dtype)
    steps = _weight_steps(backend, weights or {}, schemes, operations, cases_folder, report.notes)
    if jobs > 1 and load is not None and level is not None:
        sampled = run_in_processes(Plan(load, checks, seed, cases_folder, known), jobs)
    else:
        sampled = _run_here(checks(), backend, seed, cases_folder, known)
    outcomes = chain(sampled, (step() for step in steps))
    planned = len(checks()) + len(steps)
    if any(outcome.status == "FAIL" for outcome in report.outcomes):
        report.outcomes.append(_blocked(planned))
        return report
    report.outcomes += replay_witnesses(known, backend)
    results = list(track(outcomes, planned))
    report.outcomes += results
    report.outcomes += unmatched(known, results)
    if len(results) != planned:
        detail = f"planned {planned} checks, executed {len(results)}"
        report.outcomes.append(Outcome("all", "all", status="ERROR", detail=detail))
    return report


def _run_here(
    checks: Sequence[tuple[Check, int]],
    backend: object,
    seed: int,
    folder: Path | None,
    known: Sequence[KnownFailure],
) -> Iterator[Outcome]:
    for check, examples in checks:
        yield run_check(
            check, backend, seed=seed, examples=examples, cases_folder=folder, known=known
        )


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
    return [(check, _QUICK * check.weight) for check in wanted]


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


def _weight_steps(
    backend: object,
    weights: Mapping[str, Array],
    schemes: Mapping[str, QuantizationScheme] | None,
    operations: Sequence[str],
    folder: Path | None,
    notes: list[str],
) -> list[Callable[[], Outcome]]:
    presets = weight_presets() if schemes is None else schemes
    steps: list[Callable[[], Outcome]] = []
    for tensor_name, weight in matrices(weights).items():
        for preset, scheme in presets.items():
            if not fits(weight, scheme):
                columns = f"{weight.shape[1]} columns of {tensor_name}"
                notes.append(f"{preset}: {columns} are not whole groups")
                continue
            name = f"{preset} {tensor_name}"
            ops = _operations_of(scheme, operations)
            steps += [_weight_step(backend, name, weight, scheme, op, folder) for op in ops]
    return steps


def _operations_of(scheme: QuantizationScheme, operations: Sequence[str]) -> list[str]:
    if scheme.weights is None:
        return []
    ops = ["minmax", "calculate_qparams", "compress", "decompress", "fake_quantize"]
    if scheme.weights.strategy == "tensor_group":
        ops.insert(1, "generate_gparam")
    return [op for op in ops if not operations or op in operations]


def _weight_step(
    backend: object,
    name: str,
    weight: Array,
    scheme: QuantizationScheme,
    op: str,
    folder: Path | None,
) -> Callable[[], Outcome]:
    def run() -> Outcome:
        cases = (case for case in weights_cases(weight, scheme) if case.op == op)
        return run_cases(op, name, cases, backend, folder)

    return run


def _blocked(planned: int) -> Outcome:
    detail = f"the bridge is broken, so {planned} checks were not run"
    return Outcome("all", "all", status="BLOCKED", evidence="fixed", detail=detail)
