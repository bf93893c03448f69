"""``qparity check``: judge what a kernel in any language answered to ``qparity gen``."""

import argparse
import io
import sys
from pathlib import Path
from typing import Any

from ..judge import judge
from ..operations import public_operations
from ..run import CASES_FOLDER
from ..stream import read_lines
from ..stream_npz import read_npz
from ..verdict import VERDICTS
from .console import EXIT_CODES, speaker

_ZIP = b"PK\x03\x04"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check",
        help="judge what a kernel in any language answered",
        description="qparity gen OP | my_kernel | qparity check OP; see docs/any-language.md",
        epilog=EXIT_CODES,
    )
    parser.add_argument("operation", metavar="OP", choices=public_operations())
    parser.add_argument(
        "answers",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="lines or npz; default: standard input",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    op, say = options.operation, speaker()
    if options.answers is None:
        return _check(op, sys.stdin.buffer, say)
    with options.answers.open("rb") as file:
        return _check(op, file, say)


def _check(op: str, stream: Any, say: Any) -> int:  # noqa: ANN401 - a buffered reader; a speaker
    if stream.peek(len(_ZIP))[: len(_ZIP)] == _ZIP:
        answers = read_npz(stream)
    else:
        answers = read_lines(io.TextIOWrapper(stream, "ascii", errors="backslashreplace"))
    tally = judge(op, answers, say, CASES_FOLDER)
    say(
        f"{VERDICTS[tally.exit_code]}: {op}: {tally.different:,} of {tally.cases:,} cases and "
        f"{tally.differing:,} of {tally.elements:,} numbers differ; {tally.unsupported:,} "
        "cases unsupported"
    )
    return tally.exit_code
