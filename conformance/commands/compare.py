"""``qparity compare``: schemes side by side on real weights."""

import argparse
import sys
from pathlib import Path
from typing import Any

from qparity.reference import QuantizationArgs

from ..comparison import measure, to_json, to_markdown, to_table
from ..comparison.plot import plot
from ..scheme_file import SCHEME, load_schemes, short_names
from ..weights import SAMPLE, matrices, read_tensors
from .console import check_writable, console, write_json, write_text

_EXIT_CODES = "exit codes: 0 measured, 2 bad usage or input"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "compare",
        help="measure schemes on real weights: signal to noise, error, bits per weight",
        description="Measure schemes on real weights, by the reference.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("schemes", nargs="+", metavar=SCHEME, help="weights of each are measured")
    parser.add_argument(
        "--weights",
        type=Path,
        default=SAMPLE,
        metavar="FILE.safetensors",
        help="its 2-D float tensors; default: the sample that comes along",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png|svg|pdf", help="draw the table")
    parser.add_argument("--markdown", metavar="FILE", help="write the table; - is stdout")
    parser.add_argument("--json", metavar="FILE", help="write it as JSON; - is stdout")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    for destination in (options.markdown, options.json, options.plot):
        check_writable(None if destination is None else str(destination))
    weights = matrices(read_tensors(options.weights))
    named = weights_of(options.schemes)
    found = [measure(name, args, weights) for name, args in named.items()]
    if options.plot is not None:
        own = [name for name in named if not name.isupper()]
        plot(found, options.plot, marked=own)
    if options.json is not None:
        write_json({"schema": 1, "schemes": to_json(found)}, options.json)
    if options.markdown is not None:
        write_text(to_markdown(found), options.markdown)
    count = sum(weight.size for weight in weights.values())
    tensors = f"{len(weights)} tensor{'' if len(weights) == 1 else 's'}"
    title = f"{tensors} of {options.weights.name}, {count:,} weights"
    piped = "-" in (options.json, options.markdown)
    console(sys.stderr if piped else sys.stdout).print(to_table(found, title))
    return 0


def weights_of(names: list[str]) -> dict[str, QuantizationArgs]:
    """The args of the weights of schemes, by names as short as tell them apart.

    Raises:
        ValueError: if a scheme quantizes no weights, or cannot be read.
    """
    found = {}
    schemes = load_schemes(names)
    shown = short_names(schemes)
    for name, scheme in schemes.items():
        if scheme.weights is None:
            raise ValueError(f"scheme: {name!r} quantizes no weights; allowed: one that does")
        found[shown[name]] = scheme.weights
    return found
