"""``qparity replay``: one case file on a backend."""

import argparse
from pathlib import Path
from typing import Any

from ..case import UnsupportedError, expected_outputs, run_case
from ..case_file import load_case
from ..explain_case import Counterexample, lines_of
from ..guard import CASE_TIMEOUT, guarded
from .aside import speaking_aside
from .console import EXIT_CODES, speaker
from .load import load


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser("replay", help="run one case file on a backend", epilog=EXIT_CODES)
    parser.add_argument("case_file", type=Path, metavar="CASE.json")
    parser.add_argument("--backend", required=True)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    case, say = load_case(options.case_file), speaker()
    try:
        known = expected_outputs(case)
    except Exception as error:
        message = f"{options.case_file}: the reference refuses it: {error}"
        raise ValueError(message) from error
    try:
        with speaking_aside():
            backend = guarded(load(options.backend), CASE_TIMEOUT)
            expected, actual, difference = run_case(case, backend, known)
    except UnsupportedError as error:
        say(f"UNSUPPORTED {case.op}: {error}")
        return 5
    if difference is None:
        say(f"PASS {case.op} {case.label}: equal")
        return 0
    say(f"FAIL {case.op} {case.label}")
    for line in lines_of(Counterexample(case, expected, actual, difference)):
        say(f"  {line}")
    return 1
