"""What the installed release of compressed-tensors has, by its names: 0.12 to 0.20 and later."""

import importlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

__all__ = ["RELEASE", "find", "found", "takes"]

RELEASE = version("compressed-tensors")

# The places a function has had, the newest first.
_PLACES: dict[str, tuple[str, ...]] = {
    "quantization.quant_args": ("quantization.quant_args",),
    "quantization.lifecycle.forward": ("quantization.lifecycle.forward",),
    "helpers": ("quantization.utils.helpers", "quantization.utils"),
    "int32": (
        "compressors.pack_quantized.helpers",
        "compressors.quantized_compressors.pack_quantized",
    ),
    "fp4": (
        "compressors.nvfp4.helpers",
        "compressors.quantized_compressors.fp4_quantized",
        "compressors.quantized_compressors.nvfp4_quantized",
    ),
    "fp6": ("compressors.mxfp6.helpers",),
    "format": ("compressors.format", "config.format"),
    "older_format": ("config.format",),
}


def found(place: str, name: str) -> Any:  # noqa: ANN401 - the library has no types
    """An object of the release, None if it lacks it."""
    for module in _PLACES[place]:
        try:
            value = getattr(importlib.import_module(f"compressed_tensors.{module}"), name, None)
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("compressed_tensors"):
                raise
            value = None
        if value is not None:
            return value
    return None


def find(place: str, name: str) -> Any:  # noqa: ANN401 - the library has no types
    """As ``found``.

    Raises:
        NotImplementedError: if the release lacks it.
    """
    value = found(place, name)
    if value is None:
        raise NotImplementedError(f"compressed-tensors {RELEASE} has no {name}")
    return value


def takes(function: Callable[..., Any], parameter: str) -> bool:
    """Whether a function of the release has a parameter of that name."""
    return parameter in inspect.signature(function).parameters
