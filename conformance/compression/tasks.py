"""What is done for one tensor of the dense checkpoint, alone and in any process."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import lcm
from pathlib import Path

import numpy as np

from qparity import reference
from qparity.reference import QuantizationScheme

from ..bits import Array
from ..calibrate import Span, calibrated, span_of
from ..checkpoint import CheckpointError, Entry
from ..checkpoint.error import quoted
from ..checkpoint.files import open_file
from ..checkpoint.read import read_rows
from .layout import Tensor, tag_of
from .shard import write_at

__all__ = ["Compress", "Copy", "run_task"]

_ELEMENTS = 1 << 22
_PIECE = 1 << 24
_WORD = 32


@dataclass(frozen=True, slots=True)
class Copy:
    """A tensor that passes through."""

    entry: Entry
    path: Path
    offset: int


@dataclass(frozen=True, slots=True)
class Compress:
    """A weight, the tensors that are made of it, and where in the file each begins."""

    entry: Entry
    path: Path
    scheme: QuantizationScheme
    format: str
    tensors: Mapping[Tensor, int]


def run_task(task: Copy | Compress) -> int:
    """Read, compress and write one tensor of the dense checkpoint, in pieces.

    Returns:
        The bytes that were read.

    Raises:
        CheckpointError: if it cannot be read, holds NaN or an infinity, or does not fit the scheme.
        OSError: if the result cannot be written.
    """
    descriptor = os.open(task.path, os.O_WRONLY)
    try:
        if isinstance(task, Copy):
            _copy(task, descriptor)
        else:
            _compress(task, descriptor)
    finally:
        os.close(descriptor)
    return task.entry.nbytes


def _copy(task: Copy, descriptor: int) -> None:
    entry = task.entry
    with open_file(entry.shard) as (file, _):
        file.seek(entry.offset)
        done = 0
        while done < entry.nbytes:
            piece = file.read(min(_PIECE, entry.nbytes - done))
            if not piece:
                raise CheckpointError(entry.shard, f"{quoted(entry.name)}: its file has shrunk")
            write_at(descriptor, task.offset + done, piece)
            done += len(piece)


def _compress(task: Compress, descriptor: int) -> None:
    args = task.scheme.weights
    assert args is not None
    span = _span(task) if args.strategy in ("tensor", "tensor_group") else None
    planned = {tensor.name: tensor for tensor in task.tensors}
    for start, rows in _pieces(task):
        if span is None:
            _check_finite(task, span_of(rows))
        state = {"weight": rows, **calibrated(rows, args, span)}
        try:
            stored = reference.compress(state, task.scheme, task.format)
        except (ValueError, TypeError) as error:
            message = f"{quoted(task.entry.name)}: {error}"
            raise CheckpointError(task.entry.shard, message) from error
        if "weight_shape" in stored:
            stored["weight_shape"] = np.array(task.entry.shape, np.int64)
        assert stored.keys() == planned.keys()
        for name, array in stored.items():
            tensor = planned[name]
            assert (tag_of(array), array.shape[1:]) == (tensor.dtype, tensor.shape[1:])
            if start == 0 or tensor.rows[0]:
                offset = task.tensors[tensor] + tensor.offset(start)
                write_at(descriptor, offset, np.ascontiguousarray(array).view(np.uint8).data)


def _pieces(task: Compress) -> Iterator[tuple[int, Array]]:
    """The rows of a weight, some at a time: whole blocks, and whole words of packed zero-points."""
    args = task.scheme.weights
    assert args is not None
    rows, columns = task.entry.shape
    unit = lcm(_WORD, args.block_structure[0] if args.block_structure else 1)
    step = max(_ELEMENTS // columns // unit, 1) * unit
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        yield start, read_rows(task.entry, start, stop)


def _span(task: Compress) -> Span:
    """The minimum and maximum of the whole weight, finite."""
    spans = [span_of(rows) for _, rows in _pieces(task)]
    low, high = (np.concatenate(bounds) for bounds in zip(*spans, strict=True))
    span = span_of(low)[0], span_of(high)[1]
    _check_finite(task, span)
    return span


def _check_finite(task: Compress, span: Span) -> None:
    if not all(np.isfinite(bound).all() for bound in span):
        name = quoted(task.entry.name)
        raise CheckpointError(task.entry.shard, f"{name} has NaN or infinities; allowed: none")
