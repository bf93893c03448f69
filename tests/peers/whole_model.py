"""Whole models that upstream quantizes, compresses and saves, with qparams by min/max."""

from pathlib import Path

import numpy as np
import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.offload import update_offload_parameter
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config
from compressed_tensors.quantization.quant_scheme import preset_name_to_scheme
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

from qparity.reference import QuantizationArgs
from tests.peers.samples import observed
from tests.peers.upstream import array, tensor

__all__ = ["save_compressed"]


def save_compressed(model: torch.nn.Module, preset: str, folder: Path, ignore: list[str]) -> None:
    """Compress a model of transformers under a preset, and save it as upstream does."""
    scheme = preset_name_to_scheme(preset, targets=["Linear"])
    config = QuantizationConfig(config_groups={"group_0": scheme}, ignore=ignore)
    apply_quantization_config(model, config, show_progress=False)
    for module in model.modules():
        if getattr(module, "quantization_scheme", None) is not None:
            _calibrate(module)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(str(folder))


def _calibrate(module: torch.nn.Module) -> None:
    args = module.quantization_scheme.weights
    weight = array(module.weight.data)
    ours = QuantizationArgs(
        strategy=str(args.strategy),
        group_size=args.group_size,
        block_structure=args.block_structure and tuple(args.block_structure),
    )
    whole = None
    if ours.strategy == "tensor_group":
        span = (tensor(bound.reshape(1)) for bound in observed(weight, QuantizationArgs()))
        whole = generate_gparam(*span)
        update_offload_parameter(module, "weight_global_scale", whole)
    low, high = (tensor(np.ascontiguousarray(bound)) for bound in observed(weight, ours))
    scale, zero_point = calculate_qparams(low, high, args, whole)
    scale = scale.to(module.weight.dtype).reshape(module.weight_scale.shape)
    update_offload_parameter(module, "weight_scale", scale)
    if hasattr(module, "weight_zero_point"):
        zero_point = zero_point.reshape(module.weight_zero_point.shape)
        update_offload_parameter(module, "weight_zero_point", zero_point)
    for side in ("input", "output"):
        for name in ("scale", "global_scale"):
            if hasattr(module, f"{side}_{name}"):
                update_offload_parameter(module, f"{side}_{name}", torch.ones(1))
