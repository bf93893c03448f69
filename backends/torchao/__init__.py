"""torchao in the installed release as a backend: what it has of the same mathematics."""

from .backend import TorchAO

__all__ = ["TorchAO"]
