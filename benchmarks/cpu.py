"""Seconds from a bfloat16 weight to its checkpoint tensors, on the CPU, beside upstream's.

Each preset is run by `qparity.reference`, by the `torch:cpu` backend and by compressed-tensors, in
turn, round after round: range and qparams of the weight, then `compress`. Before anything is timed,
the tensors of the three must be equal, bit for bit. A ratio above 1 means faster than upstream.
"""

import argparse
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.compressors.format import infer_module_format
from compressed_tensors.quantization.quant_scheme import preset_name_to_scheme as upstream_preset
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam
from rich.console import Console
from rich.table import Table

from qparity import __version__, reference
from qparity.backends import load_backend

PRESETS = (
    *("FP8", "FP8_DYNAMIC", "FP8_BLOCK", "NVFP4A16", "MXFP4A16", "MXFP6A16", "MXFP8A16"),
    *(f"W{bits}A16" for bits in range(2, 9)),
    *("W4A16_ASYM", "W8A8"),
)
UPSTREAM = "compressed-tensors"
RESULTS = Path(__file__).parent / "results" / "cpu.md"
MULTIPLE = 128  # of the rows and columns: the largest group and block of the presets

Tensors = Mapping[str, Any]
Contestants = Mapping[str, Callable[[], Tensors]]


@dataclass(frozen=True, slots=True)
class Result:
    """The seconds of every round, by contestant."""

    preset: str
    seconds: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        """The median of a contestant's rounds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str) -> float:
        """How many times faster than upstream: the median of the ratios within each round."""
        rounds = zip(self.seconds[UPSTREAM], self.seconds[name], strict=True)
        return statistics.median(upstream / ours for upstream, ours in rounds)


def house(verbs: Any, weight: Any, preset: str) -> Tensors:  # noqa: ANN401 - any backend's array
    """The checkpoint tensors, by the reference or a backend."""
    scheme = reference.preset_name_to_scheme(preset)
    args = scheme.weights
    assert args is not None
    low, high = verbs.minmax(weight, args)
    tensors = {"weight": weight}
    if args.strategy == "tensor_group":
        whole = replace(args, strategy="tensor", group_size=None)
        tensors["weight_global_scale"] = verbs.generate_gparam(*verbs.minmax(weight, whole))
    scale, zero_point = verbs.calculate_qparams(low, high, args, tensors.get("weight_global_scale"))
    tensors |= {"weight_scale": scale, "weight_zero_point": zero_point}
    compressed: Tensors = verbs.compress(tensors, scheme)
    return compressed


def upstream(weight: torch.Tensor, preset: str) -> Tensors:
    """The checkpoint tensors, by compressed-tensors; the range is torch's, it has none itself."""
    scheme = upstream_preset(preset, ["Linear"])
    args, tensors = scheme.weights, {"weight": weight}
    low, high = upstream_range(weight, args)
    if args.strategy == "tensor_group":
        whole = (value.reshape(1) for value in torch.aminmax(weight))
        tensors["weight_global_scale"] = generate_gparam(*whole)
    scale, zero_point = calculate_qparams(low, high, args, tensors.get("weight_global_scale"))
    tensors |= {"weight_scale": scale, "weight_zero_point": zero_point}
    compressor = BaseCompressor.get_value_from_registry(
        infer_module_format(torch.nn.Linear, scheme).value
    )
    compressed: Tensors = compressor.compress(tensors, scheme)
    return compressed


def upstream_range(weight: torch.Tensor, args: Any) -> Sequence[torch.Tensor]:  # noqa: ANN401
    """The smallest and largest values, over the elements that share a scale."""
    if args.strategy == "tensor":
        return [value.reshape(1) for value in torch.aminmax(weight)]
    if args.strategy == "channel":
        return weight.amin(-1, keepdim=True), weight.amax(-1, keepdim=True)
    if args.strategy == "block":
        rows, cols = args.block_structure
        blocks = weight.unflatten(1, (-1, cols)).unflatten(0, (-1, rows))
        return blocks.amin((1, 3)), blocks.amax((1, 3))
    groups = weight.unflatten(-1, (-1, args.group_size))
    return groups.amin(-1), groups.amax(-1)


def contestants(weight: npt.NDArray[Any], preset: str) -> Contestants:
    """What is run and timed, by name; each has the weight as its own array already."""
    torch_cpu = load_backend("torch:cpu")
    tensor = torch_cpu.from_numpy(weight)
    return {
        UPSTREAM: lambda: upstream(tensor, preset),
        "reference": lambda: house(reference, weight, preset),
        "torch:cpu": lambda: house(torch_cpu, tensor, preset),
    }


def require_equal_bits(preset: str, runs: Contestants) -> None:
    """Run every contestant once; stop unless they return the same bits."""
    to_numpy = load_backend("torch:cpu").to_numpy
    expected: dict[str, object] = {}
    for name, run in runs.items():
        arrays = {
            key: value if isinstance(value, np.ndarray) else to_numpy(value)
            for key, value in run().items()
        }
        found = {key: (a.dtype.name, a.shape, a.tobytes()) for key, a in arrays.items()}
        expected = expected or dict(found)
        differing = sorted(key for key in expected | found if expected.get(key) != found.get(key))
        if differing:
            sys.exit(f"{preset}: {name} and {UPSTREAM} differ in {', '.join(differing)}")


def measure(preset: str, runs: Contestants, repeat: int) -> Result:
    """Time the contestants in turn, each round beginning with the next of them."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for turn in range(repeat):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - start)
    return Result(preset, seconds)


def environment() -> str:
    """The versions and threads that the figures depend on."""
    packages = ("numpy", "ml_dtypes", "torch", UPSTREAM)
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{_processor()}, {os.cpu_count()} CPUs; Python {platform.python_version()}, "
        f"qparity {__version__}, {versions}; "
        f"threads: reference 1, torch:cpu and {UPSTREAM} {torch.get_num_threads()}"
    )


def rows_of_table(results: Sequence[Result]) -> list[list[str]]:
    """The header, then a row for each preset."""
    ours = ("reference", "torch:cpu")
    header = ["preset", "upstream, s"]
    header += [f"{name}, {unit}" for name in ours for unit in ("s", "ratio")]
    body = [
        [r.preset, f"{r.median(UPSTREAM):.3f}"]
        + [text for name in ours for text in (f"{r.median(name):.3f}", f"{r.ratio(name):.2f}")]
        for r in results
    ]
    return [header, *body]


def markdown(table: Sequence[Sequence[str]], title: str, command: str) -> str:
    """The table as a document that says how it was made."""
    lines = [f"| {' | '.join(row)} |" for row in table]
    lines.insert(1, f"| --- |{' ---: |' * (len(table[0]) - 1)}")
    doc = " ".join((__doc__ or "").split())
    return "\n".join(
        ["# CPU", "", doc, "", f"    {command}", "", f"{title}. {environment()}.", "", *lines, ""]
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=4096, help="of the weight; default 4096")
    parser.add_argument("--cols", type=int, default=4096, help="of the weight; default 4096")
    parser.add_argument("--repeat", type=int, default=5, help="rounds after the first; default 5")
    parser.add_argument("--threads", type=int, help="of torch; default: torch's own choice")
    parser.add_argument(
        "--preset", action="append", choices=PRESETS, help="only this one; may be repeated"
    )
    parser.add_argument(
        "--out", nargs="?", type=Path, const=RESULTS, help="write Markdown; default results/cpu.md"
    )
    arguments = parser.parse_args()
    for name in ("rows", "cols"):
        if (value := getattr(arguments, name)) < MULTIPLE or value % MULTIPLE:
            parser.error(f"--{name}: {value} is not allowed; allowed: a multiple of {MULTIPLE}")
    for name in ("repeat", "threads"):
        if (value := getattr(arguments, name)) is not None and value < 1:
            parser.error(f"--{name}: {value} is not allowed; allowed: 1 and more")
    return arguments


def main() -> None:
    """Run the benchmark."""
    arguments, console = _arguments(), Console()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    shape = (arguments.rows, arguments.cols)
    normal = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    weight = (normal * np.float32(0.02)).astype(ml_dtypes.bfloat16)
    results = []
    for preset in arguments.preset or PRESETS:
        runs = contestants(weight, preset)
        with console.status(preset):
            require_equal_bits(preset, runs)
            results.append(measure(preset, runs, arguments.repeat))
    title = f"bfloat16 {shape[0]} x {shape[1]}, median of {arguments.repeat} rounds"
    header, *body = rows_of_table(results)
    table = Table(title=title, caption=environment(), padding=0)
    for i, column in enumerate(header):
        table.add_column(column, justify="right" if i else "left")
    for row in body:
        table.add_row(*row)
    console.print(table)
    if arguments.out is not None:
        command = shlex.join(["python", "benchmarks/cpu.py", *sys.argv[1:]])
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(markdown([header, *body], title, command), encoding="utf-8")


if __name__ == "__main__":
    main()
