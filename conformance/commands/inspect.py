"""``qparity inspect``: a checkpoint against its config, and against dense weights."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ..inspection import inspect_checkpoint
from ..inspection.page import inspection_to_html
from ..inspection.report import inspection_to_json, print_inspection
from .bytes_bar import BytesBar
from .console import check_writable, console, write_json, write_text
from .verify import positive

_EXIT_CODES = (
    "exit codes: 0 all fine, 1 a violation, 2 bad usage or unreadable input, 5 nothing inspected, "
    "or with --against nothing compared"
)


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="is a checkpoint what its config claims",
        description="Compare the tensors of a checkpoint with its quantization_config: names, "
        "dtypes, shapes, scales, zero-points and codes; and with dense weights, bit for bit.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="a safetensors file, or a folder with model.safetensors or an index of shards; "
        "config.json beside it",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DENSE",
        help="the dense checkpoint: recompute from it, and compare bit for bit",
    )
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON; - is stdout")
    parser.add_argument("--html", metavar="FILE", help="write it as one page of HTML")
    parser.add_argument("--jobs", type=positive, help="processes; default: one per core")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="the workers of a dask scheduler, in place of --jobs"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    files = (options.json, options.html)
    for destination in files:
        check_writable(destination)
    with BytesBar("inspecting") as bar:
        inspection = inspect_checkpoint(
            options.checkpoint,
            options.against,
            jobs=options.jobs or _jobs(options.checkpoint),
            scheduler=options.scheduler,
            watch=bar.watch,
        )
    print_inspection(inspection, console(sys.stderr if "-" in files else sys.stdout))
    if options.json is not None:
        write_json(inspection_to_json(inspection), options.json)
    if options.html is not None:
        write_text(inspection_to_html(inspection), options.html)
    return inspection.exit_code


def _jobs(path: Path) -> int:
    """One process per core, but one alone for what is over in a second."""
    files = [path] if path.is_file() else path.glob("*.safetensors")
    nbytes = sum(file.stat().st_size for file in files)
    return 1 if nbytes < 1 << 28 else os.cpu_count() or 1
