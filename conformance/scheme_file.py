"""Schemes named on the command line: presets, or the schemes of a config in JSON."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

__all__ = ["load_schemes"]


def load_schemes(names: Iterable[str]) -> dict[str, QuantizationScheme]:
    """The schemes of presets and of JSON files, by name.

    Args:
        names: preset names; or paths that end in ``.json``: a model's ``config.json``, a
            ``quantization_config``, one scheme, or the args of one weight.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a preset is unknown, or a file holds no scheme; the message names the key.
    """
    found: dict[str, QuantizationScheme] = {}
    for name in names:
        if name.endswith(".json"):
            found |= _schemes_of_file(Path(name))
        else:
            found[name.upper()] = preset_name_to_scheme(name)
    return found


def _schemes_of_file(path: Path) -> dict[str, QuantizationScheme]:
    try:
        data = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(data, Mapping):
        raise ValueError(f"{path}: a JSON {type(data).__name__}; allowed: an object")
    try:
        return {f"{path.stem}:{name}": scheme for name, scheme in _schemes_of(data).items()}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _schemes_of(data: Mapping[str, Any]) -> dict[str, QuantizationScheme]:
    config = data.get("quantization_config", data)
    if not isinstance(config, Mapping):
        raise ValueError("quantization_config: not an object; allowed: an object")
    groups = config.get("config_groups")
    if groups is None:
        if "num_bits" in config or "type" in config:
            return {"args": QuantizationScheme(("Linear",), QuantizationArgs.from_dict(config))}
        return {"scheme": QuantizationScheme.from_dict(config)}
    if not isinstance(groups, Mapping) or not groups:
        raise ValueError("config_groups: not an object with schemes; allowed: one scheme at least")
    schemes = {}
    for name, group in groups.items():
        if isinstance(group, list):
            schemes[name] = preset_name_to_scheme(name, group)
        else:
            schemes[name] = QuantizationScheme.from_dict(group)
    return schemes
