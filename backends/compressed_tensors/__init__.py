"""compressed-tensors itself, in the installed release, as a backend: its own functions."""

from .backend import CompressedTensors

__all__ = ["CompressedTensors"]
