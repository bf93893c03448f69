"""How a verification runs its sweeps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..guard import unguarded
from ..known_failure import KnownFailure
from ..outcome import Outcome
from .chunks import Workers
from .fingerprint import code_fingerprint
from .run import Watch, run_sweeps, unwatched
from .state import load_state
from .sweep import Sweep

__all__ = ["Sweeping", "proofs"]


@dataclass(frozen=True)
class Sweeping:
    """What a user may choose.

    Attributes:
        folder: where it is kept what is proven, so that an interrupted run goes on; None: nowhere.
        fresh: prove everything again.
        watch: told after every chunk how many inputs are done, of how many.
    """

    folder: Path | None = None
    fresh: bool = False
    watch: Watch = unwatched


def proofs(
    sweeps: Callable[[], Sequence[Sweep]],
    backend: object,
    name: str,
    *,
    versions: Mapping[str, str],
    sweeping: Sweeping,
    cases_folder: Path | None = None,
    known: Sequence[KnownFailure] = (),
    load: Callable[[], object] | None = None,
    jobs: int = 1,
) -> Iterator[Outcome]:
    """The outcomes of the sweeps on a backend; what was proven for other versions does not count.

    Args:
        sweeps: returns the sweeps; can be pickled.
        backend: the backend.
        name: of the backend, which names its state file.
        versions: of whatever the answers depend on.
        sweeping: what the user chose.
        cases_folder: as for ``run_sweeps``, and so ``known``.
        known: failures that are accepted.
        load: makes the backend in another process; needed for ``jobs`` above 1.
        jobs: how many processes run chunks.
    """
    wanted = sweeps()
    if not wanted:
        return
    key = {**versions, "code": code_fingerprint(unguarded(backend))}
    yield from run_sweeps(
        wanted,
        backend,
        state=load_state(sweeping.folder, name, key, fresh=sweeping.fresh),
        cases_folder=cases_folder,
        known=known,
        workers=Workers(load, sweeps, jobs) if jobs > 1 and load is not None else None,
        watch=sweeping.watch,
    )
