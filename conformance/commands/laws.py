"""``qparity laws``: what a scheme obeys whoever computes it, without an oracle."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from qparity.reference import QuantizationArgs

from ..guard import CASE_TIMEOUT
from ..laws.check import HOLDS, VIOLATED, Verdict, check_laws
from ..laws.witness import lines_of, reason_of, to_json
from ..scheme_file import SCHEME, load_schemes
from .console import check_writable, console, write_json
from .load import load
from .verify import positive, seconds

_SIDES = ("weights", "input_activations", "output_activations")
_EXIT_CODES = "exit codes: 0 all hold, 1 one is violated, 2 bad usage or input, 5 nothing was run"
_STYLES = {HOLDS: "green", VIOLATED: "red"}


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "laws",
        help="hold a scheme to the laws that need no oracle",
        description="Hold a scheme, new or known, to the laws that need no oracle.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument(
        "scheme",
        metavar=SCHEME,
        help="a preset, a config, or an object that is QuantizationArgs or a QuantizationScheme",
    )
    parser.add_argument("--backend", default="numpy", help="default: numpy, the reference")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--cases", type=positive, default=8, metavar="N", help="of each law and dtype; default: 8"
    )
    parser.add_argument(
        "--case-timeout",
        type=seconds,
        default=CASE_TIMEOUT,
        metavar="SECONDS",
        help=f"a call that takes longer breaks the law; default: {CASE_TIMEOUT:g}",
    )
    parser.add_argument("--json", metavar="FILE", help="write the verdicts as JSON; - is stdout")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_writable(options.json)
    named = _args_of(options.scheme)
    backend = load(options.backend)
    found = {
        name: check_laws(
            args, backend, seed=options.seed, cases=options.cases, case_timeout=options.case_timeout
        )
        for name, args in named.items()
    }
    out = console(sys.stderr if options.json == "-" else sys.stdout)
    for name, verdicts in found.items():
        _print(name, verdicts, out)
    code = _exit_code(found)
    _print_line(_summary(options, found, code), out)
    if options.json is not None:
        write_json(_report(options, named, found, code), options.json)
    return code


def _args_of(name: str) -> dict[str, QuantizationArgs]:
    """The args of each side of the schemes of a name; equal ones once."""
    schemes = load_schemes([name])
    found: dict[QuantizationArgs, list[str]] = {}
    for scheme_name, scheme in schemes.items():
        for side in _SIDES:
            args = getattr(scheme, side)
            if args is not None:
                found.setdefault(args, []).append(f"{scheme_name} {side}")
    return {", ".join(names): args for args, names in found.items()}


def _print(name: str, verdicts: list[Verdict], out: Console) -> None:
    for verdict in verdicts:
        if verdict.verdict == VIOLATED:
            _print_line(f"VIOLATED {verdict.law.name} by {name}", out)
            for line in lines_of(verdict):
                _print_line(f"  {line}", out)
            _print_line("", out)
    table = Table(title=name)
    table.add_column("law", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("cases", justify="right")
    table.add_column("not checked")
    for verdict in verdicts:
        style = _STYLES.get(verdict.verdict, "yellow")
        shown = f"[{style}]{verdict.verdict}[/{style}]"
        table.add_row(verdict.law.name, shown, f"{verdict.cases:,}", reason_of(verdict))
    out.print(table)


def _print_line(line: str, out: Console) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _exit_code(found: Mapping[str, list[Verdict]]) -> int:
    """A law that asks the backend nothing holds for any: alone, it is nothing that was run."""
    verdicts = [verdict for group in found.values() for verdict in group]
    if any(verdict.verdict == VIOLATED for verdict in verdicts):
        return 1
    return 0 if any(verdict.verdict == HOLDS and verdict.asked for verdict in verdicts) else 5


def _summary(options: argparse.Namespace, found: Mapping[str, list[Verdict]], code: int) -> str:
    head = {0: "HOLDS", 1: "VIOLATED", 5: "NOTHING WAS RUN"}[code]
    every = [verdict for group in found.values() for verdict in group]
    counts = {
        name: [v.verdict for v in every].count(name) for name in sorted({v.verdict for v in every})
    }
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    cases = sum(verdict.cases for verdict in every)
    detail = f"{parts}; {cases:,} cases" if every else "the scheme quantizes nothing"
    declined = sum(verdict.declined for verdict in every)
    if declined:
        detail += f", {declined:,} declined by the backend"
    if code == 5 and cases:
        detail += ", none of the cases asked the backend"
    return f"{head}: {options.scheme} on {options.backend}: {detail}; seed {options.seed}"


def _report(
    options: argparse.Namespace,
    named: Mapping[str, QuantizationArgs],
    found: Mapping[str, list[Verdict]],
    code: int,
) -> dict[str, Any]:
    return {
        "schema": 1,
        "scheme": options.scheme,
        "backend": options.backend,
        "seed": options.seed,
        "cases": options.cases,
        "args": {name: args.to_dict() for name, args in named.items()},
        "laws": {name: [to_json(verdict) for verdict in group] for name, group in found.items()},
        "summary": {"exit_code": code},
    }
