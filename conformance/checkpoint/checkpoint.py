"""A checkpoint, open to be read tensor by tensor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bits import Array
from .bounded_json import parse_json
from .entry import Entry
from .error import CheckpointError, quoted
from .files import exists, inside, read_text
from .header import read_header
from .index import read_index
from .read import read_entry, read_rows

__all__ = ["Checkpoint", "open_checkpoint"]

INDEX = "model.safetensors.index.json"
MODEL = "model.safetensors"
_LARGEST_CONFIG = 16_000_000
_MOST_VALUES = 1_000_000


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a checkpoint by name; it holds none of their data, and can be pickled.

    Attributes:
        path: the file or folder that was opened.
        shards: its safetensors files.
        surplus: tensors that a shard holds and the index does not place there, ``SHARD: NAME``;
            they cannot be read.
    """

    path: Path
    shards: tuple[Path, ...]
    surplus: tuple[str, ...]
    entries: Mapping[str, Entry] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tensors, sorted."""
        return tuple(self.entries)

    @property
    def folder(self) -> Path:
        """The folder of the checkpoint."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def config(self) -> dict[str, Any] | None:
        """The object in ``config.json`` beside the tensors; None if there is no such file.

        Raises:
            CheckpointError: if it is no JSON object, or larger than 16 MB, or deeper than 64, or a
                link out of the folder.
        """
        path = self.folder / "config.json"
        if not exists(path):
            return None
        content = read_text(inside(self.folder, "config.json"), _LARGEST_CONFIG)
        try:
            config = parse_json(content, _MOST_VALUES)
        except ValueError as error:
            raise CheckpointError(path, str(error)) from error
        if not isinstance(config, dict):
            raise CheckpointError(path, "not a JSON object")
        return config

    def entry(self, name: str) -> Entry:
        """Where a tensor lies, its dtype and shape.

        Raises:
            CheckpointError: if there is no such tensor.
        """
        if name not in self.entries:
            raise CheckpointError(self.path, f"no tensor {quoted(name)}")
        return self.entries[name]

    def read(self, name: str) -> Array:
        """A tensor, bit for bit, in an array of its own; F8_E8M0 as uint8.

        Raises:
            CheckpointError: if there is no such tensor, or nothing here computes with its dtype,
                or its file has changed, or it is larger than the memory of the machine.
        """
        return read_entry(self.entry(name))

    def read_rows(self, name: str, start: int, stop: int) -> Array:
        """``read(name)[start:stop]``, without the memory for the rest.

        Raises:
            CheckpointError: as ``read``.
            ValueError: if the tensor has no rows, or not those.
        """
        return read_rows(self.entry(name), start, stop)


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Open a safetensors file, or a folder with ``model.safetensors`` or an index of shards.

    Every header is read and checked, no data. Of a folder with both, ``model.safetensors`` alone
    counts, as for transformers.

    Raises:
        CheckpointError: if anything is wrong, with one line that names the file and what it is.
    """
    path = Path(path)
    try:
        folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise CheckpointError(path, str(error).splitlines()[0]) from error
    if not folder and path.name.endswith(".json"):
        return _sharded(path, path)
    if not folder:
        return _checkpoint(path, read_header(path), [path], [])
    if exists(path / MODEL):
        shard = inside(path, MODEL)
        return _checkpoint(path, read_header(shard), [shard], [])
    if exists(path / INDEX):
        return _sharded(path, inside(path, INDEX))
    raise CheckpointError(path, f"a folder without {MODEL} and without {INDEX}")


def _sharded(path: Path, index: Path) -> Checkpoint:
    placed = read_index(index)
    shards = sorted(set(placed.values()))
    chosen, surplus, seen = [], [], set()
    for shard in shards:
        for entry in read_header(shard):
            if placed.get(entry.name) == shard:
                chosen.append(entry)
                seen.add(entry.name)
            else:
                surplus.append(f"{shard.name}: {entry.name}")
    for name, shard in placed.items():
        if name not in seen:
            raise CheckpointError(index, f"names {quoted(name)}, which {shard.name} does not hold")
    return _checkpoint(path, chosen, shards, surplus)


def _checkpoint(
    path: Path, entries: Iterable[Entry], shards: Iterable[Path], surplus: Iterable[str]
) -> Checkpoint:
    by_name = {entry.name: entry for entry in sorted(entries, key=lambda entry: entry.name)}
    return Checkpoint(path, tuple(shards), tuple(sorted(surplus)), by_name)
