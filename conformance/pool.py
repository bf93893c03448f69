"""Run the checks of a plan in several processes; the results come back in the plan's order."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from .known_failure import KnownFailure
from .operations import Check
from .orphans import leave_with_parent
from .outcome import Outcome
from .run import run_check
from .sending import send_strides

__all__ = ["Plan", "run_in_processes"]


@dataclass(frozen=True)
class Plan:
    """What a worker needs to make the same checks again.

    Attributes:
        load: returns the backend; a function that can be pickled, such as a ``partial``.
        checks: returns the checks, each with its number of examples; likewise.
        seed: of the run.
        cases_folder: where counterexamples are written; None: nowhere.
        known: failures that are accepted.
    """

    load: Callable[[], object]
    checks: Callable[[], Sequence[tuple[Check, int]]]
    seed: int
    cases_folder: Path | None
    known: Sequence[KnownFailure] = ()


def run_in_processes(plan: Plan, jobs: int) -> Iterator[Outcome]:
    """Every check of the plan, in its order, over ``jobs`` fresh processes.

    Raises:
        ValueError: if one of the processes dies.
    """
    count = len(plan.checks())
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (plan,)) as pool:
        try:
            yield from pool.map(_run, range(count), chunksize=4)
        except BrokenProcessPool as error:
            message = "backend: a process that ran it died; --isolate tells in which check"
            raise ValueError(message) from error


_PLAN: dict[str, Plan] = {}


def _start(plan: Plan) -> None:
    leave_with_parent()
    send_strides()
    _PLAN["plan"] = plan


@lru_cache(maxsize=1)
def _loaded() -> tuple[object, Sequence[tuple[Check, int]]]:
    plan = _PLAN["plan"]
    return plan.load(), plan.checks()


def _run(index: int) -> Outcome:
    backend, checks = _loaded()
    check, examples = checks[index]
    plan = _PLAN["plan"]
    return run_check(
        check,
        backend,
        seed=plan.seed,
        examples=examples,
        cases_folder=plan.cases_folder,
        known=plan.known,
    )
