"""Damaged copies of sound checkpoints through the commands: ``QPARITY_FUZZ_INPUTS`` of each."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors
from hypothesis import given

from qparity.conformance.cli import main
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


@pytest.mark.parametrize("seed", [DENSE])
def test_the_seed_is_compressed(
    seed: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is damaged above was sound."""
    files = {"model.safetensors": seed, "config.json": DENSE_CONFIG}
    dense = write(tmp_path / "dense", files)
    command = ["compress", str(dense), "--scheme", "FP8_DYNAMIC", "--out", str(tmp_path / "out")]
    assert run(command, capsys)[0] == 0
