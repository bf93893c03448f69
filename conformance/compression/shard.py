"""One file of the compressed checkpoint: its header first, then its data in any order."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from .layout import Tensor

__all__ = ["begin_shard", "write_at"]

_ORDER = (
    *("U64", "I64", "F64", "C64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16"),
    *("F8_E5M2FNUZ", "F8_E4M3FNUZ", "F8_E8M0", "F8_E4M3", "F8_E5M2", "I8", "U8"),
    *("F6_E3M2", "F6_E2M3", "F4", "BOOL"),
)


def begin_shard(path: Path, tensors: Iterable[Tensor]) -> dict[str, int]:
    """Write the header of a file, and give the file its length.

    The bytes are those that the safetensors library writes: the tensors by dtype, the widest
    first, then by name.

    Returns:
        Where in the file the data of each tensor begin.

    Raises:
        OSError: if the file exists or cannot be written.
    """
    ordered = sorted(tensors, key=lambda tensor: (_ORDER.index(tensor.dtype), tensor.name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    begins, end = {}, 0
    for tensor in ordered:
        begins[tensor.name], end = end, end + tensor.nbytes
        fields = {"dtype": tensor.dtype, "shape": tensor.shape}
        header[tensor.name] = {**fields, "data_offsets": (begins[tensor.name], end)}
    raw = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % 8)
    start = 8 + len(raw)
    with path.open("xb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        file.truncate(start + end)
    return {name: start + begin for name, begin in begins.items()}


def write_at(descriptor: int, offset: int, data: bytes | memoryview) -> None:
    """All of the data at a place of a file.

    Raises:
        OSError: if it cannot be written, for want of space too.
    """
    view = memoryview(data).cast("B")
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done
