"""Chunks of sweeps, run here or over processes; the results come back in order."""

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context

import numpy as np

from ..case import UnsupportedError, expected_outputs, run_case
from ..orphans import leave_with_parent
from .sweep import Sweep, inputs_of

__all__ = ["ChunkResult", "Workers", "chunks_here", "chunks_in_processes"]

_WAITING_PER_JOB = 4
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
Place = tuple[int, int]


@dataclass(frozen=True)
class ChunkResult:
    """What one chunk came to.

    Attributes:
        inputs: compared.
        differing: numbers that differ.
        unsupported: what the backend declined, else empty.
        kind: how they differ, see ``Difference.reason``, else empty.
        slow: that a call took too long, else empty.
        error: how the check itself broke, else empty.
    """

    inputs: int = 0
    differing: int = 0
    kind: str = ""
    unsupported: str = ""
    slow: str = ""
    error: str = ""


@dataclass(frozen=True)
class Workers:
    """How to run chunks in other processes.

    Attributes:
        load: returns the backend; a function that can be pickled.
        sweeps: returns the sweeps; likewise.
        jobs: how many processes.
    """

    load: Callable[[], object]
    sweeps: Callable[[], Sequence[Sweep]]
    jobs: int


def run_chunk(sweep: Sweep, index: int, backend: object) -> ChunkResult:
    """Hold a backend to the reference on one chunk."""
    try:
        with np.errstate(all="ignore"):
            case = sweep.make_chunk(index)
            expected = expected_outputs(case)
            difference = run_case(case, backend, expected)[2]
    except UnsupportedError as error:
        return ChunkResult(unsupported=str(error) or "declined")
    except Exception as error:  # noqa: BLE001 - a broken check is reported, not hidden
        return ChunkResult(error=f"{type(error).__name__}: {error}".splitlines()[0])
    inputs = inputs_of(case, expected)
    if difference is None:
        return ChunkResult(inputs)
    slow = difference.detail if difference.reason == "slow" else ""
    return ChunkResult(inputs, difference.count, difference.reason, slow=slow)


class _Runner:
    """Runs chunks; after a call that took too long, no other chunks of its sweep."""

    def __init__(self, sweeps: Sequence[Sweep], backend: object) -> None:
        self._sweeps, self._backend = sweeps, backend
        self._slow: dict[int, ChunkResult] = {}

    def run(self, place: Place) -> ChunkResult:
        """The result of the chunk at a place: sweep and chunk."""
        sweep, chunk = place
        if sweep in self._slow:
            return self._slow[sweep]
        result = run_chunk(self._sweeps[sweep], chunk, self._backend)
        if result.slow:
            self._slow[sweep] = ChunkResult(slow=result.slow)
        return result


def chunks_here(
    sweeps: Sequence[Sweep], places: Iterable[Place], backend: object
) -> Generator[ChunkResult, None, None]:
    """The chunks at ``places`` (sweep, chunk), one after the other in this process."""
    runner = _Runner(sweeps, backend)
    for place in places:
        yield runner.run(place)


def chunks_in_processes(
    places: Iterable[Place], workers: Workers
) -> Generator[ChunkResult, None, None]:
    """The same over fresh processes; few chunks wait at a time, so memory is constant.

    An interruption (Ctrl-C) reaches this process alone; the chunks at work are finished.
    """
    context = get_context("spawn")
    pool = ProcessPoolExecutor(workers.jobs, context, _start, (workers,))
    waiting: deque[Future[ChunkResult]] = deque()
    try:
        for place in places:
            waiting.append(pool.submit(_run, place))
            if len(waiting) > _WAITING_PER_JOB * workers.jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_WORKERS: dict[str, Workers] = {}


def _start(workers: Workers) -> None:
    """A worker computes on one thread, as there is one for each core."""
    leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    _WORKERS["workers"] = workers


@lru_cache(maxsize=1)
def _runner() -> _Runner:
    workers = _WORKERS["workers"]
    return _Runner(workers.sweeps(), workers.load())


def _run(place: Place) -> ChunkResult:
    return _runner().run(place)
