"""A dense checkpoint compressed: streamed module by module, and put in place in one step."""

from .compress import compress_checkpoint

__all__ = ["compress_checkpoint"]
