"""``qparity explain``: every step from a value to its code, with bits and roundings."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs, QuantizationScheme

from ..explanation import Parting, lines_of, of_texts, of_weights, part_from, to_json, trace
from ..explanation.steps import Tensor
from ..explanation.storage import storage_of
from ..guard import CASE_TIMEOUT, guarded
from ..scheme_file import SCHEME, load_scheme
from ..verdict import VERDICTS
from .aside import speaking_aside
from .console import allow_negative_numbers, check_writable, console, write_json
from .load import load

_SIDES = ("weights", "input_activations", "output_activations")
_DTYPES = {
    name: np.dtype(getattr(ml_dtypes, name, name))
    for name in ("bfloat16", "float16", "float32", "float64")
}
_NOT_STORED = "no checkpoint format holds these codes: what is stored is left out"
_EXIT_CODES = (
    "exit codes: 0 explained, 1 the backend of --diff differs, 2 bad usage or input, "
    "5 it has none of the operations, or declines them"
)


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "explain",
        help="show every step from values to codes, with bits and roundings",
        description="Every step from numbers to codes, to bytes and back, with bits and roundings.",
        epilog=_EXIT_CODES,
    )
    allow_negative_numbers(parser)
    parser.add_argument("scheme", metavar=SCHEME)
    values = parser.add_argument(
        "values",
        nargs="+",
        default=[],
        metavar="VALUE",
        help="0.3, 1e-5, 0x1.8p-2, inf, nan: of one row",
    )
    # none with --weights; "*" would match nothing before an option, and so none after it
    values.required = False
    parser.add_argument("--dtype", choices=_DTYPES, help="of the values; default: bfloat16")
    parser.add_argument("--side", choices=_SIDES, help="of the scheme; default: the first it has")
    parser.add_argument(
        "--weights", type=Path, metavar="FILE.safetensors", help="explain a row of a tensor of it"
    )
    parser.add_argument("--tensor", metavar="NAME", help="its name; default: the only matrix")
    parser.add_argument("--row", type=int, help="of it; default: 0")
    parser.add_argument(
        "--columns", type=_columns, metavar="FIRST:LAST", help="without LAST itself; default: 0:4"
    )
    parser.add_argument("--compute-dtype", choices=["float32"], help="the rule of fused kernels")
    parser.add_argument("--diff", metavar="BACKEND", help="the first step at which it differs")
    parser.add_argument("--json", metavar="FILE", help="write the steps as JSON; - is stdout")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_writable(options.json)
    name, scheme = load_scheme(options.scheme)
    side, args = _side(scheme, options.side)
    compute_dtype = None if options.compute_dtype is None else np.dtype(np.float32)
    storage = storage_of(scheme) if side == "weights" else None
    found = trace(
        _tensor(options, args),
        args,
        name=f"{name} {side}",
        storage=storage,
        compute_dtype=compute_dtype,
    )
    if side == "weights" and storage is None:
        found = replace(found, note=_NOT_STORED)
    parting: Parting | None = None
    if options.diff is not None:
        with speaking_aside():
            backend = guarded(load(options.diff), CASE_TIMEOUT)
            parting = part_from(found, backend, options.diff, compute_dtype)
    out = console(sys.stderr if options.json == "-" else sys.stdout)
    for line in lines_of(found, None if parting is None else parting.divergence):
        out.print(line, soft_wrap=True)
    if parting is not None:
        last = f"\n{VERDICTS[parting.exit_code]}: {options.diff}: {parting}"
        out.print(last, markup=False, highlight=False, soft_wrap=True)
    if options.json is not None:
        write_json(to_json(found, parting), options.json)
    return 0 if parting is None else parting.exit_code


def _tensor(options: argparse.Namespace, args: QuantizationArgs) -> Tensor:
    dtype = None if options.dtype is None else _DTYPES[options.dtype]
    if options.weights is None:
        for name in ("tensor", "row", "columns"):
            if getattr(options, name) is not None:
                raise ValueError(f"{name}: not allowed without --weights; allowed: with it")
        return of_texts(options.values, dtype or _DTYPES["bfloat16"], args)
    if options.values:
        raise ValueError("VALUE: not allowed with --weights; allowed: one of the two")
    columns = slice(0, 4) if options.columns is None else options.columns
    return of_weights(options.weights, options.tensor, options.row or 0, columns, dtype)


def _side(scheme: QuantizationScheme, asked: str | None) -> tuple[str, QuantizationArgs]:
    present = [side for side in _SIDES if getattr(scheme, side) is not None]
    side = asked or (present[0] if present else "weights")
    if side not in present:
        allowed = ", ".join(present) or "a scheme that quantizes something"
        raise ValueError(f"side: {side!r} is not quantized by the scheme; allowed: {allowed}")
    args = getattr(scheme, side)
    assert isinstance(args, QuantizationArgs)
    return side, args


def _columns(text: str) -> slice:
    first, colon, last = text.partition(":")
    if not (first or "0").isdecimal() or not (last or "0").isdecimal() or not colon:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed; allowed: FIRST:LAST, such as 0:4, 8: or :4"
        )
    return slice(int(first or 0), int(last) if last else None)
