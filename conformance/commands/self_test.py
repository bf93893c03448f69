"""``qparity self-test``: planted faults, all of which the judge must find."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import track

from ..laws.strength import law_trials, trials_to_markdown
from ..self_test import Finding, self_test
from ..strength import strength_to_json, strength_to_markdown, summary_lines
from .console import check_writable, console, write_json, write_text
from .verify import positive

_EXIT_CODES = "exit codes: 0 all found, 1 one was missed, 2 bad usage or input, 5 nothing was run"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "self-test",
        help="prove that the judge finds planted faults",
        description="Plant faults in a second implementation, and prove that the judge finds them.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        action="append",
        default=[],
        metavar="NAME",
        help="only this fault; may be given again",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--jobs", type=positive, help="processes; default: one per core")
    parser.add_argument("--json", metavar="FILE", help="write the findings as JSON; - is stdout")
    parser.add_argument("--markdown", metavar="FILE", help="write the table; - is stdout")
    parser.add_argument(
        "--laws",
        metavar="FILE",
        help="instead, hold every law against the fault that it alone finds, and write the table",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    for destination in (options.json, options.markdown, options.laws):
        check_writable(destination)
    if options.laws is not None:
        return _of_laws(options.laws)
    jobs = options.jobs or min(os.cpu_count() or 1, 8)
    strength = self_test(options.faults, seed=options.seed, jobs=jobs, track=_tracked)
    if options.markdown is not None:
        write_text(strength_to_markdown(strength, _command(options)), options.markdown)
    if options.json is not None:
        write_json(strength_to_json(strength), options.json)
    out = console(sys.stderr if "-" in (options.json, options.markdown) else sys.stdout)
    for line in summary_lines(strength):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    return strength.exit_code


def _of_laws(destination: str) -> int:
    """The table of laws; 1 if a law misses its own fault, or another one finds it."""
    trials = list(law_trials())
    write_text(trials_to_markdown(trials, f"qparity self-test --laws {destination}"), destination)
    out = console(sys.stderr if destination == "-" else sys.stdout)
    for trial in trials:
        if not trial.alone:
            text = f"NOT ALONE {trial.own.law}: found by {', '.join(trial.found_by) or 'no law'}"
            out.print(text, markup=False, highlight=False, soft_wrap=True)
    alone = sum(trial.alone for trial in trials)
    out.print(f"{alone} of {len(trials)} faults are found by their own law alone", highlight=False)
    return 0 if alone == len(trials) else 1


def _command(options: argparse.Namespace) -> str:
    """What writes the same page again."""
    chosen = "".join(f" --fault {name}" for name in options.faults)
    seed = f" --seed {options.seed}" if options.seed else ""
    return f"qparity self-test{chosen}{seed} --markdown {options.markdown}"


def _tracked(findings: Iterator[Finding], planned: int) -> Iterable[Finding]:
    out = Console(file=sys.stderr)
    return track(
        findings,
        "faults",
        total=planned,
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
