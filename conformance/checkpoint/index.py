"""The index of a sharded checkpoint: which file holds which tensor."""

from collections.abc import Mapping
from pathlib import Path

from .bounded_json import parse_json
from .error import CheckpointError, quoted
from .files import inside, read_text
from .header import LONGEST_HEADER, MOST_VALUES

__all__ = ["read_index"]


def read_index(path: Path) -> dict[str, Path]:
    """The file of each tensor.

    Raises:
        CheckpointError: if the index is not as the Hugging Face hub has it, or names a file that
            is not there, or not inside its folder.
    """
    content = read_text(path, LONGEST_HEADER)
    try:
        index = parse_json(content, MOST_VALUES)
    except ValueError as error:
        raise CheckpointError(path, str(error)) from error
    names = index.get("weight_map") if isinstance(index, Mapping) else None
    if not isinstance(names, Mapping) or not names:
        raise CheckpointError(path, "no weight_map; allowed: an object of files by tensor")
    shards: dict[str, Path] = {}
    for name, shard in names.items():
        if not isinstance(shard, str):
            raise CheckpointError(path, f"weight_map: {quoted(name)}: allowed: the name of a file")
        if shard not in shards:
            shards[shard] = _shard(path, shard)
    return {name: shards[shard] for name, shard in names.items()}


def _shard(index: Path, name: str) -> Path:
    try:
        return inside(index.parent, name)
    except CheckpointError as error:
        raise CheckpointError(index, f"weight_map: {quoted(name)}: {error.args[1]}") from error
