"""``qparity lab``: a scheme of one's own."""

import argparse
from pathlib import Path
from typing import Any

from ..lab import new_scheme
from .console import speaker

_EXIT_CODES = "exit codes: 0 written, 2 bad usage, or the file exists"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser("lab", help="write a scheme of your own, with its tests")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser(
        "new",
        help="write NAME.py: a commented scheme and its tests",
        description="Write NAME.py: a commented scheme, its laws, its parity and its report.",
        epilog=_EXIT_CODES,
    )
    new.add_argument("name", metavar="NAME", help="a Python identifier")
    new.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    path = new_scheme(options.name, Path())
    say = speaker()
    say(f"WRITTEN {path}: a scheme and its tests")
    say(f"next: pytest {path}")
    return 0
