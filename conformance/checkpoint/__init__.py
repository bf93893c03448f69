"""Checkpoints on disk: a safetensors file, a folder with one, or a sharded Hugging Face folder.

Whatever the files hold, opening one ends, in memory bounded by its header, with a ``Checkpoint``
or a ``CheckpointError`` of one line; a tensor is read only when it is asked for.
"""

from .checkpoint import Checkpoint, open_checkpoint
from .entry import Entry
from .error import CheckpointError

__all__ = ["Checkpoint", "CheckpointError", "Entry", "open_checkpoint"]
