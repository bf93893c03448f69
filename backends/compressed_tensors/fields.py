"""Our args and schemes as the installed release's own."""

import warnings
from typing import Any

import numpy as np
import torch
from compressed_tensors.quantization import QuantizationArgs as PeerArgs
from compressed_tensors.quantization import QuantizationScheme as PeerScheme

from qparity.reference import FormatArgs, QuantizationArgs, QuantizationScheme

from ..torch_bridge import torch_dtype
from .release import RELEASE

__all__ = ["optional_dtype", "peer_args", "peer_scheme"]

_E4M3 = torch_dtype("float8_e4m3fn")


def peer_args(args: QuantizationArgs) -> Any:  # noqa: ANN401 - the library's own
    """The release's args with the same fields.

    A field that the release lacks is left out where its value is what the release does anyway:
    ``zp_dtype`` int8 for int and e4m3 for float, ``scale_dtype`` e4m3 of fp4 ``tensor_group``.

    Raises:
        NotImplementedError: if the release lacks a field, refuses it, or has no such format.
    """
    if isinstance(args, FormatArgs):
        raise NotImplementedError(f"compressed-tensors {RELEASE} has no formats besides its own")
    fields: dict[str, Any] = {
        name: value for name, value in args.to_dict().items() if value is not None
    }
    for name in ("scale_dtype", "zp_dtype"):
        dtype = optional_dtype(getattr(args, name))
        if dtype is None:
            fields.pop(name, None)
        elif name in PeerArgs.model_fields:
            fields[name] = dtype
        elif dtype == _implied(name, args):
            fields.pop(name, None)
        else:
            raise NotImplementedError(f"compressed-tensors {RELEASE} has no field {name}")
    return _made(PeerArgs, fields)


def peer_scheme(scheme: QuantizationScheme) -> Any:  # noqa: ANN401 - the library's own
    """The release's scheme with the same fields.

    Raises:
        NotImplementedError: as ``peer_args``.
    """
    fields: dict[str, Any] = {"targets": list(scheme.targets)}
    for side in ("weights", "input_activations", "output_activations"):
        args = getattr(scheme, side)
        fields[side] = None if args is None else peer_args(args)
    if scheme.format is not None:
        if "format" not in PeerScheme.model_fields:
            raise NotImplementedError(f"compressed-tensors {RELEASE} has no format in schemes")
        fields["format"] = scheme.format
    return _made(PeerScheme, fields)


def optional_dtype(dtype: np.dtype | None) -> torch.dtype | None:
    """The torch dtype of a dtype, None of None."""
    return None if dtype is None else torch_dtype(dtype)


def _implied(name: str, args: QuantizationArgs) -> torch.dtype | None:
    """What a release without the field does."""
    if name == "zp_dtype":
        return _E4M3 if args.type == "float" else torch.int8
    fp4 = (args.type, args.num_bits, args.strategy) == ("float", 4, "tensor_group")
    return _E4M3 if fp4 else None


def _made(kind: Any, fields: dict[str, Any]) -> Any:  # noqa: ANN401 - the library's own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return kind(**fields)
        except (ValueError, NotImplementedError) as error:
            reason = " ".join(str(error).split())[:200]
            raise NotImplementedError(f"compressed-tensors {RELEASE} refuses: {reason}") from error
