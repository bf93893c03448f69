"""Peak memory and seconds of a command on a sharded checkpoint of many gigabytes, made here.

The layers have the shapes of a language model of 8 billion parameters; every layer repeats the
first. What is counted as memory is the sum of the peaks of all processes that the command has at a
time; the bytes of files that the system keeps in its cache are not.
"""

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt

from qparity import __version__, reference
from qparity.conformance.calibrate import calibrated
from qparity.conformance.compression.config import quantization_config
from qparity.conformance.compression.layout import Tensor, tag_of
from qparity.conformance.compression.shard import begin_shard, write_at
from qparity.reference import QuantizationScheme, infer_format, preset_name_to_scheme

Arrays = Mapping[str, npt.NDArray]
COMMANDS = {
    "inspect": ["inspect", "CHECKPOINT"],
    "compress": ["compress", "CHECKPOINT", "--scheme", "PRESET", "--out", "OUT"],
}
HIDDEN, INTERMEDIATE, VOCABULARY = 4096, 14336, 128256
MODULES = {
    **{f"self_attn.{name}_proj": (HIDDEN, HIDDEN) for name in "qo"},
    **{f"self_attn.{name}_proj": (HIDDEN // 4, HIDDEN) for name in "kv"},
    **{f"mlp.{name}_proj": (INTERMEDIATE, HIDDEN) for name in ("gate", "up")},
    "mlp.down_proj": (HIDDEN, INTERMEDIATE),
}


def module(shape: tuple[int, int], scheme: QuantizationScheme | None) -> Arrays:
    """The tensors of one module, dense or compressed."""
    rng = np.random.default_rng(shape[0])
    rows = min(shape[0], 1024)
    normal = rng.standard_normal((rows, shape[1]), np.float32) * np.float32(0.02)
    weight = np.tile(normal.astype(ml_dtypes.bfloat16), (shape[0] // rows, 1))
    if scheme is None or scheme.weights is None:
        return {"weight": weight}
    return reference.compress({"weight": weight, **calibrated(weight, scheme.weights)}, scheme)


def make(folder: Path, nbytes: int, shards: int, scheme: QuantizationScheme | None) -> int:
    """Write the checkpoint; the bytes of its tensors."""
    kinds = {shape: module(shape, scheme) for shape in set(MODULES.values())}
    layer = {
        f"{name}.{local}": array
        for name, shape in MODULES.items()
        for local, array in kinds[shape].items()
    }
    layer["input_layernorm.weight"] = np.ones(HIDDEN, ml_dtypes.bfloat16)
    ends = {"model.embed_tokens.weight": np.ones((VOCABULARY, HIDDEN), ml_dtypes.bfloat16)}
    each = sum(array.nbytes for array in layer.values())
    rest = nbytes - sum(array.nbytes for array in ends.values())
    layers = max(-(-rest // each), shards)
    weight_map, total = {}, 0
    for shard in range(shards):
        arrays = dict(ends) if shard == 0 else {}
        for n in range(layers * shard // shards, layers * (shard + 1) // shards):
            arrays |= {f"model.layers.{n}.{name}": array for name, array in layer.items()}
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        write(folder / name, arrays)
        weight_map |= dict.fromkeys(arrays, name)
        total += sum(array.nbytes for array in arrays.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {"architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True}
    if scheme is not None:
        ignore = ["model.embed_tokens", "lm_head"]
        found = quantization_config(scheme, infer_format(scheme), ignore)
        config["quantization_config"] = found
    (folder / "config.json").write_text(json.dumps(config))
    return total


def write(path: Path, arrays: Arrays) -> None:
    """One file of the checkpoint."""
    tensors = [Tensor(name, tag_of(array), array.shape) for name, array in arrays.items()]
    begins = begin_shard(path, tensors)
    descriptor = os.open(path, os.O_WRONLY)
    try:
        for name, array in arrays.items():
            write_at(descriptor, begins[name], np.ascontiguousarray(array).view(np.uint8).data)
    finally:
        os.close(descriptor)


def measure(command: list[str]) -> tuple[int, float, int]:
    """Exit code, seconds, and the largest sum of the peaks of its processes, in bytes."""
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, sum(peak_of(pid) for pid in descendants(process.pid)))
            time.sleep(0.02)
    return process.returncode, time.perf_counter() - start, peak


def descendants(pid: int) -> Iterator[int]:
    """A process and all that it started, directly or not."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from descendants(int(child))


def peak_of(pid: int) -> int:
    """The most memory that a process had, in bytes."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    """Make the checkpoint, run the command on it, and tell what it needed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--preset", default="W4A16", help="default: W4A16")
    parser.add_argument("--gb", type=float, default=16, help="of its tensors; default: 16")
    parser.add_argument("--shards", type=int, default=4, help="default: 4")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="default: one per core")
    parser.add_argument("--limit-gb", type=float, default=2, help="of memory; default: 2")
    parser.add_argument("--folder", type=Path, help="with the space; default: a temporary one")
    arguments = parser.parse_args()
    scheme = preset_name_to_scheme(arguments.preset)
    compressed = scheme if arguments.command == "inspect" else None
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="big-") as name:
        checkpoint = Path(name) / "checkpoint"
        checkpoint.mkdir()
        total = make(checkpoint, int(arguments.gb * 1e9), arguments.shards, compressed)
        values = {
            "CHECKPOINT": str(checkpoint),
            "PRESET": arguments.preset,
            "OUT": str(Path(name) / "out"),
        }
        words = [values.get(word, word) for word in COMMANDS[arguments.command]]
        words += ["--jobs", str(arguments.jobs)]
        code, seconds, peak = measure([sys.executable, "-m", "qparity.conformance", *words])
    print(f"    python benchmarks/big_checkpoint.py {shlex.join(sys.argv[1:])}\n")
    print(
        f"`qparity {arguments.command}`, {arguments.preset}, {arguments.shards} shards, "
        f"{total / 1e9:.1f} GB, --jobs {arguments.jobs}: exit {code}, {seconds:.0f} s, "
        f"{total / seconds / 1e6:.0f} MB/s, peak {peak / 1e9:.2f} GB of memory."
    )
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs; Python {platform.python_version()}, "
        f"qparity {__version__}, numpy {np.__version__}, ml_dtypes {ml_dtypes.__version__}"
    )
    return 0 if code == 0 and peak < arguments.limit_gb * 1e9 else 1


if __name__ == "__main__":
    sys.exit(main())
