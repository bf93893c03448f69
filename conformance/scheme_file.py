"""Schemes named on the command line: presets, the schemes of a config, objects in Python."""

import json
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

__all__ = ["SCHEME", "load_object", "load_schemes", "short_name"]

SCHEME = "PRESET|FILE.json|FILE.py[:ARGS]|package.module:ARGS"


def load_schemes(names: Iterable[str]) -> dict[str, QuantizationScheme]:
    """The schemes of presets, of JSON files and of objects in Python, by name.

    Args:
        names: preset names; or paths that end in ``.json``: a model's ``config.json``, a
            ``quantization_config``, one scheme, or the args of one weight; or an object, args or
            a scheme, of a file (``scheme.py:ARGS``, or ``scheme.py`` for short) or of a module
            (``package.module:ARGS``).

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a preset is unknown, a file holds no scheme (the message names the key), or
            a module cannot be imported or has no such object.
    """
    found: dict[str, QuantizationScheme] = {}
    for name in names:
        if name.endswith(".json"):
            found |= _schemes_of_file(Path(name))
        elif ":" in name or name.endswith(".py"):
            full = name if ":" in name else f"{name}:ARGS"
            found[full] = _imported(full)
        else:
            found[name.upper()] = preset_name_to_scheme(name)
    return found


def load_object(name: str) -> object:
    """An object of a file, ``scheme.py:NAME``, or of a module, ``package.module:NAME``.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if the module cannot be imported; what it lacks is None.
    """
    module_name, _, path = name.partition(":")
    from_file = module_name.endswith(".py")
    try:
        found: object = _run_file(Path(module_name)) if from_file else _import(module_name)
    except OSError:
        raise
    except Exception as error:
        message = f"scheme: {name!r} raised {type(error).__name__} when imported: {error}"
        raise ValueError(message) from error
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def short_name(name: str) -> str:
    """``mxint8`` of ``examples/mxint8.py:ARGS``; other names as they are."""
    file, colon, path = name.partition(":")
    if not colon or not file.endswith(".py"):
        return name
    return Path(file).stem if path == "ARGS" else f"{Path(file).stem}:{path}"


def _imported(name: str) -> QuantizationScheme:
    """The args or the scheme that an object of a module, or of a file, is."""
    found = load_object(name)
    if isinstance(found, QuantizationArgs):
        return QuantizationScheme(("Linear",), weights=found)
    if isinstance(found, QuantizationScheme):
        return found
    allowed = "QuantizationArgs or a QuantizationScheme"
    raise ValueError(f"scheme: {name!r} is {type(found).__name__}; allowed: {allowed}")


def _import(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.append("")
    return import_module(name)


def _run_file(path: Path) -> ModuleType:
    """A file as a module that is not left among the imported ones."""
    path.open().close()
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
