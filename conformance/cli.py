"""The command ``qparity`` (SPEC section 12)."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import qparity
from qparity.backends import load_backend

from .case import UnsupportedError, run_case
from .case_file import load_case
from .explain_case import Counterexample, lines_of
from .operations import public_operations
from .report import print_report, report_to_json
from .run import Outcome
from .scheme_file import load_schemes
from .verify import LEVELS, verify
from .weights import matrices, read_tensors

_EXIT_CODES = "exit codes: 0 all equal, 1 a difference, 2 bad usage or input, 5 nothing was run"
_WIDTH_OF_A_PIPE = 100


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit."""
        _complain(message)
        sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its code; bad input is one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()
    except (ValueError, TypeError, OSError, ImportError) as error:
        _complain(str(error))
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="qparity",
        description="A golden reference for quantization math, and a judge of backends.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=qparity.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_verify(commands)
    _add_replay(commands)
    listed = commands.add_parser("operations", help="list the operations that a backend may have")
    listed.set_defaults(run=_list_operations)
    return parser


def _add_verify(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    parser = commands.add_parser(
        "verify",
        help="hold a backend to the reference, bit for bit",
        description="Hold a backend to the reference, bit for bit.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument(
        "backend",
        metavar="BACKEND",
        help="numpy, torch:cpu, torch:cuda, package.module or package.module:object",
    )
    parser.add_argument(
        "--level", choices=LEVELS, help="of made-up inputs; default: quick, none with --weights"
    )
    parser.add_argument(
        "--op",
        dest="operations",
        action="append",
        default=[],
        metavar="NAME",
        help="only this operation; may be given again",
    )
    parser.add_argument(
        "--scheme",
        dest="schemes",
        action="append",
        default=[],
        metavar="PRESET|FILE.json",
        help="only the args of this scheme; may be given again",
    )
    parser.add_argument("--compute-dtype", choices=["float32"], help="the rule of fused kernels")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE.safetensors",
        help="run the weight presets over its 2-D tensors",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--jobs", type=_positive, help="processes; default: one per core")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON; - is stdout")
    parser.set_defaults(run=_verify)


def _add_replay(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    parser = commands.add_parser("replay", help="run one case file on a backend")
    parser.add_argument("case_file", type=Path, metavar="CASE.json")
    parser.add_argument("--backend", required=True)
    parser.set_defaults(run=_replay)


def _verify(options: argparse.Namespace) -> int:
    tensors = None if options.weights is None else read_tensors(options.weights)
    if tensors is not None and not matrices(tensors):
        raise ValueError(
            f"weights: {options.weights} has no 2-D float tensor; allowed: one or more"
        )
    schemes = load_schemes(options.schemes) if options.schemes else None
    report = verify(
        load_backend(options.backend),
        name=options.backend,
        level=options.level or ("quick" if tensors is None else None),
        operations=options.operations,
        schemes=schemes,
        compute_dtype=None if options.compute_dtype is None else np.dtype(np.float32),
        weights=tensors,
        seed=options.seed,
        track=_progress,
        load=partial(load_backend, options.backend),
        jobs=options.jobs or _jobs(options.level),
    )
    print_report(report, _console(sys.stderr if options.json == "-" else sys.stdout))
    if options.json is not None:
        _write_json(report_to_json(report), options.json)
    return report.exit_code


def _replay(options: argparse.Namespace) -> int:
    case = load_case(options.case_file)
    console = _console(sys.stdout)
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    try:
        expected, actual, difference = run_case(case, load_backend(options.backend))
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


def _list_operations(options: argparse.Namespace) -> int:
    del options
    _console(sys.stdout).print("\n".join(public_operations()), markup=False, highlight=False)
    return 0


def _jobs(level: str | None) -> int:
    """One process per core, but one alone for what is over in seconds."""
    return 1 if level == "smoke" else min(os.cpu_count() or 1, 8)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 or more")
    return int(text)


def _console(file: Any) -> Console:  # noqa: ANN401 - any text stream
    """A console that does not squeeze tables when its output goes to a pipe."""
    return Console(file=file, width=None if file.isatty() else _WIDTH_OF_A_PIPE)


def _complain(message: str) -> None:
    sys.stderr.write(f"qparity: {' '.join(message.split())}\n")


def _progress(outcomes: Iterator[Outcome], planned: int) -> Iterable[Outcome]:
    """The outcomes, with a bar on standard error and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        yield from progress.track(outcomes, total=planned, description="checks")


def _write_json(data: dict[str, Any], destination: str) -> None:
    text = json.dumps(data, indent=1)
    if destination == "-":
        sys.stdout.write(text + "\n")
        return
    path = Path(destination)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text + "\n")
    temporary.replace(path)
