"""The compressors of the installed release, on the state dict of one module."""

from collections.abc import Mapping
from typing import Any

import torch
from compressed_tensors.compressors import BaseCompressor

from qparity.reference import QuantizationScheme

from .fields import peer_scheme
from .release import RELEASE, found, takes

__all__ = ["compressed", "decompressed"]

Tensors = dict[str, torch.Tensor]


def compressed(
    state_dict: Mapping[str, torch.Tensor],
    scheme: QuantizationScheme,
    format: str | None,
    device: torch.device,
) -> Tensors:
    """The compressor's answer; before 0.15 it takes a model of one module without a name."""
    theirs = peer_scheme(scheme)
    compressor = _compressor(scheme, theirs, format)
    if takes(compressor.compress, "names_to_scheme"):
        answer = compressor().compress(dict(state_dict), {"": theirs}, compression_device=device)
    else:
        answer = compressor.compress(dict(state_dict), theirs)
    return dict(answer)


def decompressed(
    state_dict: Mapping[str, torch.Tensor], scheme: QuantizationScheme, format: str | None
) -> Tensors:
    """The compressor's answer.

    Raises:
        NotImplementedError: before 0.15: it gives back the weight alone, with what it read.
    """
    theirs = peer_scheme(scheme)
    compressor = _compressor(scheme, theirs, format)
    if takes(compressor.decompress, "names_to_scheme"):
        raise NotImplementedError(f"compressed-tensors {RELEASE} decompresses no state dict")
    return dict(compressor.decompress(dict(state_dict), theirs))


def _compressor(scheme: QuantizationScheme, theirs: Any, format: str | None) -> Any:  # noqa: ANN401 - the library's own
    name = format or scheme.format or _inferred(theirs)
    if name not in BaseCompressor.registered_names():
        raise NotImplementedError(f"compressed-tensors {RELEASE} has no format {name}")
    made = BaseCompressor.get_value_from_registry(name)
    if name == "dense" and not hasattr(made, "can_compress"):
        raise NotImplementedError(f"compressed-tensors {RELEASE} keeps dense modules aside")
    if made.compress is BaseCompressor.compress:
        raise NotImplementedError(f"compressed-tensors {RELEASE} does not compress {name}")
    return made


def _inferred(theirs: Any) -> str:  # noqa: ANN401 - the library's own
    """The format that the release stores a linear layer in."""
    infer = found("format", "infer_module_format")
    if infer is not None:
        return str(infer(torch.nn.Linear, theirs).value)
    if theirs.weights is None:
        return "dense"
    older = found("older_format", "_get_quant_compression_format")
    return str(older(theirs.input_activations, theirs.weights).value)
