"""Where a tensor lies."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a checkpoint, as the header of its file has it.

    Attributes:
        name: its full name.
        dtype: the tag of the safetensors format, such as ``"BF16"``.
        shape: its sizes.
        shard: the file that holds it.
        nbytes: the length of its data.
        offset: where in the file its data begin.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: Path
    nbytes: int
    offset: int
