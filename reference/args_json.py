"""``QuantizationArgs`` from and to JSON values, in every form that exists (SPEC section 3)."""

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from .args import QuantizationArgs
from .format_args import NAMED_FORMATS, FormatArgs
from .formats import FloatFormat, IntFormat

_OF_FORMATS = ("code_format", "scale_format", "scale_rule")


def args_from_dict(data: Mapping[str, Any]) -> QuantizationArgs:
    """Read the args of a config.

    Args:
        data: the full form (all keys, nulls), the short form (defaults left out) or an old form;
            dtypes with or without ``"torch."``. Under the key ``"qparity"``, which upstream
            refuses: the fields of ``FormatArgs``, a format by name or by its own fields.

    Returns:
        The args, ``FormatArgs`` if there is that key. A null is the default of its field.

    Raises:
        TypeError: if ``data`` is no mapping or a value has the wrong type.
        ValueError: if a key is unknown or a value is not allowed; the message names it.

    Source: SPEC section 3.
    """
    if not isinstance(data, Mapping):
        raise TypeError(f"args: {type(data).__name__} is not allowed; allowed: a mapping")
    if "qparity" in data:
        return _format_args_from_dict(data)
    known = [f.name for f in fields(QuantizationArgs)]
    _check_keys("args", data, known)
    return QuantizationArgs(**{key: value for key, value in data.items() if value is not None})


def args_to_dict(args: QuantizationArgs, on_disk: bool = False) -> dict[str, Any]:
    """Write all fields as JSON values, dtypes by name; those of formats under ``"qparity"``.

    Args:
        args: what to write.
        on_disk: False: lossless, ``args_from_dict`` gives back equal args. True: what a checkpoint
            holds: ``zp_dtype`` is None when symmetric (there is no zero-point), ``scale_dtype`` is
            None when ``dynamic`` is True or ``"local"`` (scales are made at run time), except MX.

    Source: SPEC section 3.
    """
    data = {f.name: _json_value(getattr(args, f.name)) for f in fields(args)}
    if isinstance(args, FormatArgs):
        data["qparity"] = {name: data.pop(name) for name in _OF_FORMATS}
    if on_disk and args.symmetric:
        data["zp_dtype"] = None
    if on_disk and args.dynamic and not args.is_mx:
        data["scale_dtype"] = None
    return data


def _format_args_from_dict(data: Mapping[str, Any]) -> FormatArgs:
    """Args under whose key ``"qparity"`` stand the fields that upstream has not."""
    extension = data["qparity"]
    if not isinstance(extension, Mapping):
        raise TypeError(f"qparity: {extension!r} is not allowed; allowed: an object")
    _check_keys("qparity", extension, _OF_FORMATS)
    derived = ("num_bits", "type")
    plain = [f.name for f in fields(FormatArgs) if f.name not in _OF_FORMATS]
    _check_keys("args", data, ("qparity", *plain))
    given = {key: data[key] for key in plain if key not in derived and data.get(key) is not None}
    given |= {
        key: format_from_json(key, value) for key, value in extension.items() if value is not None
    }
    args = FormatArgs(**given)
    for name in derived:
        if data.get(name) not in (None, getattr(args, name)):
            raise ValueError(
                f"{name}: {data[name]!r} is not allowed for {args.code_format.name}; "
                f"allowed: {getattr(args, name)!r}, or left out"
            )
    return args


def format_from_json(name: str, value: object) -> object:
    """A format from its name, which is left as it is, or from its fields."""
    if not isinstance(value, Mapping):
        return value
    whole, real = ([f.name for f in fields(kind)] for kind in (IntFormat, FloatFormat))
    if all(key in whole or key not in real for key in value):
        _check_keys(name, value, whole)
        return IntFormat(**value)
    _check_keys(name, value, real)
    if "exponent_bits" not in value:
        raise ValueError(f"{name}: exponent_bits: missing; allowed: 1 to 11")
    return FloatFormat(**value)


def format_to_json(row: FloatFormat | IntFormat) -> str | dict[str, Any]:
    """The name of a format that has one of its own, else its fields."""
    return row.name if NAMED_FORMATS.get(row.name) == row else asdict(row)


def _check_keys(name: str, data: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = [key for key in data if key not in known]
    if unknown:
        raise ValueError(f"{name}: unknown key {unknown[0]!r}; allowed: {list(known)}")


def _json_value(value: object) -> object:
    if isinstance(value, (FloatFormat, IntFormat)):
        return format_to_json(value)
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return deepcopy(dict(value))
    return value
