"""``qparity compress``: a dense checkpoint to a compressed one."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..checkpoint import open_checkpoint
from ..compression import compress_checkpoint
from ..scheme_file import load_scheme
from .bytes_bar import BytesBar
from .console import speaker
from .verify import positive

_EXIT_CODES = "exit codes: 0 written, 2 bad usage or input, and nothing is written"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "compress",
        help="write a compressed checkpoint, qparams by min/max",
        description="Compress a dense checkpoint: scales and zero-points by the minimum and "
        "maximum of each weight, and the folder in its place in one step.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument(
        "dense",
        type=Path,
        metavar="DENSE",
        help="a safetensors file, or a folder with model.safetensors or an index of shards",
    )
    parser.add_argument("--scheme", required=True, metavar="PRESET|FILE.json[:GROUP]")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--target",
        dest="targets",
        action="append",
        metavar="NAME|re:EXPRESSION",
        help="only these modules; may be given again; default: those of the scheme, and Linear "
        "is every 2-D weight but embeddings and lm_head",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="NAME|re:EXPRESSION",
        help="not these modules; may be given again",
    )
    parser.add_argument("--force", action="store_true", help="replace the checkpoint in DIR")
    parser.add_argument("--jobs", type=positive, help="processes; default: one per core")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of dask.distributed: its workers do the work, on the same files by the same names",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    _, scheme = load_scheme(options.scheme)
    if options.targets:
        scheme = replace(scheme, targets=tuple(options.targets))
    checkpoint = open_checkpoint(options.dense.absolute() if options.scheduler else options.dense)
    with BytesBar("compressing") as bar:
        written = compress_checkpoint(
            checkpoint,
            scheme,
            options.out,
            ignore=options.ignore,
            force=options.force,
            jobs=options.jobs or _jobs(sum(entry.nbytes for entry in checkpoint.entries.values())),
            scheduler=options.scheduler,
            watch=bar.watch,
        )
    say = speaker()
    say(
        f"WRITTEN {options.out}: {written.format}, {written.modules:,} modules compressed, "
        f"{written.copied:,} tensors as they were, {written.before:,} -> {written.after:,} bytes"
    )
    for pattern in written.ignored:
        say(f"  ignored: {pattern}")
    inputs = scheme.input_activations
    if inputs is not None and inputs.dynamic is not True:
        say("  no scales of the inputs: they need data, and readers start from their own")
    return 0


def _jobs(nbytes: int) -> int:
    """One process per core, but one alone for what is over in a second."""
    return 1 if nbytes < 1 << 26 else min(os.cpu_count() or 1, 8)
