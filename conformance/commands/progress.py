"""What a long verification shows on standard error: checks, then inputs of sweeps, time left."""

import sys
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from ..outcome import Outcome

__all__ = ["Bars"]


class Bars:
    """Two bars: ``track`` moves that of the checks, ``watch`` that of the inputs of sweeps."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        out = Console(file=sys.stderr)
        hidden = not out.is_terminal
        self._progress = Progress(*columns, console=out, transient=True, disable=hidden)
        self._inputs: TaskID | None = None

    def track(self, outcomes: Iterator[Outcome], planned: int) -> Iterable[Outcome]:
        """The outcomes as they come, counted."""
        with self._progress as progress:
            yield from progress.track(outcomes, total=planned, description="checks")

    def watch(self, done: int, total: int) -> None:
        """Show how many inputs are done; those that are done at the first call were so before."""
        if self._inputs is None:
            self._inputs = self._progress.add_task("inputs", total=total, completed=done)
            if done:
                self._progress.print(
                    f"{done:,} inputs were proven by an earlier run; --fresh proves them again"
                )
        self._progress.update(self._inputs, completed=done)
