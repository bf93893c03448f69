"""Safetensors files made by hand, sound and damaged."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qparity.conformance.bits import Array
from qparity.conformance.compression.layout import tag_of

Fields = dict[str, Any]


def joined(
    header: bytes | Mapping[str, Any], data: bytes = b"", length: int | None = None
) -> bytes:
    """A file: the length of the header, or the given one, the header, the data."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def fields(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> Fields:
    """What a header says of one tensor; by default two float32."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def sound() -> bytes:
    """A file of three tensors, one of them empty."""
    header = {
        "__metadata__": {"format": "pt"},
        "a.weight": fields("BF16", (2, 4), (0, 16)),
        "b": fields("F32", (), (16, 20)),
        "none": fields("I64", (0, 3), (20, 20)),
    }
    return joined(header, np.arange(20, dtype=np.uint8).tobytes())


def model(tensors: Mapping[str, Array]) -> bytes:
    """A file of arrays."""
    header, end = {}, 0
    for name, array in tensors.items():
        header[name] = fields(tag_of(array), array.shape, (end, end + array.nbytes))
        end += array.nbytes
    return joined(header, b"".join(array.tobytes() for array in tensors.values()))


def sharded(folder: Path, weight_map: object = None, **shards: bytes) -> Path:
    """A sharded checkpoint of ``a`` and ``b``, each in a file of its own, unless told otherwise."""
    contents = {name: joined({name: fields()}, bytes(8)) for name in "ab"} | shards
    for name, content in contents.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    names = {name: f"{name}.safetensors" for name in "ab"} if weight_map is None else weight_map
    index = {"metadata": {"total_size": 16}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder
