"""``qparity verify``: hold a backend to the reference."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..guard import CASE_TIMEOUT
from ..html_page import reports_to_html
from ..junit import report_to_junit
from ..known import known_to_toml, load_known, still_known
from ..report import print_report, report_to_json
from ..scheme_file import SCHEME, load_schemes
from ..sweeps import STATE_FOLDER, Sweeping
from ..verify import LEVELS, verify
from ..weights import matrices, read_tensors
from .aside import speaking_aside
from .console import EXIT_CODES, check_writable, console, write_json, write_text
from .load import load
from .progress import Bars

_LONGEST = 1e6


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        help="hold a backend to the reference, bit for bit",
        description="Hold a backend to the reference, bit for bit.",
        epilog=EXIT_CODES,
    )
    parser.add_argument(
        "backend",
        metavar="BACKEND",
        help="numpy, torch:cpu, torch:cuda, triton:cuda, torchao:cpu and so on; "
        "package.module or package.module:object",
    )
    parser.add_argument(
        "--level", choices=LEVELS, help="of made-up inputs; default: quick, none with --weights"
    )
    several = {"action": "append", "default": []}
    parser.add_argument(
        "--op",
        dest="operations",
        metavar="NAME",
        help="only this operation; may be given again",
        **several,
    )
    parser.add_argument(
        "--scheme",
        dest="schemes",
        metavar=SCHEME,
        help="only the args of this scheme; may be given again",
        **several,
    )
    parser.add_argument("--compute-dtype", choices=["float32"], help="the rule of fused kernels")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE.safetensors",
        help="run the weight presets over its 2-D tensors",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="prove again what an interrupted run has proven"
    )
    parser.add_argument(
        "--case-timeout",
        type=seconds,
        default=CASE_TIMEOUT,
        metavar="SECONDS",
        help=f"a call that takes longer differs; default: {CASE_TIMEOUT:g}",
    )
    parser.add_argument(
        "--isolate",
        action="store_true",
        help="survive a backend whose process dies; else, with one job, C that ends it ends the "
        "command, with an exit code of its own",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--jobs", type=positive, help="processes; default: one per core, one for little work"
    )
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON; - is stdout")
    parser.add_argument("--junit", metavar="FILE", help="write it as JUnit XML")
    parser.add_argument("--html", metavar="FILE", help="write it as one page of HTML")
    parser.add_argument("--known", type=Path, metavar="FILE.toml", help="failures to accept")
    parser.add_argument(
        "--update-known", action="store_true", help="drop what is fixed from the file of --known"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    tensors = None if options.weights is None else read_tensors(options.weights)
    if tensors is not None and not matrices(tensors):
        raise ValueError(
            f"weights: {options.weights} has no 2-D float tensor; allowed: one or more"
        )
    files = (options.json, options.junit, options.html)
    for destination in files:
        check_writable(destination)
    if options.update_known and options.known is None:
        raise ValueError("update-known: no file to update; allowed: together with --known")
    known = () if options.known is None else load_known(options.known)
    bars = Bars()
    with speaking_aside():
        report = verify(
            load(options.backend),
            name=options.backend,
            level=options.level or ("quick" if tensors is None else None),
            operations=options.operations,
            schemes=load_schemes(options.schemes) if options.schemes else None,
            compute_dtype=None if options.compute_dtype is None else np.dtype(np.float32),
            weights=tensors,
            seed=options.seed,
            track=bars.track,
            load=partial(load, options.backend),
            jobs=options.jobs or _jobs(options),
            known=known,
            sweeping=Sweeping(STATE_FOLDER, options.fresh, bars.watch),
            case_timeout=options.case_timeout,
            isolate=options.isolate,
        )
    if options.update_known:
        write_text(known_to_toml(still_known(known, report.outcomes)), str(options.known))
    print_report(report, console(sys.stderr if "-" in files else sys.stdout))
    content = report_to_json(report)
    if options.json is not None:
        write_json(content, options.json)
    if options.junit is not None:
        write_text(report_to_junit(content), options.junit)
    if options.html is not None:
        write_text(reports_to_html([content]), options.html)
    return report.exit_code


def seconds(text: str) -> float:
    """A number above 0, for the parser."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: a number above 0")
    return value


def positive(text: str) -> int:
    """A whole number from 1 on, for the parser."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 or more")
    return int(text)


def _jobs(options: argparse.Namespace) -> int:
    """One process per core, but one alone for what is over in seconds."""
    few = options.operations and options.schemes and options.level in (None, "quick")
    return 1 if few or options.level == "smoke" else min(os.cpu_count() or 1, 8)
