"""The checkpoints in ``golden/``, which compressed-tensors wrote."""

import json

import pytest

from qparity import reference
from qparity.reference import QuantizationArgs, QuantizationScheme
from tests.peers import samples
from tests.peers.bits import assert_same

PRESETS = sorted(folder.name for folder in samples.GOLDEN.iterdir() if folder.is_dir())


def scheme_on_disk(preset: str) -> QuantizationScheme:
    """The scheme that the config of a golden checkpoint names."""
    config = json.loads((samples.GOLDEN / preset / "config.json").read_text())
    return QuantizationScheme.from_dict(config["quantization_config"]["config_groups"]["group_0"])


def test_there_are_golden_checkpoints() -> None:
    """The goldens are in the repository, or nothing would be compared."""
    assert PRESETS == ["MXFP6A16", "NVFP4", "W3A16", "W4A16_ASYM"]


@pytest.mark.parametrize("preset", PRESETS)
def test_compress_reproduces_it(preset: str) -> None:
    """The reference alone makes every tensor of the checkpoint from the weight, bit for bit."""
    weight = samples.read(samples.DENSE)["weight"]
    scheme = scheme_on_disk(preset)
    args = scheme.weights
    assert args is not None
    tensors = {"weight": weight}
    whole = None
    if args.strategy == "tensor_group":
        whole = reference.generate_gparam(*reference.minmax(weight, QuantizationArgs()))
        tensors["weight_global_scale"] = whole
    qparams = reference.calculate_qparams(*reference.minmax(weight, args), args, whole)
    scale, tensors["weight_zero_point"] = qparams
    tensors["weight_scale"] = scale.astype(weight.dtype)
    ours = reference.compress(tensors, scheme)
    theirs = samples.read(samples.GOLDEN / preset / "model.safetensors")
    assert set(ours) == set(theirs)
    for name in theirs:
        assert_same(ours[name], theirs[name], name=name)
