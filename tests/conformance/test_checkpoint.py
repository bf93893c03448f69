"""Checkpoints are opened by their headers alone, and read bit by bit."""

import json
import pickle
import tracemalloc
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from qparity.conformance.bits import bits_of
from qparity.conformance.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from qparity.conformance.checkpoint.dtypes import DTYPES
from tests.conformance.checkpoint_files import fields, joined, sharded, sound

SAMPLE = Path(__file__).parents[2] / "conformance" / "samples" / "dense.safetensors"
GOLDEN = Path(__file__).parents[1] / "peers" / "golden"


@pytest.fixture
def model(tmp_path: Path) -> Checkpoint:
    """The sound file, in a folder."""
    (tmp_path / "model.safetensors").write_bytes(sound())
    return open_checkpoint(tmp_path)


def test_a_folder_is_its_model(model: Checkpoint, tmp_path: Path) -> None:
    """Names are sorted, and each entry is what the header says."""
    shard = tmp_path / "model.safetensors"
    assert model.names == ("a.weight", "b", "none")
    assert model.shards == (shard,)
    entry = model.entry("a.weight")
    assert (entry.dtype, entry.shape, entry.nbytes, entry.shard) == ("BF16", (2, 4), 16, shard)
    assert open_checkpoint(shard).entries == model.entries


def test_tensors_are_the_bits_of_the_file(model: Checkpoint) -> None:
    """A tensor has the bits, dtype and shape of the file; a scalar and an empty one too."""
    weight = model.read("a.weight")
    assert (weight.dtype, weight.shape) == (ml_dtypes.bfloat16, (2, 4))
    assert weight.tobytes() == bytes(range(16))
    assert model.read("b").shape == ()
    assert model.read("none").shape == (0, 3)


def test_rows_are_those_of_the_whole(model: Checkpoint) -> None:
    """Rows read alone are the rows of the tensor; those it lacks are refused."""
    whole = model.read("a.weight")
    for start, stop in ((0, 2), (1, 2), (1, 1)):
        rows = model.read_rows("a.weight", start, stop)
        assert rows.shape == (stop - start, 4)
        assert (bits_of(rows) == bits_of(whole[start:stop])).all()
    for name, start, stop in (("a.weight", 0, 3), ("a.weight", -1, 1), ("b", 0, 1)):
        with pytest.raises(ValueError, match="rows"):
            model.read_rows(name, start, stop)


def test_an_array_is_the_callers_own(model: Checkpoint) -> None:
    """Writing to what was read changes neither the file nor the next reading."""
    model.read("a.weight")[:] = 0
    assert model.read("a.weight").tobytes() == bytes(range(16))


@pytest.mark.parametrize("tag", sorted(DTYPES))
def test_every_dtype_is_read_as_the_library_writes_it(tag: str, tmp_path: Path) -> None:
    """Of each tag the bytes come back as the dtype that the table has."""
    dtype = DTYPES[tag]
    data = bytes(range(1, 1 + 4 * dtype.itemsize))
    header = {"x": fields(tag, (2, 2), (0, len(data)))}
    (tmp_path / "x.safetensors").write_bytes(joined(header, data))
    with safetensors.safe_open(tmp_path / "x.safetensors", "numpy") as judge:
        assert judge.get_slice("x").get_dtype() == tag
    x = open_checkpoint(tmp_path / "x.safetensors").read("x")
    assert (x.dtype, x.shape, x.tobytes()) == (dtype, (2, 2), data)


def test_a_dtype_that_numpy_lacks_is_told(tmp_path: Path) -> None:
    """A tensor of less than a byte an element is listed, and refused when it is read."""
    (tmp_path / "x.safetensors").write_bytes(joined({"x": fields("F4", (4,), (0, 2))}, b"ab"))
    model = open_checkpoint(tmp_path / "x.safetensors")
    assert model.entry("x").shape == (4,)
    with pytest.raises(CheckpointError, match=r"'x': dtype F4 cannot be read; allowed: BOOL"):
        model.read("x")


def test_a_sharded_folder_is_one_checkpoint(tmp_path: Path) -> None:
    """The index says which file holds which tensor, and either path opens it."""
    model = open_checkpoint(sharded(tmp_path))
    assert model.names == ("a", "b")
    assert [shard.name for shard in model.shards] == ["a.safetensors", "b.safetensors"]
    assert model.entry("b").shard == tmp_path / "b.safetensors"
    index = open_checkpoint(tmp_path / "model.safetensors.index.json")
    assert index.entries == model.entries
    assert index.folder == model.folder == tmp_path


def test_what_the_index_does_not_name_is_surplus(tmp_path: Path) -> None:
    """A tensor that a shard holds beside the index is told, and not read."""
    both = joined({"b": fields(), "c": fields(offsets=(8, 16))}, bytes(16))
    model = open_checkpoint(sharded(tmp_path, b=both))
    assert (model.names, model.surplus) == (("a", "b"), ("b.safetensors: c",))
    with pytest.raises(CheckpointError, match="no tensor 'c'"):
        model.read("c")


def test_a_folder_of_the_hub_cache_is_read(tmp_path: Path) -> None:
    """Links from a snapshot to the blobs of its model are followed."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "1234"
    for folder in (blobs, snapshot):
        folder.mkdir(parents=True)
    (blobs / "5678").write_bytes(sound())
    (blobs / "9abc").write_text("{}")
    (snapshot / "model.safetensors").symlink_to("../../blobs/5678")
    (snapshot / "config.json").symlink_to("../../blobs/9abc")
    model = open_checkpoint(snapshot)
    assert model.names == ("a.weight", "b", "none")
    assert model.config == {}


def test_the_config_is_the_one_beside(model: Checkpoint, tmp_path: Path) -> None:
    """No config is None; one is its object, infinities too, as Python's own JSON writes them."""
    assert model.config is None
    (tmp_path / "config.json").write_text('{"limit": [0.0, Infinity]}')
    assert model.config == {"limit": [0.0, float("inf")]}
    assert open_checkpoint(tmp_path / "model.safetensors").config == model.config


def test_a_checkpoint_travels(model: Checkpoint) -> None:
    """Another process gets a checkpoint by pickle, without the data, and reads the same."""
    other = pickle.loads(pickle.dumps(model))
    assert other == model
    assert other.read("a.weight").tobytes() == model.read("a.weight").tobytes()


def test_memory_is_that_of_the_tensor(tmp_path: Path) -> None:
    """Opening a file of 256 MB and reading a row takes no memory for the rest."""
    rows, row = 1 << 16, 1 << 12
    header = joined({"x": fields("U8", (rows, row), (0, rows * row))})
    with (tmp_path / "x.safetensors").open("wb") as file:
        file.write(header)
        file.truncate(len(header) + rows * row)
    tracemalloc.start()
    try:
        assert open_checkpoint(tmp_path / "x.safetensors").read_rows("x", 9, 10).sum() == 0
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", [SAMPLE, *sorted(GOLDEN.glob("*/model.safetensors"))], ids=str)
def test_real_files_are_read_as_the_library_reads_them(path: Path) -> None:
    """Names, dtypes, shapes and bytes of the goldens are those that safetensors gives."""
    model = open_checkpoint(path)
    judged = dict(safetensors.deserialize(path.read_bytes()))
    assert set(model.names) == set(judged)
    for name, tensor in judged.items():
        entry = model.entry(name)
        assert (entry.dtype, list(entry.shape)) == (tensor["dtype"], tensor["shape"])
        assert model.read(name).tobytes() == bytes(tensor["data"])
    if path != SAMPLE:
        assert model.config == json.loads((path.parent / "config.json").read_text())


def test_a_file_of_the_library_is_read(tmp_path: Path) -> None:
    """What safetensors writes from numpy comes back."""
    x = np.arange(6, dtype=np.float16).reshape(2, 3)
    safetensors.numpy.save_file({"x": x}, tmp_path / "x.safetensors")
    assert (open_checkpoint(tmp_path / "x.safetensors").read("x") == x).all()
