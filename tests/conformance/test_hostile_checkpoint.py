"""A checkpoint made to do harm is refused in one line: no crash, no wait, no memory."""

import json
import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from qparity.conformance.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from tests.conformance.checkpoint_files import Fields, fields, joined, sharded, sound

MUCH = 200_000_000
TWO = bytes(16)


def refusal(action: Callable[[], object], wrong: str = ".") -> str:
    """What a checkpoint is refused with: one printable line, made in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=wrong) as refused:
            action()
        assert tracemalloc.get_traced_memory()[1] < MUCH
    finally:
        tracemalloc.stop()
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) < 800
    return message


def two(**second: object) -> Fields:
    """Two tensors, one after the other, with fields of the second changed."""
    return {"a": fields(), "b": fields(offsets=(8, 16)) | second}


def one(**changed: object) -> Fields:
    """One tensor of two float32, with fields changed."""
    return {"a": fields() | changed}


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "0 bytes"),
    "seven bytes": (b"1234567", "7 bytes"),
    "header cut": (sound()[:40], "its header would have"),
    "data cut": (sound()[:-1], "'none' end at byte|tensors end at byte"),
    "data too long": (sound() + b"1", "tensors end at byte"),
    "header longer than the file": (joined(b"{}", length=1 << 20), "its header would have"),
    "header of 2**63": (joined(b"{}", length=1 << 63), "its header would have"),
    "header of 2**64 - 1": (joined(b"{}", length=(1 << 64) - 1), "its header would have"),
    "no object": (joined(b"[]"), "does not begin with"),
    "no JSON": (joined(b"{'a': 1}"), "not JSON"),
    "two values": (joined(b"{} {}"), "not JSON"),
    "NaN for a size": (joined(b'{"a": {"shape": NaN}}'), "'a': allowed"),
    "not UTF-8": (joined(b'{"\xff": 1}'), "not UTF-8"),
    "UTF-16": (joined("{}".encode("utf-16")), "does not begin"),
    "half a surrogate pair": (joined(b'{"\\ud800": 1}'), "half a surrogate"),
    "brackets": (joined(b'{"a": ' + b"[" * 5_000_000), "nested deeper than 64"),
    "objects": (joined(b'{"a": ' * 100_000), "nested deeper than 64"),
    "a long string of brackets": (joined(b'{"' + b"[" * 5_000_000 + b'":1}'), "'a|stands|allowed"),
    "values": (joined(b"{" + b"," * 10_000_001), "more than 10,000,000 values"),
    "a name twice": (
        joined(b'{"a": %s, "a": %s}' % ((json.dumps(fields()).encode(),) * 2), bytes(8)),
        "the key 'a' stands twice",
    ),
    "a field twice": (joined(b'{"a": {"dtype": "F32", "dtype": "F32"}}'), "'dtype' stands twice"),
    "a name with a line feed": (joined({"a\nb": fields()}, bytes(8)), r"the name 'a\\nb'"),
    "a name that colours": (joined({"\x1b[31m": fields()}, bytes(8)), r"the name '\\x1b"),
    "an endless name": (joined({"a" * 100_000 + "\0": fields()}), "the name 'aaa"),
    "no fields": (joined({"a": []}), "'a': allowed: an object of dtype"),
    "a field too few": (joined({"a": {"dtype": "F32"}}), "'a': allowed: an object of dtype"),
    "a field too many": (joined({"a": fields() | {"b": 1}}, bytes(8)), "'a': allowed: an object"),
    "metadata no object": (joined({"__metadata__": 1}), "__metadata__"),
    "metadata no texts": (joined({"__metadata__": {"a": 1}}), "__metadata__"),
    "metadata deep": (joined({"__metadata__": {"a": {"b": "c"}}}), "__metadata__"),
    "unknown dtype": (joined(one(dtype="F33"), bytes(8)), "'a': dtype 'F33'; allowed: "),
    "dtype no text": (joined(one(dtype=3), bytes(8)), "'a': dtype 3"),
    "dtype a list": (joined(one(dtype=["F32"]), bytes(8)), r"'a': dtype \['F32'\]"),
    "dtype an object": (joined(one(dtype={"F32": 1}), bytes(8)), "'a': dtype 'an object'"),
    "dtype of other width": (joined(one(dtype="F64"), bytes(8)), "has 16 bytes"),
    "negative size": (joined(one(shape=(-2,)), bytes(8)), r"'a': shape '?\[-2\]"),
    "two negative sizes": (joined(one(shape=(-1, -2)), bytes(8)), r"shape '?\[-1, -2\]"),
    "size minus zero": (joined(b'{"a": {"shape": [-0]}}'), "the number -0"),
    "size of a float": (joined(one(shape=(2.0,)), bytes(8)), r"shape '?\[2.0\]"),
    "size of a truth": (joined(one(shape=(True, 2)), bytes(8)), r"shape '?\[True, 2\]"),
    "size null": (joined(one(shape=(None,)), bytes(8)), r"shape '?\[None\]"),
    "size a text": (joined(one(shape=("2",)), bytes(8)), r"shape "),
    "size a list": (joined(one(shape=([2],)), bytes(8)), r"shape '?\[\[2\]\]"),
    "shape no list": (joined(one(shape=2), bytes(8)), "'a': shape 2"),
    "shape null": (joined(one(shape=None), bytes(8)), "'a': shape None"),
    "65 sizes": (joined(one(shape=(1,) * 65), bytes(4)), "at most 64"),
    "many sizes": (joined(one(shape=(1,) * 100_000), bytes(4)), "at most 64"),
    "product of 2**64": (joined(one(shape=(1 << 32, 1 << 32)), bytes(8)), "is too large"),
    "product of 2**64 + 2": (joined(one(shape=(1 << 63, 2, 1)), bytes(8)), "shape"),
    "product of many": (joined(one(shape=(1 << 62,) * 64), bytes(8)), "is too large"),
    "nothing of huge sizes": (joined(one(shape=(0, 1 << 62, 1 << 62))), "is too large"),
    "a size of 4,000 digits": (joined(b'{"a": {"shape": [%s]}}' % (b"9" * 4000)), "the number 99"),
    "a size of a million digits": (joined(b'{"a": [%s]}' % (b"9" * 1_000_000)), "the number 99"),
    "half a byte": (
        joined(one(dtype="F4", shape=(3,), data_offsets=(0, 2)), bytes(2)),
        "1.5 b",
    ),
    "offsets back": (joined(one(data_offsets=(8, 0)), bytes(8)), "data_offsets"),
    "offset negative": (joined(one(data_offsets=(-8, 0)), bytes(8)), "data_offsets"),
    "one offset": (joined(one(data_offsets=(8,)), bytes(8)), "data_offsets"),
    "three offsets": (joined(one(data_offsets=(0, 4, 8)), bytes(8)), "data_offsets"),
    "offset of a float": (joined(one(data_offsets=(0.0, 8)), bytes(8)), "data_offsets"),
    "offset of 2**70": (joined(one(data_offsets=(1 << 70, 8 + (1 << 70))), bytes(8)), "data_offs"),
    "offset beyond the file": (joined(two(data_offsets=(1 << 40, 8 + (1 << 40))), TWO), "a hole"),
    "end beyond the file": (joined(two(shape=(4,), data_offsets=(8, 24)), TWO), "the file has"),
    "overlap": (joined(two(data_offsets=(4, 12)), bytes(12)), "'b' overlaps 'a'"),
    "the same data": (joined(two(data_offsets=(0, 8)), bytes(8)), "'b' overlaps 'a'"),
    "a hole": (joined(two(data_offsets=(12, 20)), bytes(20)), "'b' leaves a hole after 'a'"),
    "a hole before": (joined(one(data_offsets=(4, 12)), bytes(12)), "'a' leaves a hole after the"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    """The line names the file, that it is damaged, and what is wrong in it."""
    content, wrong = FILES[name]
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    message = refusal(lambda: open_checkpoint(path), wrong)
    assert message.startswith(f"{path}: not a safetensors file, or a damaged one (")


def test_a_header_of_more_than_100_mb_is_refused(tmp_path: Path) -> None:
    """A file that is large enough for its header does not make the reader read it."""
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write((100_000_001).to_bytes(8, "little") + b"{")
        file.truncate(1 << 30)
    assert "allowed: 100,000,000" in refusal(lambda: open_checkpoint(path))


INDEXES: dict[str, tuple[object, str]] = {
    "above": ({"a": "../a.safetensors"}, "plain file name"),
    "absolute": ({"a": "/etc/passwd"}, "plain file name"),
    "of Windows": ({"a": "..\\a.safetensors"}, "plain file name"),
    "itself": ({"a": "."}, "plain file name"),
    "parent": ({"a": ".."}, "plain file name"),
    "nothing": ({"a": ""}, "plain file name"),
    "null byte": ({"a": "a\0"}, "plain file name"),
    "line feed": ({"a": "a\nb"}, "plain file name"),
    "too long": ({"a": "a" * 5000}, "name too long"),
    "missing": ({"a": "c.safetensors"}, "weight_map: 'c.safetensors': No such file"),
    "a number": ({"a": 3}, "allowed: the name of a file"),
    "a list": ({"a": ["a.safetensors"]}, "allowed: the name of a file"),
    "other shard": ({"a": "b.safetensors"}, "names 'a', which b.safetensors does not hold"),
    "other tensor": ({"a": "a.safetensors", "z": "a.safetensors"}, "names 'z', which a.safetens"),
    "no map": ([], "no weight_map"),
    "empty": ({}, "no weight_map"),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    """An index may name files of its folder, that are there, and tensors that they hold."""
    weight_map, wrong = INDEXES[name]
    sharded(tmp_path, weight_map)
    message = refusal(lambda: open_checkpoint(tmp_path), wrong)
    assert "model.safetensors.index.json" in message


def linked_out(folder: Path) -> Path:
    """A shard that is a link to a file outside."""
    (folder / "secret").write_bytes(joined({"a": fields()}, bytes(8)))
    (folder / "model").mkdir()
    sharded(folder / "model")
    (folder / "model" / "a.safetensors").unlink()
    (folder / "model" / "a.safetensors").symlink_to("../secret")
    return folder / "model"


def linked_model(folder: Path) -> Path:
    """A model that is a link to a file outside."""
    (folder / "secret").write_bytes(sound())
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").symlink_to(folder / "secret")
    return folder / "model"


def circle(folder: Path) -> Path:
    """Two links, each to the other."""
    (folder / "model.safetensors").symlink_to("other.safetensors")
    (folder / "other.safetensors").symlink_to("model.safetensors")
    return folder


def circle_of_shards(folder: Path) -> Path:
    """A shard that is a link to itself."""
    sharded(folder)
    (folder / "a.safetensors").unlink()
    (folder / "a.safetensors").symlink_to("a.safetensors")
    return folder


def fifo(folder: Path) -> Path:
    """A pipe to which nobody writes."""
    os.mkfifo(folder / "model.safetensors")
    return folder


def fifo_as_index(folder: Path) -> Path:
    """An index that is a pipe."""
    os.mkfifo(folder / "model.safetensors.index.json")
    return folder


def a_socket(folder: Path) -> Path:
    """A socket with the name of a model."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("model.safetensors")
    finally:
        os.chdir(here)
    return folder


def a_folder(folder: Path) -> Path:
    """A folder with the name of a model."""
    (folder / "model.safetensors").mkdir()
    return folder


def dangling(folder: Path) -> Path:
    """A link to nothing."""
    (folder / "model.safetensors").symlink_to("gone")
    return folder


def unnamed(folder: Path) -> Path:
    """An index of no JSON."""
    (folder / "model.safetensors.index.json").write_text("{")
    return folder


def deep(folder: Path) -> Path:
    """An index of brackets."""
    (folder / "model.safetensors.index.json").write_bytes(b"[" * 5_000_000)
    return folder


PLACES: tuple[tuple[Callable[[Path], Path], str], ...] = (
    (linked_out, "a link out of the folder"),
    (linked_model, "a link out of the folder"),
    (circle, "symbolic links|circle"),
    (circle_of_shards, "symbolic links|circle"),
    (fifo, "a FIFO; allowed: an ordinary file"),
    (fifo_as_index, "a FIFO; allowed: an ordinary file"),
    (a_socket, "a socket; allowed: an ordinary file"),
    (a_folder, "a folder; allowed: an ordinary file"),
    (dangling, "No such file"),
    (unnamed, "not JSON"),
    (deep, "nested deeper than 64"),
    (Path.absolute, "a folder without model.safetensors"),
    (lambda folder: folder / "gone", "No such file"),
    (lambda folder: folder / "gone\nfile", "No such file"),
    (lambda folder: folder / "null\0byte", "null byte"),
    (lambda _: Path("/dev/zero"), "a device; allowed: an ordinary file"),
    (lambda folder: fifo(folder) / "model.safetensors", "a FIFO"),
)


@pytest.mark.parametrize(("made", "wrong"), PLACES)
def test_what_is_no_file_of_the_folder_is_refused(
    made: Callable[[Path], Path], wrong: str, tmp_path: Path
) -> None:
    """Links out and in circles, pipes, devices and folders are told apart, and never waited for."""
    path = made(tmp_path)
    assert refusal(lambda: open_checkpoint(path), wrong)


CONFIGS = (
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"[]", "not a JSON object"),
    (b"\xff\xfe{\x00}\x00", "not UTF-8"),
    (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
    (b'{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice"),
    (b"[" * 10_000_000, "nested deeper than 64"),
    (b'{"a":' * 1_000_000, "nested deeper than 64"),
    (b'["\\\\",' + b"[" * 100, "nested deeper than 64"),
    (b"[" + b"[]," * 1_000_000, "more than 1,000,000 values"),
    (b'{"a": ' + b"9" * 5000 + b"}", "the number 99"),
)


@pytest.mark.parametrize(("content", "wrong"), CONFIGS)
def test_a_config_that_is_none_is_refused(content: bytes, wrong: str, tmp_path: Path) -> None:
    """A config is a small JSON object; the tensors beside a bad one can still be read."""
    (tmp_path / "model.safetensors").write_bytes(sound())
    (tmp_path / "config.json").write_bytes(content)
    model = open_checkpoint(tmp_path)
    message = refusal(lambda: model.config, wrong)
    assert message.startswith(f"{tmp_path / 'config.json'}: ")
    assert model.read("b").shape == ()


def test_100_mb_of_brackets_are_not_read(tmp_path: Path) -> None:
    """A config is refused by its size alone."""
    (tmp_path / "model.safetensors").write_bytes(sound())
    (tmp_path / "config.json").write_bytes(b"[" * 100_000_000)
    model = open_checkpoint(tmp_path)
    refusal(lambda: model.config, "100,000,000 bytes; allowed: at most 16,000,000")


def test_a_config_elsewhere_is_refused(tmp_path: Path) -> None:
    """A config is no link out of the folder, and no pipe."""
    (tmp_path / "secret").write_text("{}")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(sound())
    model = open_checkpoint(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.symlink_to("../secret")
    assert "a link out of the folder" in refusal(lambda: model.config)
    config.unlink()
    os.mkfifo(config)
    assert "a FIFO" in refusal(lambda: model.config)


def shrink(path: Path) -> None:
    """Cut off the last byte."""
    os.truncate(path, path.stat().st_size - 1)


def replace_by_fifo(path: Path) -> None:
    """A pipe in the place of the file."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [shrink, Path.unlink, replace_by_fifo])
def test_a_file_that_changes_is_refused(change: Callable[[Path], None], tmp_path: Path) -> None:
    """What happens to a file after it was opened is told when a tensor is read."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(joined(two(), TWO))
    model = open_checkpoint(path)
    change(path)
    assert str(path) in refusal(lambda: model.read("b"))


def test_a_tensor_larger_than_the_memory_is_refused(tmp_path: Path) -> None:
    """A file of 2**50 bytes without any on the disk can be opened; its tensor is not read."""
    header = joined({"x": fields("U8", (1 << 20, 1 << 22), (0, 1 << 42))})
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + (1 << 42))
    model: Checkpoint = open_checkpoint(path)
    assert "the machine has" in refusal(lambda: model.read("x"))
    assert model.read_rows("x", 1000, 1001).shape == (1, 1 << 22)
