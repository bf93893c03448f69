"""``qparity plot``: pictures of formats, schemes, tensors and backends."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from qparity.reference import (
    PRESET_SCHEMES,
    FloatFormat,
    FormatArgs,
    IntFormat,
    QuantizationArgs,
    QuantizationScheme,
)
from qparity.reference.format_args import NAMED_FORMATS

from .. import pictures
from ..bits import Array
from ..compare import find_difference
from ..guard import CASE_TIMEOUT, guarded
from ..pictures.canvas import check_path
from ..scheme_file import (
    SCHEME,
    load_object,
    load_scheme,
    name_apart,
    short_name,
    short_names,
)
from ..weights import SAMPLE, matrices, read_tensors
from .aside import speaking_aside
from .console import allow_negative_numbers
from .load import load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDES = ("weights", "input_activations", "output_activations")
_DTYPES = ("float32", "bfloat16", "float16")


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "plot",
        help="draw a format, a scheme, a tensor, or where two differ",
        epilog="exit codes: 0 drawn, 2 bad usage or input",
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")

    def kind(name: str, what: str, draw: Callable[[argparse.Namespace], "Figure"]) -> Any:  # noqa: ANN401 - as above
        found = kinds.add_parser(name, help=what, description=what)
        found.add_argument("--out", type=Path, required=True, metavar="FILE.png|svg")
        found.set_defaults(run=run, draw=draw)
        allow_negative_numbers(found)
        return found

    line = kind("number-line", "the values of a format and their gaps", _number_line)
    line.add_argument(
        "format",
        metavar="FORMAT|SCHEME|FILE.py:NAME",
        help="float4_e2m1fn, int4 and so on; the codes of a scheme; or a format of one's own",
    )
    stairs = kind("staircase", "what a scheme makes of each number, and the error", _staircase)
    stairs.add_argument("scheme", metavar=SCHEME)
    stairs.add_argument(
        "--range",
        nargs=2,
        type=float,
        default=(-1.0, 1.0),
        metavar=("LOW", "HIGH"),
        help="of the unit; default: -1 1",
    )
    error = kind("error", "relative error against magnitude", _error)
    error.add_argument("schemes", nargs="+", metavar=SCHEME)
    codes = kind("histogram", "a tensor against the codes that it uses", _histogram)
    codes.add_argument("scheme", metavar=SCHEME)
    codes.add_argument(
        "--weights",
        type=Path,
        default=SAMPLE,
        metavar="FILE.safetensors",
        help="default: the sample that comes along",
    )
    codes.add_argument("--tensor", metavar="NAME", help="default: the first matrix")
    scales = kind("scales", "the scales of units beside those asked for, by their range", _scales)
    scales.add_argument("schemes", nargs="+", metavar=SCHEME)
    scales.add_argument(
        "--tensor",
        type=float,
        default=1.0,
        metavar="LARGEST",
        help="the largest number of the tensor that the units are of; default: 1",
    )
    two = kind("schemes", "which of two schemes is nearer, by value and range", _schemes)
    two.add_argument("schemes", nargs=2, metavar=SCHEME)
    differ = kind("backends", "where the codes of two backends differ, by tie and scale", _backends)
    differ.add_argument("scheme", metavar=SCHEME)
    differ.add_argument("backends", nargs=2, metavar="BACKEND")
    differ.add_argument("--dtype", choices=_DTYPES, default="float32", help="default: float32")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_path(options.out)
    pictures.save(options.draw(options), options.out)
    return 0


def _number_line(options: argparse.Namespace) -> "Figure":
    name = options.format
    row: object = NAMED_FORMATS.get(name)
    named = ".json" not in name and (":" in name or name.endswith(".py"))
    if row is None and ":" in name and named:
        row = load_object(name, FloatFormat, IntFormat, QuantizationArgs, QuantizationScheme)
    if not isinstance(row, FloatFormat | IntFormat):
        if not named and ".json" not in name and name.upper() not in PRESET_SCHEMES:
            formats = ", ".join(key for key, row in NAMED_FORMATS.items() if row.bits <= 8)
            raise ValueError(
                f"format: {name!r} is unknown; allowed: {formats}, a preset, FILE.json, "
                "FILE.py:NAME"
            )
        row = _args_of(name)[1].code_format
    return pictures.number_line(row)


def _staircase(options: argparse.Namespace) -> "Figure":
    name, args = _args_of(options.scheme)
    low, high = options.range
    return pictures.staircase(args, name=name, low=low, high=high)


def _error(options: argparse.Namespace) -> "Figure":
    return pictures.relative_error(dict(_named(options.schemes)))


def _histogram(options: argparse.Namespace) -> "Figure":
    name, args = _args_of(options.scheme)
    found = matrices(read_tensors(options.weights))
    tensor = options.tensor or next(iter(sorted(found)), None)
    if tensor not in found:
        allowed = ", ".join(sorted(found)[:8]) or "a file with a 2-D float tensor"
        raise ValueError(f"tensor: {tensor!r} is not in {options.weights}; allowed: {allowed}")
    return pictures.histogram(found[tensor], args, name=name, of=tensor.removesuffix(".weight"))


def _scales(options: argparse.Namespace) -> "Figure":
    return pictures.scales(dict(_named(options.schemes)), tensor=options.tensor)


def _schemes(options: argparse.Namespace) -> "Figure":
    first, second = _named(options.schemes)
    return pictures.schemes(first, second)


def _backends(options: argparse.Namespace) -> "Figure":
    scheme, args = _args_of(options.scheme)
    dtype = np.dtype(getattr(ml_dtypes, options.dtype, options.dtype))
    plain = _per_row(args)
    first, second = ((name, _codes(name, plain, scheme)) for name in options.backends)
    with speaking_aside():
        return pictures.backends(first, second, plain, dtype)


def _codes(name: str, args: QuantizationArgs, scheme: str) -> Callable[[Array, Array], Array]:
    """What a backend makes of x and scale; no answer, or another kind of one, is a ValueError."""
    with speaking_aside():
        backend: Any = guarded(load(name), CASE_TIMEOUT)
    if getattr(backend, "quantize", None) is None:
        raise ValueError(f"backend: {name!r} has no quantize; allowed: one that has")

    def codes(x: Array, scale: Array) -> Array:
        asked = f"backend: {name!r} on {scheme} in {x.dtype.name}, a scale for each row"
        try:
            native = backend.from_numpy(x), backend.from_numpy(scale)
            found = backend.to_numpy(backend.quantize(*native, None, args))
        except (Exception, SystemExit) as error:
            message = f"{asked}: raised {type(error).__name__}: {error}"
            raise ValueError(f"{message}; allowed: a backend that quantizes it") from error
        difference = find_difference(x, found)
        if difference is not None and difference.reason != "bits":
            raise ValueError(f"{asked}: {difference.detail}; allowed: codes in the dtype of x")
        return np.asarray(found)

    return codes


def _per_row(args: QuantizationArgs) -> QuantizationArgs:
    """The same codes with one scale a row."""
    if isinstance(args, FormatArgs):
        row = args.code_format
        return FormatArgs(code_format=row, strategy="channel", symmetric=row.min < 0)
    return QuantizationArgs(num_bits=args.num_bits, type=args.type, strategy="channel")


def _named(names: Iterable[str]) -> list[tuple[str, QuantizationArgs]]:
    """Schemes by names as short as tell them apart, and their args."""
    found: dict[str, QuantizationArgs] = {}
    keys = []
    for name in names:
        shown, args = _full(name)
        keys.append(name_apart(found, shown, name, args))
        found[keys[-1]] = args
    short = short_names(found)
    return [(short[key], found[key]) for key in keys]


def _args_of(name: str) -> tuple[str, QuantizationArgs]:
    """The short name and the args of a scheme."""
    shown, args = _full(name)
    return short_name(shown), args


def _full(name: str) -> tuple[str, QuantizationArgs]:
    """The name and the args of the first side that a scheme quantizes."""
    shown, scheme = load_scheme(name)
    for side in _SIDES:
        args = getattr(scheme, side)
        if isinstance(args, QuantizationArgs):
            return shown, args
    raise ValueError(f"scheme: {name!r} quantizes nothing; allowed: one that does")
