"""The reference's verbs in fused Triton kernels."""

from .backend import TritonBackend

__all__ = ["TritonBackend"]
