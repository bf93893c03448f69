"""What ``qparity compress`` writes is loaded and decompressed by upstream itself."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from compressed_tensors.entrypoints.convert.converters.ct_dequantizer import (
    CompressedTensorsDequantizer,
)
from safetensors.torch import load_file

from qparity import reference
from qparity.conformance.checkpoint import Checkpoint, open_checkpoint
from qparity.conformance.compression import compress_checkpoint
from qparity.reference import PRESET_SCHEMES, preset_name_to_scheme
from tests.conformance.checkpoint_files import model
from tests.peers.bits import Array, assert_same
from tests.peers.upstream import array

SHAPES = {
    **dict.fromkeys(("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), (128, 128)),
    "self_attn.o_proj": (128, 128),
    "mlp.gate_proj": (256, 128),
    "mlp.up_proj": (256, 128),
    "mlp.down_proj": (128, 256),
    "input_layernorm": (128,),
    "post_attention_layernorm": (128,),
}
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "tie_word_embeddings": True,
    "dtype": "bfloat16",
}
PRESETS = [name for name, preset in PRESET_SCHEMES.items() if "weights" in preset]
LOADED = ("W4A16_ASYM", "NVFP4", "MXFP4A16", "FP8_BLOCK")
LOAD = """
import hashlib, json, sys, warnings
import torch
from transformers import AutoModelForCausalLM
from transformers.utils.quantization_config import CompressedTensorsConfig
found = {}
for folder in sys.argv[1:]:
    config = CompressedTensorsConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, quantization_config=config
    )
    found[folder] = {
        name: hashlib.sha256(value.view(torch.int16).numpy().tobytes()).hexdigest()
        for name, value in model.state_dict().items()
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A language model of one layer in two shards, its output embedding that of the input."""
    rng = np.random.default_rng(0)
    layer = {f"model.layers.0.{name}.weight": shape for name, shape in SHAPES.items()}
    ends = {"model.embed_tokens.weight": (64, 128), "model.norm.weight": (128,)}
    folder = tmp_path_factory.mktemp("model")
    weight_map = {}
    for file, shapes in (("model-1.safetensors", layer), ("model-2.safetensors", ends)):
        arrays = {
            name: rng.standard_normal(shape).astype(ml_dtypes.bfloat16)
            for name, shape in shapes.items()
        }
        (folder / file).write_bytes(model(arrays))
        weight_map |= dict.fromkeys(arrays, file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return open_checkpoint(folder)


def decompressed(checkpoint: Checkpoint, preset: str) -> dict[str, Array]:
    """Every tensor of the model, weights by the reference."""
    scheme, found = preset_name_to_scheme(preset), {}
    for module in {name.rpartition(".")[0] for name in checkpoint.names}:
        prefix = f"{module}."
        names = [name for name in checkpoint.names if name.rpartition(".")[0] == module]
        state = {name.removeprefix(prefix): checkpoint.read(name) for name in names}
        if "weight_scale" in state:
            state = reference.decompress(state, scheme)
        found[f"{module}.weight"] = state["weight"]
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_upstream_decompresses_the_checkpoint(
    preset: str, dense: Checkpoint, tmp_path: Path
) -> None:
    """Of every preset upstream reads config and files, and gets the bits of the reference."""
    compress_checkpoint(dense, preset_name_to_scheme(preset), tmp_path / "out")
    out = open_checkpoint(tmp_path / "out")
    tensors = {name: x for shard in out.shards for name, x in load_file(shard).items()}
    dequantizer = CompressedTensorsDequantizer(str(tmp_path / "out"))
    theirs = dequantizer.validate(tensors)
    ours = decompressed(out, preset)
    assert set(ours) == set(theirs) == set(dense.names)
    for name, tensor in theirs.items():
        assert_same(ours[name], array(tensor), name=name)


def test_transformers_loads_the_checkpoint(dense: Checkpoint, tmp_path: Path) -> None:
    """A model made from the folder by its config alone has the weights of the reference."""
    for preset in LOADED:
        compress_checkpoint(dense, preset_name_to_scheme(preset), tmp_path / preset)
    folders = [str(tmp_path / preset) for preset in LOADED]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *folders],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    for preset, folder in zip(LOADED, folders, strict=True):
        ours = decompressed(open_checkpoint(folder), preset)
        for name, x in ours.items():
            assert theirs[folder][name] == sha256(x.tobytes()).hexdigest(), (preset, name)
