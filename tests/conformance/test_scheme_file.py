"""Schemes are read from presets and from every form of a config; unknown keys are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from qparity.conformance.scheme_file import load_schemes
from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

ARGS = QuantizationArgs(num_bits=4, group_size=128)
SCHEME = QuantizationScheme(("Linear",), ARGS)
WRITTEN = {"targets": ["Linear"], "weights": ARGS.to_dict()}


def loaded(data: object, folder: Path) -> dict[str, QuantizationScheme]:
    """The schemes of a JSON file."""
    path = folder / "config.json"
    path.write_text(json.dumps(data))
    return load_schemes([str(path)])


def test_presets_are_found_by_name() -> None:
    """Preset names in any case of letters give the presets, in the order asked for."""
    found = load_schemes(["nvfp4", "W4A16"])
    assert list(found) == ["NVFP4", "W4A16"]
    assert found["NVFP4"] == preset_name_to_scheme("NVFP4")


@pytest.mark.parametrize(
    "data",
    [
        {"config_groups": {"group_0": WRITTEN}},
        {"quantization_config": {"config_groups": {"group_0": WRITTEN}, "ignore": ["lm_head"]}},
        {"config_groups": {"group_0": WRITTEN | {"input_activations": None}}, "format": "dense"},
        WRITTEN,
        ARGS.to_dict(),
        {"num_bits": 4, "group_size": 128, "type": "int"},
    ],
)
def test_every_form_of_a_config_is_read(data: Any, tmp_path: Path) -> None:  # noqa: ANN401 - JSON
    """A model's config, a quantization config, one scheme, and args, in full and in short."""
    (scheme,) = loaded(data, tmp_path).values()
    assert scheme == SCHEME


def test_several_groups_have_names_of_their_own(tmp_path: Path) -> None:
    """Each group of a config is a scheme, named by file and group; presets with targets too."""
    data = {"config_groups": {"a": WRITTEN, "W8A8": ["Linear"]}}
    found = loaded(data, tmp_path)
    assert list(found) == ["config:a", "config:W8A8"]
    assert found["config:W8A8"] == preset_name_to_scheme("W8A8")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ([], "list"),
        (3, "int"),
        ({"quantization_config": []}, "quantization_config"),
        ({"config_groups": {}}, "config_groups"),
        ({"config_groups": []}, "config_groups"),
        ({"config_groups": {"g": {"targets": ["Linear"], "weight": {}}}}, "unknown key 'weight'"),
        ({"config_groups": {"g": WRITTEN | {"weights": {"bits": 4}}}}, "unknown key 'bits'"),
        ({"config_groups": {"g": WRITTEN | {"weights": {"num_bits": 9}}}}, "num_bits: 9"),
        ({"config_groups": {"g": {"weights": None}}}, "targets: missing"),
        ({"config_groups": {"W9A9": ["Linear"]}}, "unknown preset 'W9A9'"),
        ({"config_groups": {"g": 3}}, "scheme: int"),
        ({"num_bits": 4, "scale_dtype": "bfloat17"}, "scale_dtype: 'bfloat17'"),
        ({"type": "int", "colour": "red"}, "unknown key 'colour'"),
        ({}, "targets: missing"),
    ],
)
def test_what_is_wrong_is_named(data: Any, named: str, tmp_path: Path) -> None:  # noqa: ANN401 - JSON
    """The message names the file, the key or field, and what is allowed."""
    with pytest.raises(ValueError, match=named) as raised:
        loaded(data, tmp_path)
    assert "config.json" in str(raised.value)
    assert "allowed: " in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whatever the bytes, the message is a ValueError that names the file."""
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.json: not JSON"):
        load_schemes([str(path)])


def test_an_unknown_preset_lists_the_known_ones() -> None:
    """The message names the preset and those that there are."""
    with pytest.raises(ValueError, match=r"unknown preset 'W9A9'; allowed: \['UNQUANTIZED'"):
        load_schemes(["W9A9"])
