"""Damaged copies of sound checkpoints through the commands: ``QPARITY_FUZZ_INPUTS`` of each."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st

from qparity.conformance.checkpoint import open_checkpoint
from qparity.conformance.cli import main
from qparity.conformance.compression import compress_checkpoint
from qparity.reference import preset_name_to_scheme
from tests.conformance.checkpoint_files import model
from tests.conformance.test_fuzz_checkpoint import CONFIG, MANY, damaged

DENSE = model(
    {
        "model.embed_tokens.weight": np.ones((2, 4), np.float16),
        "model.up.weight": np.arange(8, dtype=np.float32).reshape(2, 4),
        "model.up.bias": np.ones(2, np.float16),
        "norm.weight": np.ones(4, np.float16),
    }
)
DENSE_CONFIG = b'{"architectures": ["LlamaForCausalLM"], "quantization_config": null, "a": [1.5]}'


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The command in this process: any exception but its exit would be a traceback."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, captured.out, captured.err


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A folder with these files alone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@MANY
@given(content=damaged((DENSE,)), config=damaged((DENSE_CONFIG, DENSE_CONFIG, CONFIG)))
def test_a_mutant_is_compressed_or_refused(
    content: bytes, config: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the bytes: a checkpoint that the library reads, or one line and nothing written."""
    files = {"model.safetensors": content, "config.json": config}
    dense, out = write(tmp_path / "dense", files), tmp_path / "out"
    code, told, wrong = run(
        ["compress", str(dense), "--scheme", "FP8_DYNAMIC", "--out", str(out), "--jobs", "1"],
        capsys,
    )
    if code == 0:
        assert told.startswith("WRITTEN")
        assert safetensors.deserialize((out / "model.safetensors").read_bytes())
        shutil.rmtree(out)
    else:
        assert (code, told, wrong.count("\n")) == (2, "", 1)
        assert wrong.removesuffix("\n").isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["dense"]
    assert {path.name: path.read_bytes() for path in dense.iterdir()} == files


PRESETS = ("W4A16_ASYM", "NVFP4", "MXFP6A16", "FP8_BLOCK", "W8A8")
LARGE = model({"up.weight": np.linspace(-3, 5, 2 * 256, dtype=np.float32).reshape(2, 256)})


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    """A weight under one preset of each format, as files."""
    folder = tmp_path_factory.mktemp("compressed")
    (folder / "dense.safetensors").write_bytes(LARGE)
    dense, found = open_checkpoint(folder / "dense.safetensors"), {}
    for preset in PRESETS:
        compress_checkpoint(dense, preset_name_to_scheme(preset), folder / preset)
        found[preset] = {path.name: path.read_bytes() for path in (folder / preset).iterdir()}
    return found


@MANY
@given(preset=st.sampled_from(PRESETS), data=st.data(), against=st.booleans())
def test_a_mutant_is_inspected_or_refused(
    preset: str,
    data: st.DataObject,
    against: bool,
    compressed: Mapping[str, Mapping[str, bytes]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the bytes: a verdict, or one line; and nothing is written."""
    files = {name: data.draw(damaged((content,))) for name, content in compressed[preset].items()}
    out = write(tmp_path / "out", files)
    (tmp_path / "dense.safetensors").write_bytes(LARGE)
    options = ["--against", str(tmp_path / "dense.safetensors")] if against else []
    code, told, wrong = run(["inspect", str(out), *options], capsys)
    assert code in (0, 1, 2, 5)
    if code == 2:
        assert (told, wrong.count("\n")) == ("", 1)
        assert wrong.removesuffix("\n").isprintable()
    else:
        assert (bool(told), wrong) == (True, "")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files


@pytest.mark.parametrize("preset", PRESETS)
def test_the_compressed_are_sound(
    preset: str,
    compressed: Mapping[str, Mapping[str, bytes]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is damaged above is what its config claims, and what its dense weight gives."""
    out = write(tmp_path / "out", compressed[preset])
    (tmp_path / "dense.safetensors").write_bytes(LARGE)
    arguments = ["inspect", str(out), "--against", str(tmp_path / "dense.safetensors")]
    assert run(arguments, capsys)[0] == 0


@pytest.mark.parametrize("seed", [DENSE])
def test_the_seed_is_compressed(
    seed: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is damaged above was sound."""
    files = {"model.safetensors": seed, "config.json": DENSE_CONFIG}
    dense = write(tmp_path / "dense", files)
    command = ["compress", str(dense), "--scheme", "FP8_DYNAMIC", "--out", str(tmp_path / "out")]
    assert run(command, capsys)[0] == 0
