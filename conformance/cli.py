"""The command ``qparity`` (SPEC section 12)."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from qparity.backends import load_backend

from .case import Unsupported, run_case
from .case_file import load_case
from .explain_case import Counterexample, lines_of
from .operations import public_operations
from .report import print_report, report_to_json
from .scheme_file import load_schemes
from .verify import LEVELS, Step, verify
from .weights import matrices, read_tensors

_BAD_USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qparity")
def cli() -> None:
    """A golden reference for quantization math, and a judge of backends.

    Exit codes: 0 all equal, 1 a difference, 2 bad usage or unreadable input, 5 nothing was run.
    """


@cli.command("verify")
@click.argument("backend")
@click.option("--level", type=click.Choice(LEVELS), default="quick", show_default=True)
@click.option("--op", "operations", multiple=True, metavar="NAME", help="Only this operation.")
@click.option("--scheme", "schemes", multiple=True, metavar="PRESET|FILE.json", help="Only its args.")
@click.option("--compute-dtype", type=click.Choice(["float32"]), help="The rule of fused kernels.")
@click.option("--weights", metavar="FILE.safetensors", help="Run weight presets over its tensors.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "json_path", metavar="FILE", help="Write the report as JSON; - for stdout.")
def verify_command(
    backend: str,
    level: str,
    operations: tuple[str, ...],
    schemes: tuple[str, ...],
    compute_dtype: str | None,
    weights: str | None,
    seed: int,
    json_path: str | None,
) -> int:
    """Hold BACKEND to the reference, bit for bit.

    BACKEND is numpy, torch:cpu, torch:cuda, package.module or package.module:object.
    """
    tensors = None if weights is None else read_tensors(Path(weights))
    if tensors is not None and not matrices(tensors):
        raise ValueError(f"weights: {weights} has no 2-D float tensor; allowed: one at least")
    report = verify(
        load_backend(backend),
        name=backend,
        level=level,
        operations=operations,
        schemes=load_schemes(schemes) if schemes else None,
        compute_dtype=None if compute_dtype is None else np.dtype(np.float32),
        weights=tensors,
        seed=seed,
        track=_progress,
    )
    console = Console(file=sys.stderr if json_path == "-" else sys.stdout)
    print_report(report, console)
    if json_path is not None:
        _write_json(report_to_json(report), json_path)
    return report.exit_code


@cli.command("replay")
@click.argument("case_file")
@click.option("--backend", required=True)
def replay_command(case_file: str, backend: str) -> int:
    """Run one case file on a backend, and show both answers if they differ."""
    case = load_case(Path(case_file))
    try:
        expected, actual, difference = run_case(case, load_backend(backend))
    except Unsupported as error:
        click.echo(f"UNSUPPORTED {case.op}: {error}")
        return 5
    if difference is None:
        click.echo(f"PASS {case.op} {case.label}: equal")
        return 0
    click.echo(f"FAIL {case.op} {case.label}")
    for line in lines_of(Counterexample(case, expected, actual, difference)):
        click.echo(f"  {line}")
    return 1


@cli.command("operations")
def operations_command() -> int:
    """List the operations that a backend may have."""
    for name in public_operations():
        click.echo(name)
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code; bad input is one line on standard error."""
    try:
        code = cli.main(args=arguments, prog_name="qparity", standalone_mode=False)
    except click.ClickException as error:
        _complain(error.format_message())
        sys.exit(_BAD_USAGE)
    except click.Abort:
        sys.exit(130)
    except (ValueError, TypeError, OSError, ImportError) as error:
        _complain(str(error))
        sys.exit(_BAD_USAGE)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str) -> None:
    click.echo(f"qparity: {' '.join(message.split())}", err=True)


def _progress(steps: Sequence[Step]) -> Iterable[Step]:
    """The steps, with a bar on standard error and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        yield from progress.track(steps, description="checks")


def _write_json(data: dict[str, Any], destination: str) -> None:
    text = json.dumps(data, indent=1)
    if destination == "-":
        click.echo(text)
        return
    path = Path(destination)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text + "\n")
    temporary.replace(path)


