"""Real weights are read bit by bit, or refused with one clear message."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from qparity.conformance.bits import bits_of
from qparity.conformance.case import expected_outputs
from qparity.conformance.weights import fits, matrices, read_tensors, weight_presets, weights_cases
from qparity.reference import PRESET_SCHEMES, preset_name_to_scheme
from tests.conformance.checkpoint_files import fields, joined
from tests.conformance.planted import Array
from tests.conformance.test_bits import patterns

SAMPLE = Path(__file__).parents[2] / "conformance" / "samples" / "dense.safetensors"


def saved(x: Array, dtype: str, path: Path) -> Path:
    """A safetensors file of one tensor, ``x``."""
    path.write_bytes(joined({"x": fields(dtype, x.shape, (0, x.nbytes))}, x.tobytes()))
    return path


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *(("float16", "F16"), ("bfloat16", "BF16"), ("float32", "F32"), ("float64", "F64")),
        *(("float8_e4m3fn", "F8_E4M3"), ("float8_e5m2", "F8_E5M2")),
        *(("int8", "I8"), ("uint8", "U8"), ("int32", "I32"), ("int64", "I64")),
    ],
)
def test_tensors_are_read_as_bits(name: str, written: str, tmp_path: Path) -> None:
    """Every bit pattern of a dtype is read as it lies in the file, in its shape."""
    x = patterns(name)[:4096].reshape(2, -1)
    read = read_tensors(saved(x, written, tmp_path / "x.safetensors"))["x"]
    assert (read.dtype, read.shape) == (x.dtype, x.shape)
    assert (bits_of(read) == bits_of(x)).all()


def test_tensors_of_other_dtypes_are_left_out(tmp_path: Path) -> None:
    """A tensor whose dtype numpy lacks does not get in the way."""
    header = {"x": fields("F4", (2, 4), (0, 4))}
    (tmp_path / "x.safetensors").write_bytes(joined(header, bytes(4)))
    assert read_tensors(tmp_path / "x.safetensors") == {}


def test_the_sample_has_weights() -> None:
    """The embedded sample is real weights in bfloat16, finite, not constant, in whole groups."""
    found = matrices(read_tensors(SAMPLE))
    assert found
    for weight in found.values():
        assert weight.dtype == ml_dtypes.bfloat16
        assert np.isfinite(weight).all()
        assert len(np.unique(bits_of(weight))) > 100
        assert weight.shape[1] % 128 == 0


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(keep: int, tmp_path: Path) -> None:
    """Wherever a file is cut, the message is one line that names it."""
    path = tmp_path / "cut.safetensors"
    path.write_bytes(SAMPLE.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"cut\.safetensors: not a safetensors file, or a damaged"):
        read_tensors(path)


@pytest.mark.parametrize("content", [b"not a safetensors file at all", b"\xff" * 400, b"{}"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    """Garbage is refused by the same message."""
    path = tmp_path / "junk.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"junk\.safetensors: not a safetensors file"):
        read_tensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there says so."""
    with pytest.raises(ValueError, match=r"gone\.safetensors: No such file or directory"):
        read_tensors(tmp_path / "gone.safetensors")


def test_only_float_matrices_that_are_not_empty_count() -> None:
    """Vectors, 3-D, integer and empty tensors are no weights."""
    tensors = {
        "weight": np.ones((2, 4), np.float16),
        "bias": np.ones(4, np.float16),
        "experts": np.ones((2, 2, 4), np.float16),
        "packed": np.ones((2, 4), np.int32),
        "empty": np.ones((0, 4), np.float16),
    }
    assert list(matrices(tensors)) == ["weight"]


def test_weight_presets_have_every_kind_of_weight_once() -> None:
    """Of presets that quantize weights alike one is run; none is forgotten."""
    found = weight_presets()
    kinds = [scheme.weights for scheme in found.values()]
    wanted = {preset["weights"] for preset in PRESET_SCHEMES.values() if "weights" in preset}
    assert set(kinds) == wanted
    assert len(kinds) == len(wanted)


@pytest.mark.parametrize(
    ("preset", "columns", "whole"),
    [
        *(("W4A16", 128, True), ("W4A16", 100, False), ("NVFP4A16", 32, True)),
        *(("NVFP4A16", 40, False), ("MXFP4A16", 48, False), ("FP8_BLOCK", 100, True)),
        *(("FP8", 7, True), ("W8A8", 7, True)),
    ],
)
def test_columns_must_be_whole_groups(preset: str, columns: int, whole: bool) -> None:
    """A weight fits the presets whose groups divide its columns, and every one without groups."""
    weight = np.ones((2, columns), np.float32)
    assert fits(weight, preset_name_to_scheme(preset)) == whole


@pytest.mark.parametrize("preset", weight_presets())
def test_a_weight_goes_through_every_step(preset: str) -> None:
    """Range, qparams, compress, decompress and fake_quantize; tensor groups a global scale too."""
    weight = np.random.default_rng(0).standard_normal((4, 128)).astype(np.float32)
    scheme = preset_name_to_scheme(preset)
    cases = list(weights_cases(weight, scheme))
    steps = ["minmax", "calculate_qparams", "compress", "decompress", "fake_quantize"]
    if preset.startswith("NVFP4"):
        steps.insert(1, "generate_gparam")
    assert [case.op for case in cases] == steps
    assert all(expected_outputs(case) for case in cases)


def test_a_scheme_without_weights_has_no_cases() -> None:
    """Where weights are not quantized there is nothing to run."""
    weight = np.ones((2, 4), np.float32)
    assert list(weights_cases(weight, preset_name_to_scheme("UNQUANTIZED"))) == []
