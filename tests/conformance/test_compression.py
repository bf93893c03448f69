"""A dense checkpoint is compressed whole or not at all, to the bits of the reference."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors
from safetensors.numpy import save

from qparity import reference
from qparity.conformance.bits import bits_of
from qparity.conformance.calibrate import calibrated
from qparity.conformance.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from qparity.conformance.cli import main
from qparity.conformance.compression import compress, compress_checkpoint, folder, tasks
from qparity.conformance.compression.layout import Tensor
from qparity.conformance.compression.select import select
from qparity.conformance.compression.shard import begin_shard
from qparity.conformance.weights import weight_presets
from qparity.reference import QuantizationScheme, preset_name_to_scheme
from tests.conformance.checkpoint_files import model
from tests.conformance.planted import Array

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "conformance" / "samples" / "dense.safetensors"
GOLDEN = ROOT / "tests" / "peers" / "golden"
PRESETS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
FP8 = preset_name_to_scheme("FP8")
CONFIG = {"architectures": ["LlamaForCausalLM"], "limit": [0.0, float("inf")]}


def weight(rows: int, columns: int, dtype: object = ml_dtypes.bfloat16) -> Array:
    """An ordinary weight."""
    return np.random.default_rng(rows).standard_normal((rows, columns)).astype(dtype)


def tensors() -> dict[str, Array]:
    """A small language model: two layers' worth, an embedding, norms."""
    return {
        "model.embed_tokens.weight": weight(5, 128),
        "model.layers.0.up_proj.weight": weight(70, 256),
        "model.layers.0.down_proj.weight": weight(33, 128),
        "model.layers.0.down_proj.bias": weight(33, 1)[:, 0],
        "model.layers.0.input_layernorm.weight": weight(128, 1)[:, 0],
        "model.layers.0.LayerNorm.weight": weight(3, 1)[:, 0],
        "model.steps": np.arange(3, dtype=np.int64),
    }


@pytest.fixture
def dense(tmp_path: Path) -> Checkpoint:
    """The model in two shards, with a config and a tokenizer."""
    folder = tmp_path / "dense"
    folder.mkdir()
    items = list(tensors().items())
    parts = {"a-1.safetensors": dict(items[:2]), "a-2.safetensors": dict(items[2:])}
    for name, part in parts.items():
        (folder / name).write_bytes(model(part))
    weight_map = {name: file for file, part in parts.items() for name in part}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "pytorch_model.bin.index.json").write_text("{}")
    (folder / "weights.bin").write_text("dense")
    return open_checkpoint(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_golden_files_are_written_again(preset: str, tmp_path: Path) -> None:
    """From the dense sample come the very bytes that upstream wrote, and its config."""
    written = tmp_path / "out"
    compress_checkpoint(open_checkpoint(SAMPLE), preset_name_to_scheme(preset), written)
    assert sorted(contents(written)) == ["config.json", "model.safetensors"]
    golden = GOLDEN / preset
    assert (written / "model.safetensors").read_bytes() == (
        golden / "model.safetensors"
    ).read_bytes()
    configs = [json.loads((path / "config.json").read_text()) for path in (written, golden)]
    assert configs[0] == configs[1]


@pytest.mark.parametrize("preset", weight_presets())
def test_pieces_give_what_the_whole_gives(
    preset: str, dense: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights compressed some rows at a time have the bits of the reference on whole weights."""
    scheme = preset_name_to_scheme(preset)
    monkeypatch.setattr(tasks, "_ELEMENTS", 1)
    compress_checkpoint(dense, scheme, tmp_path / "out")
    out = open_checkpoint(tmp_path / "out")
    for layer in ("up_proj", "down_proj"):
        x = tensors()[f"model.layers.0.{layer}.weight"]
        assert scheme.weights is not None
        whole = reference.compress({"weight": x, **calibrated(x, scheme.weights)}, scheme)
        prefix = f"model.layers.0.{layer}."
        stored = {n.removeprefix(prefix): out.read(n) for n in out.names if n.startswith(prefix)}
        stored.pop("bias", None)
        assert stored.keys() == whole.keys()
        for name, array in whole.items():
            assert (stored[name].dtype, stored[name].shape) == (array.dtype, array.shape), name
            assert (bits_of(stored[name]) == bits_of(array)).all(), name


@pytest.mark.parametrize("zp_dtype", ["int8", "float8_e4m3fn"])
@pytest.mark.parametrize("strategy", ["tensor", "channel", "block"])
def test_other_zero_points_have_the_shape_of_the_scale(
    strategy: str, zp_dtype: str, dense: Checkpoint, tmp_path: Path
) -> None:
    """Asymmetric 8-bit schemes that are no presets are stored, and the config says how."""
    args = {"num_bits": 8, "type": "int" if zp_dtype == "int8" else "float", "symmetric": False}
    args |= {"strategy": strategy, "scale_dtype": "float32"}
    args |= {"block_structure": [32, 32]} if strategy == "block" else {}
    scheme = QuantizationScheme(["Linear"], args, format="naive-quantized")
    compress_checkpoint(dense, scheme, tmp_path / "out")
    out = open_checkpoint(tmp_path / "out")
    scale = out.entry("model.layers.0.up_proj.weight_scale")
    zero_point = out.entry("model.layers.0.up_proj.weight_zero_point")
    assert (scale.dtype, scale.shape) == ("F32", zero_point.shape)
    assert out.read(zero_point.name).dtype.name == zp_dtype
    assert out.config is not None
    group = out.config["quantization_config"]["config_groups"]["group_0"]
    assert QuantizationScheme.from_dict(group) == scheme


def test_shards_stay_shards(dense: Checkpoint, tmp_path: Path) -> None:
    """Each file becomes one of the same name, with an index; configs and texts come along."""
    written = compress_checkpoint(dense, FP8, tmp_path / "out")
    out = open_checkpoint(tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == [
        *("a-1.safetensors", "a-2.safetensors", "config.json"),
        *("model.safetensors.index.json", "tokenizer.json"),
    ]
    assert out.surplus == ()
    assert (written.modules, written.copied) == (2, 5)
    for name, array in tensors().items():
        if name not in ("model.layers.0.up_proj.weight", "model.layers.0.down_proj.weight"):
            assert out.read(name).tobytes() == array.tobytes()
            assert out.read(name).dtype == array.dtype
    sizes = sum(entry.nbytes for entry in out.entries.values())
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sizes == written.after
    assert out.config is not None
    assert {key: out.config[key] for key in CONFIG} == CONFIG


def test_jobs_do_not_change_bytes(dense: Checkpoint, tmp_path: Path) -> None:
    """Two processes write what one writes, and each byte is told once."""
    seen: list[tuple[int, int]] = []
    compress_checkpoint(dense, FP8, tmp_path / "one")
    compress_checkpoint(
        dense, FP8, tmp_path / "two", jobs=2, watch=lambda done, total: seen.append((done, total))
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert seen[-1][0] == seen[-1][1] == sum(entry.nbytes for entry in dense.entries.values())


def test_a_header_is_the_librarys(tmp_path: Path) -> None:
    """Names of any kind and dtypes of any width are laid out as safetensors lays them out."""
    arrays = {
        'é"\\': weight(3, 5, np.float16),
        "b": weight(1, 1, np.float64),
        "a": weight(2, 2, np.float64),
        "i": np.arange(3, dtype=np.int64),
        "c": np.zeros((0, 4), np.uint8),
        "d": np.ones((), np.int32),
        "e": np.ones(3, np.bool_),
    }
    tags = {"float16": "F16", "float64": "F64", "int64": "I64", "uint8": "U8", "int32": "I32"}
    wanted = [Tensor(k, tags.get(x.dtype.name, "BOOL"), x.shape) for k, x in arrays.items()]
    begins = begin_shard(tmp_path / "x", wanted)
    written = bytearray((tmp_path / "x").read_bytes())
    for name, array in arrays.items():
        written[begins[name] : begins[name] + array.nbytes] = array.tobytes()
    assert bytes(written) == save(arrays, {"format": "pt"})
    assert safetensors.deserialize(bytes(written))


def test_linear_is_told_by_its_name(dense: Checkpoint) -> None:
    """Embeddings and heads are no Linear; what is left is named, but norms that upstream knows."""
    found = select(dense, ["Linear"], [])
    assert found.modules == ("model.layers.0.down_proj", "model.layers.0.up_proj")
    assert found.ignore == ("model.embed_tokens", "model.layers.0.LayerNorm", "lm_head")


def test_targets_and_ignore_are_upstreams(dense: Checkpoint) -> None:
    """A name is the whole of it, an expression its beginning, and ignoring comes last."""
    up, down = "model.layers.0.up_proj", "model.layers.0.down_proj"
    assert select(dense, [up], []).modules == (up,)
    assert select(dense, [r"re:.*embed", up], []).modules == ("model.embed_tokens", up)
    assert select(dense, ["re:model.layers.0"], [up]).modules == (down,)
    found = select(dense, ["Linear"], ["re:.*up_proj$"])
    assert (found.modules, found.ignore[0]) == ((down,), "re:.*up_proj$")
    assert up not in found.ignore


@pytest.mark.parametrize(
    ("targets", "ignore", "wrong"),
    [
        (["Conv2d"], [], "targets: 'Conv2d' matches no module"),
        (["Linear"], ["up_proj"], "ignore: 'up_proj' matches no module"),
        (["Linear"], ["re:up_proj"], "ignore: 're:up_proj' matches no module"),
        (["re:("], [], r"targets: 're:\(' is no expression"),
        (["Linear"], ["re:.*"], "no 2-D weight is selected"),
        (["re:.*layernorm"], [], "no 2-D weight is selected"),
    ],
)
def test_patterns_must_match(
    targets: list[str], ignore: list[str], wrong: str, dense: Checkpoint
) -> None:
    """A misspelt pattern is told, and so is a selection of nothing."""
    with pytest.raises(ValueError, match=wrong):
        select(dense, targets, ignore)


def only(tmp_path: Path, array: Array) -> Checkpoint:
    """A checkpoint of one weight."""
    (tmp_path / "x.safetensors").write_bytes(model({"up.weight": array}))
    return open_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("array", "preset", "wrong"),
    [
        (weight(2, 100), "W4A16", "'up.weight' has shape .2, 100.; allowed: whole groups of 128"),
        (weight(0, 128), "FP8", "'up.weight' has shape .0, 128.; allowed: at least one"),
        (weight(2, 0), "FP8_DYNAMIC", "'up.weight' has shape .2, 0.; allowed: at least one"),
        (np.ones((2, 2), np.int8), "FP8", "'up.weight' is I8; allowed: F16, BF16, F32, F64"),
        (np.array([[1, np.nan]], np.float32), "FP8", "'up.weight' has NaN or infinities"),
        (np.array([[1, np.inf]], np.float32), "FP8_DYNAMIC", "'up.weight' has NaN or infinities"),
        (np.full((2, 16), -np.inf, np.float32), "NVFP4", "'up.weight' has NaN or infinities"),
    ],
)
def test_a_weight_that_does_not_fit_is_named(
    array: Array, preset: str, wrong: str, tmp_path: Path
) -> None:
    """What cannot be compressed is told by its name, and nothing is left behind."""
    checkpoint = only(tmp_path, array)
    with pytest.raises(CheckpointError, match=wrong):
        compress_checkpoint(checkpoint, preset_name_to_scheme(preset), tmp_path / "out")
    assert sorted(contents(tmp_path)) == ["x.safetensors"]


def test_a_quantized_model_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    """What is compressed already is not compressed again."""
    compress_checkpoint(dense, FP8, tmp_path / "out")
    with pytest.raises(CheckpointError, match="has a quantization_config"):
        compress_checkpoint(open_checkpoint(tmp_path / "out"), FP8, tmp_path / "again")


@pytest.mark.parametrize("preset", ["UNQUANTIZED"])
def test_a_scheme_without_weights_is_refused(
    preset: str, dense: Checkpoint, tmp_path: Path
) -> None:
    """A scheme that compresses nothing is told."""
    with pytest.raises(ValueError, match="scheme: it leaves weights as they are"):
        compress_checkpoint(dense, preset_name_to_scheme(preset), tmp_path / "out")


def test_names_are_not_written_twice(tmp_path: Path) -> None:
    """A dense model that has a tensor of the name of a scale is refused."""
    arrays = {"up.weight": weight(2, 4), "up.weight_scale": weight(1, 1)}
    (tmp_path / "x.safetensors").write_bytes(model(arrays))
    with pytest.raises(CheckpointError, match=r"'up.weight_scale' would be written twice"):
        compress_checkpoint(open_checkpoint(tmp_path / "x.safetensors"), FP8, tmp_path / "out")


def test_surplus_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    """A tensor that the index does not place is not dropped silently."""
    with pytest.raises(CheckpointError, match="the index does not place"):
        compress_checkpoint(replace(dense, surplus=("a: b",)), FP8, tmp_path / "out")


def test_nothing_is_written_over(dense: Checkpoint, tmp_path: Path) -> None:
    """A folder or file that is there stays as it is, and is named; an empty folder is taken."""
    out = tmp_path / "out"
    out.mkdir()
    compress_checkpoint(dense, FP8, out)
    before = contents(out)
    for scheme in (FP8, preset_name_to_scheme("W8A8")):
        with pytest.raises(ValueError, match=r"out: exists; allowed: a new folder, or --force"):
            compress_checkpoint(dense, scheme, out)
    assert contents(out) == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file: exists"):
        compress_checkpoint(dense, FP8, tmp_path / "file")
    with pytest.raises(ValueError, match="cannot be written; allowed: a folder within"):
        compress_checkpoint(dense, FP8, tmp_path / "gone" / "out")


def test_force_replaces_a_compressed_checkpoint_alone(dense: Checkpoint, tmp_path: Path) -> None:
    """With force the new one takes the place of the old; nothing else may be replaced."""
    out = tmp_path / "out"
    compress_checkpoint(dense, FP8, out)
    compress_checkpoint(dense, preset_name_to_scheme("W8A8"), tmp_path / "w8a8")
    compress_checkpoint(dense, preset_name_to_scheme("W8A8"), out, force=True)
    assert contents(out) == contents(tmp_path / "w8a8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    (tmp_path / "file").write_text("mine")
    for precious in (tmp_path / "mine", tmp_path / "file", dense.folder):
        with pytest.raises(ValueError, match="replaces a compressed checkpoint, nothing else"):
            compress_checkpoint(dense, FP8, precious, force=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("dense", "file", "mine", "out", "w8a8")
    ]


def test_a_link_to_a_checkpoint_stays_a_link(dense: Checkpoint, tmp_path: Path) -> None:
    """With force, what a link leads to is replaced."""
    out, link = tmp_path / "out", tmp_path / "link"
    compress_checkpoint(dense, FP8, out)
    link.symlink_to("out")
    compress_checkpoint(dense, preset_name_to_scheme("W8A8"), link, force=True)
    assert link.is_symlink()
    assert open_checkpoint(out).entry("model.layers.0.up_proj.weight").dtype == "I8"


def test_a_failure_leaves_the_old_one(
    dense: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full the old checkpoint is there, whole, and nothing beside it."""
    out = tmp_path / "out"
    compress_checkpoint(dense, FP8, out)
    before = contents(out)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compress, "run_task", full)
    with pytest.raises(OSError, match="No space left"):
        compress_checkpoint(dense, FP8, out, force=True)
    assert contents(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dense", "out"]


def test_what_appears_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    """A folder that another made during the work stays."""
    out = tmp_path / "out"

    def write_while_another_does() -> None:
        with folder.whole_folder(out, force=False) as made:
            (made / "file").write_text("ours")
            out.mkdir()
            (out / "file").write_text("theirs")

    with pytest.raises(ValueError, match="exists"):
        write_while_another_does()
    assert (out / "file").read_text() == "theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_a_killed_process_left_is_removed(dense: Checkpoint, tmp_path: Path) -> None:
    """A temporary folder that nobody holds any more goes with the next run; a held one stays."""
    left, held = (tmp_path / f".out.{name}.tmp" for name in ("left", "held"))
    for path in (left, held):
        path.mkdir()
        (path / "file").touch()
        os.utime(path, (time.time() - 1000,) * 2)
    lock = folder._locked(held)
    assert lock is not None
    try:
        compress_checkpoint(dense, FP8, tmp_path / "out")
    finally:
        os.close(lock)
    assert not left.exists()
    assert held.exists()


def test_the_folder_has_ordinary_rights(dense: Checkpoint, tmp_path: Path) -> None:
    """The umask alone says who may read what is written."""
    compress_checkpoint(dense, FP8, tmp_path / "out")
    (tmp_path / "made").mkdir()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("out", "made")}
    assert len(modes) == 1


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["gone", "--scheme", "FP8", "--out", "out"], "gone: No such file or directory"),
        (["dense", "--scheme", "FP9", "--out", "out"], "unknown preset 'FP9'"),
        (["dense", "--scheme", "UNQUANTIZED", "--out", "out"], "it leaves weights as they are"),
        (["dense", "--scheme", "FP8", "--out", "dense"], "dense: exists"),
        (["dense", "--scheme", "FP8", "--out", "a/b"], "allowed: a folder within an existing one"),
        (["dense", "--scheme", "FP8"], "required: --out"),
        (["dense", "--scheme", "FP8", "--out", "out", "--jobs", "0"], "allowed: 1 or more"),
        (["dense", "--scheme", "FP8", "--out", "out", "--ignore", "re:*"], "is no expression"),
        (["dense", "--scheme", "FP8", "--out", "out", "--target", "x"], "matches no module"),
    ],
)
@pytest.mark.usefixtures("dense")
def test_bad_usage_is_one_line(
    arguments: list[str],
    wrong: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever is wrong is one line and exit code 2, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["compress", *arguments])
    captured = capsys.readouterr()
    assert (exit_.value.code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert wrong in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["dense"]


@pytest.mark.usefixtures("dense")
def test_the_command_tells_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for what was written, one for each that was ignored, one for missing scales."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["compress", "dense", "--scheme", "nvfp4", "--out", "out", "--ignore", "re:.*down"])
    lines = capsys.readouterr().out.splitlines()
    assert exit_.value.code == 0
    assert lines[0].startswith("WRITTEN out: nvfp4-pack-quantized, 1 modules compressed, 6 tensors")
    assert lines[1] == "  ignored: re:.*down"
    assert lines[-1].startswith("  no scales of the inputs")


WRITE_FOR_EVER = """
import itertools, sys
from pathlib import Path
from qparity.conformance.checkpoint import open_checkpoint
from qparity.conformance.compression import compress_checkpoint
from qparity.reference import preset_name_to_scheme
dense = open_checkpoint(sys.argv[1])
for preset in itertools.cycle(["FP8", "W8A8"]):
    compress_checkpoint(dense, preset_name_to_scheme(preset), Path(sys.argv[2]), force=True)
    print(preset, flush=True)
"""


def test_a_kill_leaves_the_old_or_the_new(dense: Checkpoint, tmp_path: Path) -> None:
    """A process that replaces one checkpoint by another is killed at any moment: one is there."""
    out = tmp_path / "out"
    wholes = []
    for preset in ("FP8", "W8A8"):
        compress_checkpoint(dense, preset_name_to_scheme(preset), tmp_path / preset)
        wholes.append(contents(tmp_path / preset))
    shutil.copytree(tmp_path / "FP8", out)
    rng = np.random.default_rng(0)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, dense.folder, out],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            time.sleep(float(rng.random()) * 0.1)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert contents(out) in wholes
