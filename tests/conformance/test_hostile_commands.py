"""Commands that read checkpoints survive those made to do harm: one line, and nothing written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qparity.conformance.cli import main
from tests.conformance.checkpoint_files import fields, joined, model, sharded, sound
from tests.conformance.test_hostile_checkpoint import CONFIGS, FILES, INDEXES, PLACES

COMMANDS = {
    "compress": ("compress", "{}", "--scheme", "FP8", "--out", "out"),
    "inspect": ("inspect", "{}"),
    "verify": ("verify", "numpy", "--weights", "{}"),
}


def check_refused(
    command: str, path: Path, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """A command on a path: exit code 2, one line on standard error, no file more or less."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        main([word.format(path) for word in COMMANDS[command]])
    captured = capsys.readouterr()
    assert (exit_.value.code, captured.out) == (2, "")
    assert captured.err.startswith("qparity: ")
    assert captured.err.count("\n") == 1
    assert captured.err.removesuffix("\n").isprintable()
    assert sorted(folder.rglob("*")) == before


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_one_line(
    name: str, command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every damage of a file ends every command with one line and exit code 2."""
    (place / "x.safetensors").write_bytes(FILES[name][0])
    check_refused(command, place / "x.safetensors", capsys, place)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", INDEXES)
def test_a_damaged_index_is_one_line(
    name: str, command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every damage of an index likewise."""
    check_refused(command, sharded(place, INDEXES[name][0]), capsys, place)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("made", [made for made, _ in PLACES])
def test_a_place_that_is_no_checkpoint_is_one_line(
    made: Callable[[Path], Path], command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every link, pipe and device likewise."""
    check_refused(command, made(place), capsys, place)


@pytest.mark.parametrize("command", ["compress", "inspect"])
@pytest.mark.parametrize("content", [content for content, _ in CONFIGS])
def test_a_damaged_config_is_one_line(
    content: bytes, command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every damage of a config ends the commands that need one."""
    (place / "model").mkdir()
    (place / "model" / "model.safetensors").write_bytes(sound())
    (place / "model" / "config.json").write_bytes(content)
    check_refused(command, place / "model", capsys, place)


BLOCKS = {"strategy": "block", "block_structure": [2**40, 2**40], "type": "float"}
SENSELESS: tuple[object, ...] = (
    *(1, [], "compressed-tensors", True, {"config_groups": 1}, {"config_groups": []}),
    *({"config_groups": {"a": 1}}, {"config_groups": {"a": {}}}, {"config_groups": {"a": ["x"]}}),
    *({"config_groups": {"FP8": ["re:("]}}, {"config_groups": {"FP8": ["re:(((a+)+)+)+$"]}}),
    {"config_groups": {"FP8": ["Linear"]}, "ignore": 1, "format": 1, "quantization_status": []},
    {"config_groups": {"FP8": ["Linear"]}, "ignore": [1], "format": "dense", "kv_cache_scheme": 1},
    {"config_groups": {"a": {"targets": 1, "weights": {}}}},
    {"config_groups": {"a": {"targets": ["Linear"], "weights": {"num_bits": 10**60}}}},
    {"config_groups": {"a": {"targets": ["Linear"], "weights": {"num_bits": 1e300}}}},
    {"config_groups": {"a": {"targets": ["Linear"], "weights": {"group_size": 2**62}}}},
    {"config_groups": {"a": {"targets": ["Linear"], "weights": {"block_structure": [2**62, 1]}}}},
    {"config_groups": {"a": {"targets": ["Linear"], "weights": BLOCKS}}},
)


@pytest.mark.parametrize("config", SENSELESS, ids=lambda config: str(config)[:60])
def test_a_senseless_config_is_told(
    config: object, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON that is no quantization_config is a violation or unreadable, at once; never a crash."""
    arrays = {
        f"{'a' * 40}.weight": np.ones((2, 32), np.float16),
        "b.weight": np.ones((2, 32), np.int8),
        "b.weight_scale": np.full((1, 1), np.nan, np.float16),
        "c.weight_packed": np.ones((2, 32), np.int32),
        "c.weight_scale": -np.ones((2, 1), np.float16),
        "c.weight_shape": np.array([-1, 1 << 62]),
    }
    (place / "model.safetensors").write_bytes(model(arrays))
    (place / "config.json").write_text(json.dumps({"quantization_config": config}))
    before = sorted(place.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        main(["inspect", str(place)])
    captured = capsys.readouterr()
    assert exit_.value.code in (1, 2)
    assert captured.err.count("\n") == (exit_.value.code == 2)
    assert sorted(place.rglob("*")) == before


def test_a_companion_out_of_the_folder_is_not_copied(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link among the texts of a model does not bring a file from elsewhere along."""
    (place / "secret.json").write_text("{}")
    (place / "model").mkdir()
    header = {"a.weight": fields("F32", (1, 2), (0, 8))}
    (place / "model" / "model.safetensors").write_bytes(joined(header, bytes(8)))
    (place / "model" / "config.json").write_text(json.dumps({"architectures": 5}))
    (place / "model" / "tokenizer.json").symlink_to("../secret.json")
    check_refused("compress", place / "model", capsys, place)
