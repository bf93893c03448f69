"""``qparity gen``: cases of an operation, for a kernel in any language."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..case_file import load_case
from ..operations import public_operations
from ..stream import make_questions, questions_of, write_line
from ..stream_npz import write_npz
from .console import EXIT_CODES, complain

_BROKEN_PIPE = 2


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "gen",
        help="cases of an operation, for a kernel in any language",
        description="qparity gen OP | my_kernel | qparity check OP; see docs/any-language.md",
        epilog=EXIT_CODES,
    )
    parser.add_argument("operation", metavar="OP", choices=public_operations())
    parser.add_argument("--format", choices=["bits", "npz"], default="bits", help="default: bits")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--count", type=int, default=256, help="of cases; default: 256")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only cases with this field, such as args.type=int or x=float32; may be given again",
    )
    parser.add_argument(
        "--nan",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether NaN is among the values; default: yes",
    )
    parser.add_argument("--compute-dtype", choices=["float32"], help="the rule of fused kernels")
    parser.add_argument(
        "--case",
        dest="cases",
        type=Path,
        action="append",
        default=[],
        metavar="CASE.json",
        help="this case file instead; may be given again",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.count < 1:
        raise ValueError(f"count: {options.count} is not allowed; allowed: 1 or more")
    if options.cases and options.only:
        raise ValueError("only: not allowed with --case; allowed: one of them")
    if options.cases:
        questions = questions_of(options.operation, [load_case(path) for path in options.cases])
    else:
        questions = make_questions(
            options.operation,
            seed=options.seed,
            number=options.count,
            only=options.only,
            nan=options.nan,
            compute_dtype=None if options.compute_dtype is None else np.dtype(np.float32),
        )
    try:
        if options.format == "npz":
            write_npz(questions, sys.stdout.buffer)
        else:
            for question in questions:
                sys.stdout.write(write_line(question) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        complain("the kernel stopped reading")
        return _BROKEN_PIPE
    return 0
