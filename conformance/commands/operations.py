"""``qparity operations``: what a backend may have."""

import argparse
from typing import Any

from ..operations import public_operations
from .console import speaker


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser("operations", help="list the operations that a backend may have")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    del options
    say = speaker()
    for name in public_operations():
        say(name)
    return 0
