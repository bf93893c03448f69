"""The checkpoints that compressed-tensors wrote: their files again, and their weights."""

from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.torch import load_file, save

from qparity import reference
from qparity.reference import QuantizationScheme, preset_name_to_scheme

from .line import Proof, Tally
from .steps import Tensors, compressed

ROOT = Path(__file__).resolve().parents[2]
DENSE = ROOT / "conformance" / "samples" / "dense.safetensors"
GOLDEN = ROOT / "tests" / "peers" / "golden"


def goldens(proof: Proof, folder: Path = GOLDEN) -> None:
    """Each file byte for byte, by both backends, and its weight decompressed, of the reference."""
    name, weight = next(iter(load_file(DENSE, device=proof.device).items()))
    module = name.removesuffix("weight")
    for golden in sorted(path for path in folder.iterdir() if path.is_dir()):
        if proof.tiny and golden.name != "NVFP4":
            continue
        scheme = preset_name_to_scheme(golden.name)
        path = golden / "model.safetensors"
        with proof.line(f"golden {golden.name}: its file, byte for byte, and its weight") as tally:
            ours = tally.call("compress", {"weight": weight}, scheme)
            _same_file(tally, path, module, ours, "triton")
            _same_file(tally, path, module, compressed(proof.eager, weight, scheme), "torch")
            _decompressed(proof, tally, path, module, scheme)


def _same_file(tally: Tally, path: Path, module: str, tensors: Tensors, label: str) -> None:
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    named = {module + name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    files = (path.read_bytes(), save(named, metadata))
    expected, actual = (np.frombuffer(data, np.uint8) for data in files)
    tally.same(expected, actual, f"file {label}")


def _decompressed(
    proof: Proof, tally: Tally, path: Path, module: str, scheme: QuantizationScheme
) -> None:
    stored = {
        name.removeprefix(module): tensor
        for name, tensor in load_file(path, device=proof.device).items()
    }
    arrays = {name: proof.eager.to_numpy(tensor) for name, tensor in stored.items()}
    expected = reference.decompress(arrays, scheme)
    tally.same(expected, tally.call("decompress", stored, scheme), "weight triton")
    tally.same(expected, proof.eager.decompress(stored, scheme), "weight torch")
