"""Damaged copies of sound checkpoints, as many as ``QPARITY_FUZZ_INPUTS`` says (100 by default).

A longer run: ``QPARITY_FUZZ_INPUTS=100000 python -m pytest tests/conformance/test_fuzz_*.py``.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qparity.conformance.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from qparity.conformance.checkpoint.dtypes import BITS, DTYPES
from tests.conformance.checkpoint_files import fields, joined, sharded, sound

INPUTS = int(os.environ.get("QPARITY_FUZZ_INPUTS", "100"))
MANY = settings(
    max_examples=INPUTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)
GOLDEN = Path(__file__).parents[1] / "peers" / "golden" / "NVFP4"
SEEDS = (
    sound(),
    joined({"a": fields(), "b": fields("U8", (3, 0), (8, 8))}, bytes(8)),
    joined({}),
    (GOLDEN / "model.safetensors").read_bytes(),
)
NUMBERS = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63)]),
    st.floats(),
    st.booleans(),
    st.none(),
)
PIECES = st.one_of(
    st.binary(max_size=4),
    st.sampled_from([b"[", b"]", b"{", b"}", b'"', b"\\", b"\\u", b"\\ud800", b",", b":", b"-"]),
    st.sampled_from([b"\xff", b"\0", b"null", b"1e9", b"NaN", b'"a"', b"99999999999999999999"]),
)


@st.composite
def damaged(draw: Callable[..., Any], seeds: tuple[bytes, ...]) -> bytes:
    """A sound file with a few pieces replaced, put in or cut out, or cut off at the end."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, min(len(content), 400)) | st.integers(0, len(content)))
        cut = draw(st.sampled_from([0, 1, 1, 2, 8, 1 << 20]))
        content = content[:start] + draw(PIECES) + content[start + cut :]
    if draw(st.booleans()) and len(content) >= 8:
        return joined(content[8:], length=min(int.from_bytes(content[:8], "little"), len(content)))
    return bytes(content)


@st.composite
def headers(draw: Callable[..., Any]) -> bytes:
    """A file whose header is of the right form, and mostly of wrong numbers."""
    names = draw(st.lists(st.text(max_size=3), max_size=3, unique=True))
    end, header = 0, {}
    for name in names:
        dtype = draw(st.sampled_from([*BITS, "F31", "f32", ""]))
        shape = draw(st.lists(st.integers(0, 4), max_size=3) | st.lists(NUMBERS, max_size=3))
        elements = 1
        for size in shape:
            elements *= size if isinstance(size, int) and 0 <= size < 5 else 1
        nbytes = elements * BITS.get(dtype, 8) // 8
        offsets: Any = [end, end + nbytes]
        if draw(st.integers(0, 5)) == 0:
            offsets = draw(st.lists(NUMBERS, min_size=1, max_size=3))
        header[name] = fields(dtype, shape, offsets)
        end += nbytes
    raw = json.dumps(header, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return joined(raw, draw(st.just(bytes(end)) | st.binary(max_size=40)))


def opened(path: Path) -> Checkpoint | None:
    """The checkpoint; None if it was refused, by one line that can be printed."""
    try:
        return open_checkpoint(path)
    except CheckpointError as error:
        check_message(error)
        return None


def check_message(error: CheckpointError) -> None:
    """A message is one line that can be printed."""
    assert str(error).isprintable()
    assert len(str(error)) < 800


def check_file(content: bytes, folder: Path) -> bool:
    """Whether a file is read; if so, then as the library reads it."""
    path = folder / "x.safetensors"
    path.write_bytes(content)
    before = sorted(folder.iterdir())
    model = opened(path)
    assert sorted(folder.iterdir()) == before
    if model is None:
        return False
    judged = dict(safetensors.deserialize(content))
    assert set(model.names) == set(judged)
    for name, tensor in judged.items():
        entry = model.entry(name)
        assert (entry.dtype, list(entry.shape)) == (tensor["dtype"], tensor["shape"])
        if entry.dtype in DTYPES:
            assert model.read(name).tobytes() == bytes(tensor["data"])
    return True


@MANY
@given(content=damaged(SEEDS))
@example(content=SEEDS[0])
def test_a_mutant_is_refused_or_read_as_the_library_reads_it(
    content: bytes, tmp_path: Path
) -> None:
    """Whatever bytes a file has: one line, or the tensors that safetensors finds in it."""
    check_file(content, tmp_path)


@MANY
@given(content=headers())
def test_a_header_is_refused_or_read_as_the_library_reads_it(
    content: bytes, tmp_path: Path
) -> None:
    """Whatever numbers a header has: one line, or the tensors that safetensors finds in it."""
    check_file(content, tmp_path)


@pytest.mark.parametrize("content", SEEDS)
def test_the_seeds_are_sound(content: bytes, tmp_path: Path) -> None:
    """What is damaged above was sound, so that a mutant can be read at all."""
    assert check_file(content, tmp_path)


INDEX = json.dumps({"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}).encode()
CONFIG = (GOLDEN / "config.json").read_bytes()


@MANY
@given(index=damaged((INDEX,)), config=damaged((CONFIG[:300], CONFIG[-200:], b'{"a": [1]}')))
def test_an_index_and_a_config_are_refused_or_read(
    index: bytes, config: bytes, tmp_path: Path
) -> None:
    """Whatever bytes they have: one line, or shards of the folder and a JSON object."""
    sharded(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_bytes(index)
    (tmp_path / "config.json").write_bytes(config)
    model = opened(tmp_path)
    if model is not None:
        assert {shard.parent for shard in model.shards} == {tmp_path}
        assert set(model.names) <= {"a", "b"}
    try:
        assert isinstance(open_checkpoint(tmp_path / "a.safetensors").config, dict)
    except CheckpointError as error:
        check_message(error)
