"""A case as one line of text that a C program reads with sscanf (docs/any-language.md)."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from qparity.reference import FloatFormat, IntFormat, QuantizationArgs, QuantizationScheme
from qparity.reference.args_json import format_from_json, format_to_json
from qparity.reference.format_args import NAMED_FORMATS

from .array_text import decode_array, encode_array, is_array
from .case import Case

__all__ = [
    "MAGIC",
    "Header",
    "case_fields",
    "case_of",
    "inputs_text",
]

MAGIC = "qparity1"
_DTYPE_INPUTS = ("dtype", "compute_dtype")
_FORMAT_INPUTS = ("quant_data", "scale_data")
_CONSTANTS = {"null": None, "true": True, "false": False}
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Header:
    """Which case of which stream a line is.

    Attributes:
        op: the operation.
        index: of the case, from 0.
        count: of the cases in the stream.
        seed: that the stream was made from.
    """

    op: str
    index: int
    count: int
    seed: int

    @property
    def text(self) -> str:
        """As it stands in the line."""
        return f"op={self.op} case={self.index}/{self.count} seed={self.seed}"

    def digest(self, inputs: str) -> str:
        """Of this header and of the inputs as they stand in the line."""
        return hashlib.sha256(f"{self.text} {inputs}".encode()).hexdigest()[:16]


def case_fields(case: Case) -> Fields:
    """The inputs of a case by dotted name, each an array or a text without spaces."""
    fields: Fields = {}
    for name, value in case.inputs.items():
        if isinstance(value, (QuantizationArgs, QuantizationScheme)):
            fields |= _flat(name, value.to_dict())
        elif isinstance(value, Mapping):
            fields |= {f"{name}.{key}": item for key, item in value.items()}
        elif isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
            fields |= {f"{name}.{i}": item for i, item in enumerate(value)}
        elif isinstance(value, np.dtype):
            fields[name] = value.name
        elif isinstance(value, (FloatFormat, IntFormat)):
            fields[name] = _text(format_to_json(value))
        else:
            fields[name] = value if isinstance(value, np.ndarray) else _text(value)
    return fields


def case_of(op: str, fields: Fields) -> Case:
    """The inverse of ``case_fields``; layouts in memory do not travel.

    Raises:
        ValueError: if the fields are no inputs; the message names the field.
    """
    groups: dict[str, Any] = {}
    for name, value in fields.items():
        first, dot, rest = name.partition(".")
        if dot:
            groups.setdefault(first, {})[rest] = value
        else:
            groups[name] = value
    return Case(op, {name: _input(name, value) for name, value in groups.items()})


def inputs_text(fields: Fields) -> str:
    """The fields as they stand in the line, arrays as dtype, shape and bits."""
    return " ".join(
        f"{name}={encode_array(value) if isinstance(value, np.ndarray) else value}"
        for name, value in fields.items()
    )


def decode_fields(tokens: Iterator[str]) -> Fields:
    """``name=value`` tokens as fields, the arrays decoded.

    Raises:
        ValueError: if a token is none, or a name comes twice.
    """
    fields: Fields = {}
    for token in tokens:
        name, equals, text = token.partition("=")
        if not equals:
            raise ValueError(f"{token[:40]!r} is no field; allowed: name=value")
        if name in fields:
            raise ValueError(f"{name}: given twice")
        fields[name] = decode_array(name, text) if is_array(text) else text
    return fields


def _flat(prefix: str, values: Mapping[str, Any]) -> Fields:
    flat: Fields = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and key != "observer_kwargs":
            flat |= _flat(f"{prefix}.{key}", value)
        else:
            flat[f"{prefix}.{key}"] = _text(value)
    return flat


def _unflat(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, text in values.items():
        *path, last = key.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = _value(key, text)
    return nested


def _text(value: object) -> str:
    """Floats as C hexadecimal floats, plain strings as they are, the rest as JSON."""
    if isinstance(value, float):
        return value.hex()
    if _is_plain(value):
        return str(value)
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, separators=(",", ":")).replace(" ", "\\u0020")


def _is_plain(value: object) -> bool:
    """Whether a text is read back as itself."""
    if not isinstance(value, str) or not value.replace("_", "").replace("-", "").isalnum():
        return False
    return bool(_value("", value) == value)


def _value(field: str, text: object) -> Any:  # noqa: ANN401 - any input
    if not isinstance(text, str):
        raise ValueError(f"{field}: an array is not allowed; allowed: a value")
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    digits = text.removeprefix("-")
    try:
        if digits.isdigit():
            return int(text)
        if digits.startswith("0x") or digits in ("inf", "nan"):
            return float.fromhex(text)
        return json.loads(text) if text[:1] in ('"', "[", "{") else text
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{field}: {text[:40]!r} cannot be read") from error


def _input(name: str, value: Any) -> Any:  # noqa: ANN401 - any input
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, dict):
        if name in ("args", "scheme"):
            kind = QuantizationArgs if name == "args" else QuantizationScheme
            return kind.from_dict(_unflat(value))
        if name == "state":
            return tuple(value.values())
        return value
    if name in _DTYPE_INPUTS and value != "null":
        known = getattr(ml_dtypes, value, value)
        try:
            return np.dtype(known)
        except TypeError as error:
            raise ValueError(f"{name}: {value!r} is no dtype") from error
    decoded = _value(name, value)
    if name in _FORMAT_INPUTS:
        return _format(name, decoded)
    return tuple(decoded) if isinstance(decoded, list) else decoded


def _format(name: str, value: Any) -> FloatFormat | IntFormat:  # noqa: ANN401 - any value
    if isinstance(value, str) and value in NAMED_FORMATS:
        return NAMED_FORMATS[value]
    found: object = None
    if isinstance(value, dict) and value.keys() & {"bits", "exponent_bits"}:
        try:
            found = format_from_json(name, value)
        except TypeError as error:
            raise ValueError(f"{name}: {value!r} is no format") from error
    if not isinstance(found, FloatFormat | IntFormat):
        raise ValueError(f"{name}: {value!r} is no format")
    return found
