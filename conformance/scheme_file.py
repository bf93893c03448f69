"""Schemes named on the command line: presets, the schemes of a config, objects in Python."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

__all__ = [
    "SCHEME",
    "load_object",
    "load_scheme",
    "load_schemes",
    "name_apart",
    "short_name",
    "short_names",
]

Scheme = TypeVar("Scheme", QuantizationArgs, QuantizationScheme)
SCHEME = "PRESET|FILE.json[:GROUP]|FILE.py[:ARGS]|package.module:ARGS"


def load_schemes(names: Iterable[str]) -> dict[str, QuantizationScheme]:
    """The schemes of presets, of JSON files and of objects in Python, by name.

    Args:
        names: preset names; or paths that end in ``.json``: a model's ``config.json``, a
            ``quantization_config``, one scheme, or the args of one weight, and of several groups
            one (``config.json:group_0``); or an object, args or a scheme, of a file
            (``scheme.py:ARGS``, or ``scheme.py`` for short) or of a module
            (``package.module:ARGS``).

    Returns:
        Schemes of JSON by ``stem:group``; by ``path:group`` where another file has that name.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a preset is unknown, a file holds no scheme (the message names the key), or
            a module cannot be imported or has no such object.
    """
    found: dict[str, QuantizationScheme] = {}
    for name in names:
        if name.endswith(".json") or ".json:" in name:
            path, group = _path_and_group(name)
            for key, scheme in _schemes_of_file(path, group).items():
                free = name_apart(found, f"{path.stem}:{key}", f"{path}:{key}", scheme)
                found[free] = scheme
        elif ":" in name or name.endswith(".py"):
            full = name if ":" in name else f"{name}:ARGS"
            found[full] = _imported(full)
        else:
            found[name.upper()] = preset_name_to_scheme(name)
    return found


def load_scheme(name: str) -> tuple[str, QuantizationScheme]:
    """The one scheme of a name, for what takes one, and what it is called.

    Raises:
        OSError: as ``load_schemes``.
        ValueError: as ``load_schemes``; if there are several, with their names.
    """
    found = load_schemes([name])
    first, *others = found.items()
    if any(scheme != first[1] for _, scheme in others):
        path = name.partition(".json")[0]
        allowed = ", ".join(f"{path}.json:{key.partition(':')[2]}" for key in found)
        raise ValueError(f"scheme: {name!r} has {len(found)} schemes; allowed: {allowed}")
    return first


def load_object(name: str, *kinds: type) -> object:
    """An object of a file, ``scheme.py:NAME``, or of a module, ``package.module:NAME``.

    Args:
        name: of the object.
        kinds: what it is looked for as; such objects are named in the error.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if the module cannot be imported, or has no such object.
    """
    module_name, _, path = name.partition(":")
    from_file = module_name.endswith(".py")
    try:
        found: object = _run_file(Path(module_name)) if from_file else _import(module_name)
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        message = f"scheme: {name!r} raised {type(error).__name__} when imported: {error}"
        raise ValueError(message) from error
    module = found
    for part in path.split("."):
        if not hasattr(found, part):
            present = [key for key, value in vars(module).items() if isinstance(value, kinds)]
            allowed = ", ".join(present) or f"a name of {' or '.join(k.__name__ for k in kinds)}"
            raise ValueError(f"scheme: {module_name!r} has no {path!r}; allowed: {allowed}")
        found = getattr(found, part)
    return found


def name_apart(named: Mapping[str, Scheme], short: str, full: str, scheme: Scheme) -> str:
    """The short name of a scheme, or the full one where another scheme has the short one."""
    return full if named.get(short, scheme) != scheme else short


def short_name(name: str) -> str:
    """``mxint8`` of ``examples/mxint8.py:ARGS``; other names as they are."""
    file, colon, path = name.partition(":")
    if not colon or not file.endswith(".py"):
        return name
    return Path(file).stem if path == "ARGS" else f"{Path(file).stem}:{path}"


def short_names(names: Iterable[str]) -> dict[str, str]:
    """The short name of each; two that would be alike stay as they are."""
    short = {name: short_name(name) for name in names}
    count = Counter(short.values())
    return {name: text if count[text] == 1 else name for name, text in short.items()}


def _imported(name: str) -> QuantizationScheme:
    """The args or the scheme that an object of a module, or of a file, is."""
    found = load_object(name, QuantizationArgs, QuantizationScheme)
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


def _path_and_group(name: str) -> tuple[Path, str]:
    """``config.json`` and ``group_0`` of ``config.json:group_0``."""
    head, _, group = name.partition(".json:")
    return (Path(f"{head}.json"), group) if group else (Path(name), "")


def _schemes_of_file(path: Path, group: str) -> dict[str, QuantizationScheme]:
    """The schemes of a file, or the one of a group."""
    try:
        data = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(data, Mapping):
        raise ValueError(f"{path}: a JSON {type(data).__name__}; allowed: an object")
    try:
        found = _schemes_of(data)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if group and group not in found:
        raise ValueError(f"{path}: no group {group!r}; allowed: {', '.join(found)}")
    return {group: found[group]} if group else found


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
