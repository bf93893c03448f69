"""The ``quantization_config`` of a checkpoint, as upstream 0.20.0 writes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qparity.reference import QuantizationArgs, QuantizationScheme

__all__ = ["quantization_config"]


def quantization_config(
    scheme: QuantizationScheme, format: str, ignore: Sequence[str]
) -> dict[str, Any]:
    """The config of a checkpoint of one scheme; defaults are left out where upstream does so."""
    group = {
        "targets": list(scheme.targets),
        "weights": _args(scheme.weights),
        "input_activations": _args(scheme.input_activations),
        "output_activations": _args(scheme.output_activations),
        "format": format,
    }
    return {
        "config_groups": {"group_0": group},
        "quant_method": "compressed-tensors",
        "kv_cache_scheme": None,
        "format": format,
        "quantization_status": "compressed",
        "global_compression_ratio": None,
        "ignore": list(ignore),
        "moe_sparsity_config": None,
    }


def _args(args: QuantizationArgs | None) -> dict[str, Any] | None:
    if args is None:
        return None
    data = args.to_dict()
    optional: Mapping[str, Any] = {
        "block_structure": data["block_structure"],
        "actorder": data["actorder"],
        "scale_dtype": _torch_name(args.scale_dtype),
        "zp_dtype": _torch_name(args.zp_dtype) if _tells_zp_dtype(args) else None,
        "observer": data["observer"],
        "observer_kwargs": data["observer_kwargs"] or None,
    }
    always = ("num_bits", "type", "symmetric", "group_size", "strategy", "dynamic")
    found = {key: data[key] for key in always}
    return found | {key: value for key, value in optional.items() if value is not None}


def _tells_zp_dtype(args: QuantizationArgs) -> bool:
    default = "int8" if args.type == "int" else "float8_e4m3fn"
    return not args.symmetric and args.zp_dtype is not None and args.zp_dtype.name != default


def _torch_name(dtype: np.dtype | None) -> str | None:
    return None if dtype is None else f"torch.{dtype.name}"
