"""What the commands share: where they write, and how."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

EXIT_CODES = "exit codes: 0 all equal, 1 a difference, 2 bad usage or input, 5 nothing was run"
_WIDTH_OF_A_PIPE = 100


class _Console(Console):
    """A console that leaves a closed output to ``main``, not to an exit code of its own."""

    def on_broken_pipe(self) -> None:
        """Raise the error that is being handled."""
        raise


def allow_negative_numbers(parser: argparse.ArgumentParser) -> None:
    """Let -1e-5, -0x1p3 and -inf be numbers, not options."""
    parser._negative_number_matcher = re.compile(r"^-(\d|\.\d|inf|nan)", re.IGNORECASE)


def console(file: Any = None) -> Console:  # noqa: ANN401 - any text stream
    """A console that does not squeeze tables when its output goes to a pipe."""
    stream = sys.stdout if file is None else file
    return _Console(file=stream, emoji=False, width=None if stream.isatty() else _WIDTH_OF_A_PIPE)


def speaker() -> Callable[[str], None]:
    """Prints lines to standard output as they are."""
    out = console()
    return lambda line: out.print(line, markup=False, highlight=False, soft_wrap=True)


def complain(message: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"qparity: {' '.join(message.split())}\n")


def check_writable(destination: str | None) -> None:
    """Say before the work, not after it, that a file cannot be written.

    Raises:
        ValueError: if its folder does not exist, or it is a folder.
    """
    if destination is None or destination == "-":
        return
    path = Path(destination)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ValueError(f"{destination}: cannot be written; allowed: a file in an existing folder")


def write_text(text: str, destination: str) -> None:
    """Text to a file, written beside and renamed; ``-`` is standard output."""
    if destination == "-":
        sys.stdout.write(text)
        return
    path = Path(destination)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text)
    temporary.replace(path)


def write_json(data: Mapping[str, Any], destination: str) -> None:
    """JSON to a file or standard output, as ``write_text``."""
    write_text(json.dumps(data, indent=1) + "\n", destination)
