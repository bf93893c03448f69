"""``QuantizationArgs`` from and to JSON values, in every form that exists (SPEC section 3)."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from .args import QuantizationArgs


def args_from_dict(data: Mapping[str, Any]) -> QuantizationArgs:
    """Read the args of a config.

    Args:
        data: the full form (all keys, nulls), the short form (defaults left out) or an old form;
            dtypes with or without ``"torch."``.

    Returns:
        The args. A null is the default of its field.

    Raises:
        TypeError: if ``data`` is no mapping or a value has the wrong type.
        ValueError: if a key is unknown or a value is not allowed; the message names it.

    Source: SPEC section 3.
    """
    if not isinstance(data, Mapping):
        raise TypeError(f"args: {type(data).__name__} is not allowed; allowed: a mapping")
    known = [f.name for f in fields(QuantizationArgs)]
    unknown = [key for key in data if key not in known]
    if unknown:
        raise ValueError(f"args: unknown key {unknown[0]!r}; allowed: {known}")
    return QuantizationArgs(**{key: value for key, value in data.items() if value is not None})


def args_to_dict(args: QuantizationArgs, on_disk: bool = False) -> dict[str, Any]:
    """Write all fields as JSON values, dtypes by name.

    Args:
        args: what to write.
        on_disk: False: lossless, ``args_from_dict`` gives back equal args. True: what a checkpoint
            holds: ``zp_dtype`` is None when symmetric (there is no zero-point), ``scale_dtype`` is
            None when ``dynamic`` is True or ``"local"`` (scales are made at run time), except MX.

    Source: SPEC section 3.
    """
    data = {f.name: _json_value(getattr(args, f.name)) for f in fields(args)}
    if on_disk and args.symmetric:
        data["zp_dtype"] = None
    if on_disk and args.dynamic and not args.is_mx:
        data["scale_dtype"] = None
    return data


def _json_value(value: object) -> object:
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value
