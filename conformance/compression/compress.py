"""A dense checkpoint to a compressed one."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qparity.reference import FormatArgs, QuantizationScheme, infer_format

from ..checkpoint import Checkpoint, CheckpointError, Entry
from ..checkpoint.error import quoted
from ..checkpoint.files import inside, read_text
from ..spread import spread
from .config import quantization_config
from .folder import check_destination, whole_folder
from .layout import Tensor, stored_tensors
from .select import select
from .shard import begin_shard
from .tasks import Compress, Copy, run_task

__all__ = ["Written", "compress_checkpoint"]

_INDEX = "model.safetensors.index.json"
_BESIDE = (".json", ".txt", ".model", ".jinja", ".md")
_LARGEST_BESIDE = 100_000_000
Task = Copy | Compress


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        modules: how many are compressed.
        copied: how many tensors passed through.
        ignored: names and expressions of modules that are not compressed.
        before: bytes of the dense tensors.
        after: bytes of the stored ones.
        format: the compression format.
    """

    modules: int
    copied: int
    ignored: tuple[str, ...]
    before: int
    after: int
    format: str


def compress_checkpoint(
    checkpoint: Checkpoint,
    scheme: QuantizationScheme,
    out: Path,
    *,
    ignore: Sequence[str] = (),
    force: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Written:
    """Write a checkpoint that upstream loads, with qparams by min/max of each weight.

    Args:
        checkpoint: a dense one: a file, a folder or shards; the result has as many files.
        scheme: its ``targets`` say which modules, as ``select`` reads them.
        out: a folder that does not exist; with ``force`` it may be a compressed checkpoint.
        ignore: names and ``re:`` expressions of modules that stay as they are.
        force: replace the checkpoint that is there.
        jobs: how many processes; the memory of each is bounded by some rows of a weight.
        scheduler: the address of a dask scheduler, as ``spread`` takes it; the paths of the
            checkpoint and of ``out`` are absolute then, and its workers have the same files.
        watch: is told the bytes that are done, and all of them.

    Raises:
        CheckpointError: if the checkpoint is quantized, damaged or does not fit the scheme, or a
            weight holds NaN or infinities.
        ValueError: if an argument is not allowed, or ``out`` is there already; or as ``spread``.
        OSError: if the result cannot be written.
    """
    format = _format_of(scheme)
    check_destination(out, force)
    if checkpoint.surplus:
        raise CheckpointError(
            checkpoint.path, f"the index does not place {quoted(checkpoint.surplus[0])}"
        )
    config = _dense_config(checkpoint)
    selection = select(checkpoint, scheme.targets, ignore)
    config["quantization_config"] = quantization_config(scheme, format, selection.ignore)
    with whole_folder(out, force) as folder:
        tasks, written = _plan(checkpoint, scheme, format, set(selection.modules), folder)
        _write_json(folder / "config.json", config)
        if len(checkpoint.shards) > 1:
            _write_json(folder / _INDEX, _index(written))
        _copy_beside(checkpoint, folder)
        before, done = sum(task.entry.nbytes for task in tasks), 0
        largest_first = sorted(tasks, key=lambda task: -task.entry.nbytes)
        for nbytes in spread(run_task, largest_first, jobs=jobs, scheduler=scheduler):
            done += nbytes
            if watch is not None:
                watch(done, before)
    count = len(selection.modules)
    after = sum(tensor.nbytes for tensors in written.values() for tensor in tensors)
    return Written(count, len(tasks) - count, selection.ignore, before, after, format)


def _format_of(scheme: QuantizationScheme) -> str:
    format = scheme.format or infer_format(scheme)
    if scheme.weights is None or format == "dense":
        raise ValueError("scheme: it leaves weights as they are; allowed: one that compresses them")
    sides = (scheme.weights, scheme.input_activations, scheme.output_activations)
    if any(isinstance(args, FormatArgs) for args in sides):
        raise ValueError("scheme: FormatArgs are not allowed; allowed: what upstream can read")
    if scheme.weights.dynamic:
        raise ValueError("scheme: dynamic weights are not allowed; allowed: static ones")
    return format


def _dense_config(checkpoint: Checkpoint) -> dict[str, Any]:
    config = dict(checkpoint.config or {})
    if config.get("quantization_config") is not None:
        raise CheckpointError(
            checkpoint.folder / "config.json", "has a quantization_config; allowed: a dense model"
        )
    return config


def _plan(
    checkpoint: Checkpoint,
    scheme: QuantizationScheme,
    format: str,
    modules: set[str],
    folder: Path,
) -> tuple[list[Task], dict[str, list[Tensor]]]:
    """Begin every file; what is to be done to fill them, and what they will hold."""
    args = scheme.weights
    assert args is not None
    by_shard: dict[Path, list[Entry]] = defaultdict(list)
    for name in checkpoint.names:
        entry = checkpoint.entry(name)
        by_shard[entry.shard].append(entry)
    tasks: list[Task] = []
    written: dict[str, list[Tensor]] = {}
    taken: set[str] = set()
    for shard, entries in by_shard.items():
        path = folder / ("model.safetensors" if len(checkpoint.shards) == 1 else shard.name)
        stored: dict[str, tuple[Tensor, ...]] = {}
        for entry in entries:
            module, _, local = entry.name.rpartition(".")
            if local == "weight" and module in modules:
                _check_shape(entry, args.group_size)
                stored[entry.name] = stored_tensors(entry.shape, entry.dtype, args, format)
            else:
                stored[entry.name] = ()
        full = {
            entry.name: [_full(tensor, entry) for tensor in stored[entry.name]]
            or [Tensor(entry.name, entry.dtype, entry.shape)]
            for entry in entries
        }
        written[path.name] = [tensor for tensors in full.values() for tensor in tensors]
        _check_names(written[path.name], taken, shard)
        begins = begin_shard(path, written[path.name])
        for entry in entries:
            local_tensors = stored[entry.name]
            if not local_tensors:
                tasks.append(Copy(entry, path, begins[entry.name]))
                continue
            places = zip(local_tensors, full[entry.name], strict=True)
            offsets = {tensor: begins[renamed.name] for tensor, renamed in places}
            tasks.append(Compress(entry, path, scheme, format, offsets))
    return tasks, written


def _full(tensor: Tensor, weight: Entry) -> Tensor:
    return replace(tensor, name=f"{weight.name.removesuffix('weight')}{tensor.name}")


def _check_shape(entry: Entry, group_size: int | None) -> None:
    rows, columns = entry.shape
    size = group_size if group_size is not None and group_size > 0 else 1
    if not rows or columns % size or not columns:
        groups = f"whole groups of {size} columns" if size > 1 else "at least one element"
        message = f"{quoted(entry.name)} has shape {entry.shape}; allowed: {groups}, or ignore it"
        raise CheckpointError(entry.shard, message)


def _check_names(tensors: Iterable[Tensor], taken: set[str], shard: Path) -> None:
    for tensor in tensors:
        if tensor.name in taken:
            message = f"{quoted(tensor.name)} would be written twice; allowed: a dense model"
            raise CheckpointError(shard, message)
        taken.add(tensor.name)


def _index(written: dict[str, list[Tensor]]) -> dict[str, Any]:
    files = {tensor.name: file for file, tensors in written.items() for tensor in tensors}
    total = sum(tensor.nbytes for tensors in written.values() for tensor in tensors)
    return {"metadata": {"total_size": total}, "weight_map": dict(sorted(files.items()))}


def _copy_beside(checkpoint: Checkpoint, folder: Path) -> None:
    """Tokenizer and texts, from the folder of the dense checkpoint."""
    if not checkpoint.path.is_dir():
        return
    for path in sorted(checkpoint.folder.iterdir()):
        made = path.name.endswith(".index.json") or (folder / path.name).exists()
        if path.suffix in _BESIDE and not path.is_dir() and not made:
            content = read_text(inside(checkpoint.folder, path.name), _LARGEST_BESIDE)
            (folder / path.name).write_bytes(content)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
