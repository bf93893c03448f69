"""A case as JSON: bits, not decimals, so that it travels (SPEC section 12)."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from qparity.reference import FloatFormat, IntFormat, QuantizationArgs, QuantizationScheme

from .bits import Array, bits_of
from .case import Case
from .layouts import with_strides
from .operations import public_operations

__all__ = ["load_case", "save_case"]

_SCHEMA = 1


def case_to_json(case: Case) -> dict[str, Any]:
    """A case as JSON values."""
    return {"schema": _SCHEMA, "op": case.op, "inputs": _encode_all(case.inputs)}


def case_from_json(data: object) -> Case:
    """A case from JSON values.

    Raises:
        ValueError: if the values are not those of a case; the message names the field.
    """
    if not isinstance(data, Mapping) or data.get("schema") != _SCHEMA:
        raise ValueError(f"schema: not a case file; allowed: schema {_SCHEMA}")
    op, inputs = data.get("op"), data.get("inputs")
    if not isinstance(op, str) or op not in public_operations():
        raise ValueError(f"op: {op!r} is not an operation; allowed: {public_operations()}")
    if not isinstance(inputs, Mapping):
        raise ValueError("inputs: missing; allowed: an object of inputs by name")
    return Case(op, {str(key): _decode(str(key), value) for key, value in inputs.items()})


def save_case(case: Case, folder: Path) -> Path:
    """Write a case to ``folder`` under a name made from its contents; atomically.

    Returns:
        The path. The same case has the same name.
    """
    text = json.dumps(case_to_json(case), indent=1)
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.op}-{digest}.json"
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text + "\n")
    temporary.replace(path)
    return path


def load_case(path: Path) -> Case:
    """Read a case file.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds no case; the message names the field.
    """
    try:
        data = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    try:
        return case_from_json(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _encode_all(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _encode(value) for key, value in values.items()}


def _encode(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, QuantizationArgs):
        return {"args": value.to_dict()}
    if isinstance(value, QuantizationScheme):
        return {"scheme": value.to_dict()}
    if isinstance(value, np.dtype):
        return {"dtype": value.name}
    if isinstance(value, (FloatFormat, IntFormat)):
        return {"format": {"integer": isinstance(value, IntFormat), **asdict(value)}}
    if isinstance(value, tuple):
        return {"tuple": [_encode(item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": _encode_all(value)}
    return value


def _encode_array(array: Array) -> dict[str, Any]:
    width = 2 * array.dtype.itemsize
    bits = [f"0x{int(raw):0{width}x}" for raw in bits_of(array).reshape(-1)]
    content = {"dtype": array.dtype.name, "shape": list(array.shape), "bits": bits}
    if array.ndim and not array.flags.c_contiguous:
        content["strides"] = list(array.strides)
    return {"array": content}


def _decode(field: str, value: object) -> Any:  # noqa: ANN401 - any input
    if not isinstance(value, Mapping):
        return value
    if len(value) != 1 or not value.keys() <= _KINDS:
        raise ValueError(f"{field}: {list(value)} is not allowed; allowed: one of {sorted(_KINDS)}")
    ((kind, content),) = value.items()
    if kind == "tuple" and isinstance(content, list):
        return tuple(_decode(field, item) for item in content)
    if kind == "dict" and isinstance(content, Mapping):
        return {str(key): _decode(f"{field}[{key}]", item) for key, item in content.items()}
    try:
        return _LEAVES[kind](content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{field}: cannot be read ({error!r})") from error


def _decode_array(content: Mapping[str, Any]) -> Array:
    dtype = _dtype(content["dtype"])
    raw = np.array([int(bits, 16) for bits in content["bits"]], f"u{dtype.itemsize}")
    array = raw.view(dtype).reshape([int(n) for n in content["shape"]])
    strides = content.get("strides")
    return array if strides is None else with_strides(array, tuple(int(n) for n in strides))


def _dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def _decode_format(content: Mapping[str, Any]) -> FloatFormat | IntFormat:
    fields = {key: value for key, value in content.items() if key != "integer"}
    return IntFormat(**fields) if content["integer"] else FloatFormat(**fields)


_LEAVES: Mapping[str, Callable[[Any], Any]] = {
    "array": _decode_array,
    "args": QuantizationArgs.from_dict,
    "scheme": QuantizationScheme.from_dict,
    "dtype": _dtype,
    "format": _decode_format,
}
_KINDS = {*_LEAVES, "tuple", "dict"}
