"""Schemes are read from presets and from every form of a config; unknown keys are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from qparity.conformance.scheme_file import load_object, load_scheme, load_schemes, short_names
from qparity.reference import IntFormat, QuantizationArgs, QuantizationScheme, preset_name_to_scheme

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


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Two JSON files with the same stem give two schemes; the same one twice gives one."""
    paths = []
    for folder, bits in (("a", 4), ("b", 8), ("c", 4)):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "mine.json")
        paths[-1].write_text(json.dumps({"num_bits": bits, "type": "int"}))
    found = load_schemes(map(str, paths))
    assert list(found) == ["mine:args", f"{paths[1]}:args"]
    assert [s.weights and s.weights.num_bits for s in found.values()] == [4, 8]


def test_names_are_short_while_they_are_unique() -> None:
    """A file goes by its stem, unless a file or a preset beside it would go by the same."""
    same, other = ["a/x.py:ARGS", "b/x.py:ARGS"], ["c/y.py:ARGS", "c/y.py:OTHER", "W4A16"]
    assert list(short_names([*same, *other]).values()) == [*same, "y", "y:OTHER", "W4A16"]
    assert short_names(["W4A16.py:ARGS", "W4A16"])["W4A16.py:ARGS"] == "W4A16.py:ARGS"


@pytest.mark.parametrize("raised", ["sys.exit()", "sys.exit(3)", "raise ValueError(3)"])
def test_a_file_that_cannot_be_run_is_refused(raised: str, tmp_path: Path) -> None:
    """A scheme file that exits, or raises, is a ValueError that names it."""
    (tmp_path / "mine.py").write_text(f"import sys\n{raised}\n")
    with pytest.raises(ValueError, match=r"mine\.py:ARGS' raised (SystemExit|ValueError) when"):
        load_schemes([str(tmp_path / "mine.py")])


def test_a_name_that_a_file_lacks_is_named(tmp_path: Path) -> None:
    """The message has the file, the name, and what is there of the kinds looked for."""
    made = "from qparity.reference import IntFormat, QuantizationArgs\n"
    made += "MINE = QuantizationArgs()\nE3 = IntFormat(bits=3)\n"
    (tmp_path / "mine.py").write_text(made)
    with pytest.raises(ValueError, match=r"mine\.py' has no 'ARGS'; allowed: MINE$"):
        load_schemes([str(tmp_path / "mine.py")])
    with pytest.raises(ValueError, match=r"mine\.py' has no 'E4'; allowed: E3$"):
        load_object(f"{tmp_path / 'mine.py'}:E4", IntFormat)
    with pytest.raises(ValueError, match=r"has no 'E4'; allowed: a name of QuantizationScheme$"):
        load_object(f"{tmp_path / 'mine.py'}:E4", QuantizationScheme)
    assert load_object(f"{tmp_path / 'mine.py'}:MINE.num_bits") == 8


def test_one_of_several_groups_is_chosen(tmp_path: Path) -> None:
    """What takes one scheme takes no file of several, but one group of it, by name."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"config_groups": {"a": WRITTEN, "W8A8": ["Linear"]}}))
    with pytest.raises(ValueError, match=r"has 2 schemes; allowed: .*config\.json:a, .*:W8A8$"):
        load_scheme(str(path))
    assert load_scheme(f"{path}:W8A8") == ("config:W8A8", preset_name_to_scheme("W8A8"))
    with pytest.raises(ValueError, match=r"config\.json: no group 'b'; allowed: a, W8A8$"):
        load_scheme(f"{path}:b")
