"""The ``quantization_config`` of a checkpoint: its schemes, and what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from qparity.reference import (
    QuantizationArgs,
    QuantizationScheme,
    infer_format,
    preset_name_to_scheme,
)

from .finding import NOTE, Finding, shown

__all__ = ["Config", "read_config"]

_KEYS = (
    *("config_groups", "quant_method", "kv_cache_scheme", "format", "quantization_status"),
    *("global_compression_ratio", "ignore", "moe_sparsity_config", "sparsity_config", "version"),
    *("transform_config", "run_compressed"),
)
_STATUSES = ("initialized", "calibration", "frozen", "compressed", "decompressed")
_SIDES = ("weights", "input_activations", "output_activations")
_INSPECTED = (
    *("dense", "naive-quantized", "int-quantized", "float-quantized", "pack-quantized"),
    *("nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp6-pack-quantized", "mxfp8-quantized"),
)


@dataclass
class Config:
    """What a config says, as far as it can be read.

    Attributes:
        schemes: by the names of their groups.
        formats: the compression format of each group.
        ignore: names, classes and ``re:`` expressions of modules that are not quantized.
        kv_cache: args of the keys and values, or None.
        status: ``"compressed"``, or another of upstream's.
        dtype: of the model's unquantized tensors, such as ``"bfloat16"``, or None.
        tied: whether the output embedding may be the input's, and have no tensor.
        findings: what is wrong.
    """

    schemes: dict[str, QuantizationScheme] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    kv_cache: QuantizationArgs | None = None
    status: str = "compressed"
    dtype: str | None = None
    tied: bool = True
    findings: list[Finding] = field(default_factory=list)


def read_config(content: Mapping[str, Any] | None, where: str) -> Config:
    """Read the config of a checkpoint; without schemes if it says nothing of a quantization.

    Args:
        content: of ``config.json``; None: there is none.
        where: the checkpoint, for messages.

    Raises:
        ValueError: if there is no config, or nothing of it can be used; one line.
    """
    if content is None:
        raise ValueError(f"{where}: no config.json beside the tensors; allowed: one")
    data = content.get("quantization_config", content.get("compression_config"))
    if data is None:
        return Config()
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: quantization_config is no object; allowed: a JSON object")
    groups = data.get("config_groups")
    if not isinstance(groups, Mapping):
        method = shown(repr(data.get("quant_method")))
        raise ValueError(
            f"{where}: quantization_config has no config_groups (quant_method {method}); "
            "allowed: those of compressed-tensors"
        )
    dtype = content.get("dtype", content.get("torch_dtype"))
    config = Config(
        dtype=dtype.removeprefix("torch.") if isinstance(dtype, str) else None,
        tied=content.get("tie_word_embeddings") is not False,
    )
    _read_names(config, data)
    whole = _format(config, data.get("format"), "quantization_config.format")
    for name, group in groups.items():
        scheme = _scheme(config, str(name), group)
        if scheme is not None:
            config.schemes[str(name)] = scheme
            config.formats[str(name)] = _agreed(config, str(name), scheme, whole)
    kv_cache = data.get("kv_cache_scheme")
    if kv_cache is not None:
        config.kv_cache = _args(config, kv_cache, "kv_cache_scheme")
    return config


def _read_names(config: Config, data: Mapping[str, Any]) -> None:
    """The keys beside the groups."""
    for key in data:
        if key not in _KEYS:
            config.findings.append(_unknown("quantization_config", str(key), _KEYS))
    method = data.get("quant_method", "compressed-tensors")
    if method != "compressed-tensors":
        _wrong(config, "quant_method", method, "'compressed-tensors'")
    status = data.get("quantization_status", "compressed")
    if status not in _STATUSES:
        _wrong(config, "quantization_status", status, f"one of {list(_STATUSES)}")
    elif status != "compressed":
        config.status = status
    ignore = data.get("ignore") or []
    if isinstance(ignore, list) and all(isinstance(item, str) for item in ignore):
        config.ignore = tuple(item for item in ignore if _is_usable(config, "ignore", item))
    else:
        _wrong(config, "ignore", ignore, "a list of strings")


def _scheme(config: Config, name: str, group: object) -> QuantizationScheme | None:
    """The scheme of a group, read without the keys that are unknown."""
    where = f"config_groups.{name}"
    if isinstance(group, list):
        return _preset(config, name, group)
    if not isinstance(group, Mapping):
        _wrong(config, where, group, "an object")
        return None
    known = [f.name for f in fields(QuantizationScheme)]
    config.findings += [_unknown(where, str(key), known) for key in group if key not in known]
    values: dict[str, Any] = {"targets": group.get("targets")}
    for side in _SIDES:
        if group.get(side) is not None:
            values[side] = _args(config, group[side], f"{where}.{side}")
            if values[side] is None:
                return None
            if side == "weights" and values[side].dynamic:
                found = repr(values[side].dynamic)
                expected = "false: weights are not quantized at run time"
                where_ = f"{where}.weights.dynamic"
                config.findings.append(Finding("config-invalid", expected, "", where_, bits=found))
    values["format"] = _format(config, group.get("format"), f"{where}.format")
    try:
        scheme = QuantizationScheme(**values)
    except (TypeError, ValueError) as error:
        config.findings.append(Finding("config-invalid", str(error), tensor=where))
        return None
    for target in scheme.targets:
        if not _is_usable(config, f"{where}.targets", target):
            return None
    return scheme


def _preset(config: Config, name: str, targets: list[Any]) -> QuantizationScheme | None:
    try:
        scheme = preset_name_to_scheme(name, targets)
    except (TypeError, ValueError) as error:
        where = f"config_groups.{name}"
        config.findings.append(Finding("config-invalid", str(error), tensor=where))
        return None
    usable = [_is_usable(config, f"config_groups.{name}", target) for target in scheme.targets]
    return scheme if all(usable) else None


def _args(config: Config, data: object, where: str) -> QuantizationArgs | None:
    if not isinstance(data, Mapping):
        _wrong(config, where, data, "an object")
        return None
    known = [f.name for f in fields(QuantizationArgs)]
    config.findings += [_unknown(where, str(key), known) for key in data if key not in known]
    try:
        return QuantizationArgs.from_dict({key: data[key] for key in known if key in data})
    except (TypeError, ValueError) as error:
        config.findings.append(Finding("config-invalid", str(error), tensor=where))
        return None


def _format(config: Config, value: object, where: str) -> str | None:
    """A format that can be inspected; None: none is named."""
    if value is None or value == "mixed-precision":
        return None
    if value not in _INSPECTED:
        _wrong(config, where, value, f"one of {list(_INSPECTED)}")
        return None
    return str(value)


def _agreed(config: Config, name: str, scheme: QuantizationScheme, whole: str | None) -> str:
    """The format of a group: its own, that of the config, or the inferred one."""
    inferred = infer_format(scheme)
    where = f"config_groups.{name}"
    if scheme.weights is None:
        return inferred
    if scheme.format and whole and scheme.format != whole:
        found = f"{scheme.format!r} in the group, {whole!r} in the config"
        config.findings.append(
            Finding("format-mismatch", "one format, or 'mixed-precision'", tensor=where, bits=found)
        )
    chosen = scheme.format or whole or inferred
    allowed = _formats_for(scheme, inferred)
    if chosen not in allowed and (chosen != "dense" or config.status == "compressed"):
        found, expected = repr(chosen), f"{' or '.join(map(repr, allowed))} for this scheme"
        config.findings.append(Finding("format-unsuited", expected, tensor=where, bits=found))
        return whole if whole in allowed else inferred
    if chosen != inferred:
        note = f"{inferred!r}, which upstream would choose"
        found = repr(chosen)
        config.findings.append(
            Finding("format-unusual", note, tensor=where, bits=found, severity=NOTE)
        )
    return chosen


def _formats_for(scheme: QuantizationScheme, inferred: str) -> tuple[str, ...]:
    """The formats that hold the codes of a scheme, the inferred one first."""
    args = scheme.weights
    if args is None or inferred.startswith(("mx", "nvfp4")):
        return (inferred,)
    if args.type == "int":
        same: tuple[str, ...] = ("pack-quantized", "int-quantized", "naive-quantized")
    elif args.num_bits == 8:
        same = ("float-quantized", "naive-quantized")
    else:
        same = ("nvfp4-pack-quantized",)
    return (inferred, *(name for name in same if name != inferred))


def _is_usable(config: Config, where: str, target: object) -> bool:
    """Whether a target can be matched at all."""
    try:
        re.compile(str(target).removeprefix("re:") if str(target).startswith("re:") else "")
    except (re.error, RecursionError, OverflowError) as error:
        expected = f"a regular expression ({error})"
        found = repr(target)
        config.findings.append(Finding("config-invalid", expected, tensor=where, bits=found))
        return False
    return True


def _unknown(where: str, key: str, known: object) -> Finding:
    expected = f"one of {list(known) if isinstance(known, (list, tuple)) else known}"
    return Finding("config-unknown-key", expected, tensor=f"{where}.{key}", bits=repr(key))


def _wrong(config: Config, where: str, value: object, expected: str) -> None:
    config.findings.append(Finding("config-invalid", expected, tensor=where, bits=repr(value)))
