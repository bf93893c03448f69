"""Run sweeps on a backend: an outcome for each, in order; what differs is shrunk."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ..case import Case
from ..known_failure import KnownFailure
from ..outcome import Outcome
from ..run import finish
from .chunks import ChunkResult, Workers, chunks_here, chunks_in_processes
from .state import State
from .sweep import Sweep

__all__ = ["prove", "run_sweeps", "unwatched"]

_SHRUNK_CHUNKS = 3
Watch = Callable[[int, int], None]


def unwatched(done: int, total: int) -> None:
    """Progress that nobody looks at."""
    del done, total


def run_sweeps(
    sweeps: Sequence[Sweep],
    backend: object,
    *,
    state: State,
    cases_folder: Path | None = None,
    known: Sequence[KnownFailure] = (),
    workers: Workers | None = None,
    watch: Watch = unwatched,
) -> Iterator[Outcome]:
    """Hold a backend to the reference on every input of some sweeps.

    Args:
        sweeps: in the order of the outcomes.
        backend: the backend; see ``run_case``.
        state: chunks that it has as proven are not run again; it is kept up to date, and dropped
            when all chunks have been run.
        cases_folder: where counterexamples are written; None: nowhere.
        known: failures that are accepted.
        workers: the processes to run in, whose ``sweeps`` returns these sweeps; None: in this one.
        watch: told after every chunk how many inputs are done, of how many.

    Returns:
        An outcome for each sweep, as of ``run_check``. Its evidence is ``"exhaustive"`` only if
        all inputs were compared, now or, for equal ones, in the run that the state is of.
    """
    wanted = [i for i, sweep in enumerate(sweeps) if getattr(backend, sweep.op, None) is not None]
    places = ((i, c) for i in wanted for c in range(state.chunks(sweeps[i]), sweeps[i].chunks))
    if workers is None:
        results = chunks_here(sweeps, places, backend)
    else:
        results = chunks_in_processes(places, workers)
    counted = _Counted(results)
    left = sum(sweeps[i].chunks - state.chunks(sweeps[i]) for i in wanted)
    total = sum(sweeps[i].total for i in wanted)
    done = sum(state.inputs(sweeps[i]) for i in wanted)
    watch(done, total)
    try:
        with closing(results):
            for i, sweep in enumerate(sweeps):
                here = counted if i in wanted else iter(())
                before = done - state.inputs(sweep)
                progress = _Progress(watch, before, total)
                yield _sweep_outcome(sweep, backend, here, state, cases_folder, known, progress)
                done = before + sweep.total if i in wanted else done
    finally:
        if counted.count == left:
            state.drop()
        else:
            state.save()


def prove(
    sweep: Sweep,
    backend: object,
    *,
    cases_folder: Path | None = None,
    known: Sequence[KnownFailure] = (),
) -> Outcome:
    """The outcome of one sweep, run in full in this process; see ``run_sweeps``."""
    state = State(None, {})
    (outcome,) = run_sweeps([sweep], backend, state=state, cases_folder=cases_folder, known=known)
    return outcome


class _Counted:
    """Results as they come; ``count`` is how many came."""

    def __init__(self, results: Iterator[ChunkResult]) -> None:
        self._results, self.count = results, 0

    def __iter__(self) -> Iterator[ChunkResult]:
        return self

    def __next__(self) -> ChunkResult:
        result = next(self._results)
        self.count += 1
        return result


class _Progress:
    def __init__(self, watch: Watch, before: int, total: int) -> None:
        self._watch, self._before, self._total = watch, before, total

    def at(self, inputs: int) -> None:
        self._watch(self._before + inputs, self._total)


def _sweep_outcome(
    sweep: Sweep,
    backend: object,
    results: Iterator[ChunkResult],
    state: State,
    cases_folder: Path | None,
    known: Sequence[KnownFailure],
    progress: _Progress,
) -> Outcome:
    outcome = Outcome(sweep.op, sweep.name, planned=sweep.total)
    executed, slow = [0], list[str]()

    def execute() -> None:
        executed[0] = _count_proven(sweep, state, outcome)
        progress.at(executed[0])
        failed: dict[str, list[int]] = {}
        errors: list[str] = []
        for chunk in range(state.chunks(sweep), sweep.chunks):
            result = next(results, None)
            if result is None:
                raise RuntimeError("a process that ran the sweeps died")
            if result.error:
                errors.append(result.error)
            elif result.slow:
                slow.append(result.slow)
            elif result.differing:
                failed.setdefault(result.kind, []).append(chunk)
            _add(result, outcome)
            executed[0] += result.inputs or sweep.inputs_in(chunk)
            if not (failed or slow or errors or outcome.unsupported):
                state.advance(sweep, chunk + 1)
            progress.at(executed[0])
        outcome.elements = outcome.inputs
        if errors:
            raise RuntimeError(f"{len(errors)} chunks, the first: {errors[0]}")
        for kind, chunks in failed.items():
            for case in map(sweep.make_chunk, chunks[:_SHRUNK_CHUNKS]):
                _sort(case, kind, outcome, known)

    finish(execute, outcome, backend, (sweep.total, executed), cases_folder)
    if slow:
        outcome.status, outcome.detail = "FAIL", f"{slow[0]}; the rest was not run"
    if outcome.inputs == outcome.planned and outcome.status in ("PASS", "KNOWN", "FAIL"):
        outcome.evidence = "exhaustive"
    return outcome


def _sort(case: Case, kind: str, outcome: Outcome, known: Sequence[KnownFailure]) -> None:
    """Add a case that differs to the failures, or an entry to those that were met."""
    entry = next((entry for entry in known if entry.matches(case, outcome.check, kind)), None)
    if entry is None:
        outcome.failures.append(case)
    else:
        outcome.known.add(entry)


def _count_proven(sweep: Sweep, state: State, outcome: Outcome) -> int:
    """Count the chunks that an earlier run found equal; how many inputs they have."""
    inputs = state.inputs(sweep)
    outcome.cases += state.chunks(sweep)
    outcome.inputs += inputs
    return inputs


def _add(result: ChunkResult, outcome: Outcome) -> None:
    if result.unsupported:
        outcome.unsupported += 1
        outcome.detail = (
            f"{outcome.unsupported:,} calls unsupported, the last: {result.unsupported}"
        )
    elif not (result.error or result.slow):
        outcome.cases += 1
        outcome.inputs += result.inputs
        outcome.differing += result.differing
