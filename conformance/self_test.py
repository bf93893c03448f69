"""The judge on trial: every planted fault must be found, and the unspoiled variant be equal."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context

import numpy as np

from .calls import Calls
from .case import Case, Outputs, UnsupportedError, expected_outputs
from .diagnose import diagnose
from .faults import FAULTS, Fault, Variant
from .operations import Check, public_operations
from .orphans import leave_with_parent
from .run import examples_of
from .verify import plan

__all__ = ["Finding", "Strength", "self_test"]

_NO_FAULT = Fault("none", "the variant without a fault", tuple(public_operations()), {})
_FAULTS_PER_TASK = 16
_DIAGNOSED = 6
Prepared = list[tuple[Check, list[tuple[Case, Outputs]]]]
Task = tuple[str, tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Finding:
    """How a fault fares against the checks of one operation.

    Attributes:
        fault: its name; ``"none"`` for the variant without a fault.
        op: the operation.
        found: the checks that find it, by name.
        missed: the checks that do not.
        cases: how many cases of the first check that finds it are run until the difference.
        diagnosis: the fault that explains what differs, if one does.
    """

    fault: str
    op: str
    found: tuple[str, ...]
    missed: tuple[str, ...]
    cases: int | None
    diagnosis: str | None


Track = Callable[[Iterator[Finding], int], Iterable[Finding]]


def untracked(findings: Iterator[Finding], planned: int) -> Iterable[Finding]:
    """The findings as they come; ``planned`` is how many there will be."""
    del planned
    return findings


@dataclass
class Strength:
    """What the trial came to; ``exit_code`` is the command's."""

    seed: int
    findings: list[Finding] = field(default_factory=list)
    unspoiled: list[Finding] = field(default_factory=list)

    @property
    def missed(self) -> list[Finding]:
        """Faults that no check of an operation finds."""
        return [finding for finding in self.findings if not finding.found]

    @property
    def blamed(self) -> list[Finding]:
        """Operations in which the unspoiled variant differs."""
        return [finding for finding in self.unspoiled if finding.found]

    @property
    def exit_code(self) -> int:
        """0 all found, 1 one missed or the unspoiled variant blamed, 5 nothing was run."""
        if not self.findings:
            return 5
        return 1 if self.missed or self.blamed else 0


def self_test(
    names: Sequence[str] = (),
    *,
    seed: int = 0,
    jobs: int = 1,
    track: Track = untracked,
) -> Strength:
    """Run every check of ``quick`` on every fault, up to the first difference.

    Args:
        names: only these faults; empty: all.
        seed: of the cases.
        jobs: how many processes.
        track: wraps the findings and their planned number, to show progress.

    Raises:
        ValueError: if there is no such fault.
    """
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            raise ValueError(f"fault: {name!r} is not planted; allowed: {sorted(known)}")
    faults = [fault for fault in FAULTS if not names or fault.name in names]
    tasks = _tasks(faults, seed)
    planned = sum(len(task[1]) for task in tasks)
    strength = Strength(seed)
    for finding in track(_all_findings(tasks, jobs), planned):
        kept = strength.unspoiled if finding.fault == _NO_FAULT.name else strength.findings
        kept.append(finding)
    order = {fault.name: i for i, fault in enumerate(FAULTS)}
    strength.findings.sort(key=lambda finding: order[finding.fault])
    return strength


def _tasks(faults: Sequence[Fault], seed: int) -> list[Task]:
    """The faults of each operation in portions, the variant without a fault first."""
    tasks: list[Task] = []
    for op in public_operations():
        names = [fault.name for fault in faults if op in fault.operations]
        if names:
            names.insert(0, _NO_FAULT.name)
        portions = range(0, len(names), _FAULTS_PER_TASK)
        tasks += [(op, tuple(names[i : i + _FAULTS_PER_TASK]), seed) for i in portions]
    return tasks


def _all_findings(tasks: Sequence[Task], jobs: int) -> Iterator[Finding]:
    if jobs == 1:
        for task in tasks:
            yield from _findings(task)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), leave_with_parent) as pool:
        for findings in pool.map(_findings, tasks):
            yield from findings


def _findings(task: Task) -> list[Finding]:
    op, names, seed = task
    faults = {fault.name: fault for fault in (_NO_FAULT, *FAULTS)}
    with np.errstate(all="ignore"):
        prepared = _prepared(op, seed)
        return [_finding(faults[name], op, prepared) for name in names]


@lru_cache(maxsize=1)
def _prepared(op: str, seed: int) -> Prepared:
    """The checks of an operation with the cases of ``quick`` and what the reference returns."""
    return [
        (
            check,
            [
                (case, expected_outputs(case))
                for cases in examples_of(check, seed, examples)
                for case in cases
            ],
        )
        for check, examples in plan("quick", [op], None, None)
    ]


def _finding(fault: Fault, op: str, prepared: Prepared) -> Finding:
    backend = fault.backend()
    found: list[str] = []
    missed: list[str] = []
    differing: list[Case] = []
    needed: int | None = None
    for check, cases in prepared:
        place = _first_difference(cases, backend)
        if place is None:
            missed.append(check.name)
            continue
        found.append(check.name)
        needed = place + 1 if needed is None else needed
        differing.append(cases[place][0])
    diagnosis = diagnose(differing[:_DIAGNOSED], fault.backend()) if differing else None
    cause = None if diagnosis is None else diagnosis.fault
    return Finding(fault.name, op, tuple(found), tuple(missed), needed, cause)


def _first_difference(cases: Sequence[tuple[Case, Outputs]], backend: Variant) -> int | None:
    calls = Calls(backend)
    for place, (case, expected) in enumerate(cases):
        try:
            if calls.run(case, expected) is not None:
                return place
        except UnsupportedError:
            continue
    return None
