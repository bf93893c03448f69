"""The reference's verbs in eager torch, for CPU and CUDA tensors."""

from .backend import TorchBackend

__all__ = ["TorchBackend"]
