"""How far a long work on files is, on standard error."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["BytesBar"]


class BytesBar:
    """A bar of bytes with the time that is left; nothing where the output is no terminal."""

    def __init__(self, description: str) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(),
        )
        out = Console(file=sys.stderr)
        self._progress = Progress(
            *columns, console=out, transient=True, disable=not out.is_terminal
        )
        self._task = self._progress.add_task(description, total=None)

    def __enter__(self) -> "BytesBar":
        """Show it."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away."""
        self._progress.stop()

    def watch(self, done: int, total: int) -> None:
        """Show how many bytes are done."""
        self._progress.update(self._task, completed=done, total=total)
