"""The fused kernels against a device copy of as many bytes, in one run on one GPU.

``python benchmarks/cuda.py [--sizes 8192] [--peers] [--out FILE.md]``. Each row is the median time
of many calls; its bandwidth counts every input byte once (twice where a scale is of the whole
tensor, so that it is read before it is used) and every output byte once.
"""

import argparse
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import triton
from triton.testing import do_bench, do_bench_cudagraph

from qparity.backends import load_backend
from qparity.reference import preset_name_to_scheme

PRESETS = (
    *("FP8", "FP8_DYNAMIC", "FP8_BLOCK", "W8A8", "MXFP8A16", "MXFP6A16", "MXFP4A16", "NVFP4A16"),
    *("W4A16", "W4A16_ASYM", "W2A16", "W3A16", "W5A16", "W6A16", "W7A16", "W8A16"),
)
ACTIVATIONS = {"FP8_DYNAMIC": "token", "FP8_BLOCK": "group", "W8A8": "token"}
TWICE = ("tensor", "tensor_group")


@dataclass(frozen=True)
class Row:
    """One measurement: what, of which dtype and size, its bytes, microseconds, part of copy."""

    what: str
    dtype: str
    rows: int
    cols: int
    megabytes: float
    microseconds: float
    of_copy: float
    peer: float | None = None


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[8192])
    parser.add_argument("--dtypes", nargs="*", default=["bfloat16"])
    parser.add_argument("--presets", nargs="*", default=list(PRESETS))
    parser.add_argument("--peers", action="store_true", help="compressed-tensors beside")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for size in options.sizes:
        for dtype in options.dtypes:
            for row in measured(size, getattr(torch, dtype), options.presets, options.peers):
                rows.append(row)
                print(line(row), flush=True)
    if options.out:
        options.out.write_text(table(rows))


def measured(size: int, dtype: torch.dtype, presets: list[str], peers: bool) -> Iterator[Row]:
    """The rows of one size and dtype."""
    backend: Any = load_backend("triton:cuda")
    weight = torch.randn(size, size, device="cuda").mul_(0.02).to(dtype)
    name = str(dtype).removeprefix("torch.")

    def row(what: str, call: Callable[[], object], moved: int, peer: float | None = None) -> Row:
        time = 1000 * do_bench_cudagraph(call, rep=40, return_mode="median")
        of_copy = copy_time(moved) / time
        ratio = None if peer is None else peer / time
        return Row(what, name, size, size, moved / 1e6, time, of_copy, ratio)

    for preset in presets:
        scheme = preset_name_to_scheme(preset)
        args = scheme.weights
        assert args is not None
        given = {"weight": weight}
        stored = backend.compress(given, scheme)
        sent = bytes_of(weight) * (2 if args.strategy in TWICE else 1)
        peer = peer_time(weight, preset) if peers else None
        moved = sent + sum(map(bytes_of, stored.values()))
        yield row(f"compress {preset}", partial(backend.compress, given, scheme), moved, peer)
        restored = backend.decompress(stored, scheme)["weight"]
        moved = bytes_of(restored) + sum(map(bytes_of, stored.values()))
        yield row(f"decompress {preset}", partial(backend.decompress, stored, scheme), moved)
        if preset in ACTIVATIONS and scheme.input_activations is not None:
            inputs = scheme.input_activations
            made = backend.quantize_dynamic(weight, inputs)
            moved = bytes_of(weight) + sum(map(bytes_of, made[:2]))
            call = partial(backend.quantize_dynamic, weight, inputs)
            yield row(f"quantize_dynamic {preset}", call, moved)
    if backend.fallbacks:
        print(f"by eager torch: {dict(backend.fallbacks)}")


def copy_time(moved: int) -> float:
    """Microseconds of a device copy that reads and writes ``moved`` bytes in all."""
    # whole vectors: a copy of an odd number of bytes is slower, and would flatter the kernels
    count = max(1, round(moved / 2 / 2**14)) * 2**14
    source = torch.empty(count // 4, dtype=torch.float32, device="cuda")
    target = torch.empty_like(source)
    time = 1000 * do_bench_cudagraph(lambda: target.copy_(source), rep=40, return_mode="median")
    return time * moved / (2 * count)


def peer_time(weight: torch.Tensor, preset: str) -> float | None:
    """Microseconds of the same by compressed-tensors: qparams, quantize, pack."""
    try:
        peer: Any = load_backend("compressed_tensors:cuda")
    except ValueError:
        return None
    scheme = preset_name_to_scheme(preset)
    args = scheme.weights
    assert args is not None
    eager: Any = load_backend("torch:cuda")

    def call() -> object:
        state = {"weight": weight}
        whole = None
        if args.strategy == "tensor_group":
            whole = peer.generate_gparam(weight.amin().reshape(1), weight.amax().reshape(1))
            state["weight_global_scale"] = whole
        ranges = eager.minmax(weight, args)
        scale, zero_point = peer.calculate_qparams(*ranges, args, whole)
        state |= {"weight_scale": scale, "weight_zero_point": zero_point}
        return peer.compress(state, scheme)

    try:
        call()
    except Exception as error:  # noqa: BLE001 - what the peer cannot do has no time
        print(f"compressed-tensors, {preset}: {type(error).__name__}: {str(error)[:80]}")
        return None
    return 1000 * do_bench(call, warmup=5, rep=20, return_mode="median")


def bytes_of(tensor: torch.Tensor) -> int:
    """Its elements in bytes."""
    return tensor.numel() * tensor.itemsize


def line(row: Row) -> str:
    """A row as a line of a Markdown table."""
    peer = "" if row.peer is None else f"{row.peer:.0f} x"
    return (
        f"| {row.what} | {row.dtype} | {row.rows} x {row.cols} | {row.megabytes:.1f} "
        f"| {row.microseconds:.1f} | {row.of_copy:.2f} | {peer} |"
    )


def table(rows: list[Row]) -> str:
    """All rows, with the machine they were measured on."""
    head = (
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, triton {triton.__version__}, "
        f"python {platform.python_version()}.\n\n"
        "| what | dtype | shape | MB moved | microseconds | of copy | over compressed-tensors |\n"
        "|---|---|---|---:|---:|---:|---:|\n"
    )
    return head + "".join(line(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
