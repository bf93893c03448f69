"""What an inspection says of the tensors that pass through, against their dense originals."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from qparity.conformance.bits import Array
from qparity.conformance.calibrate import calibrated
from qparity.conformance.compression.config import quantization_config
from qparity.conformance.inspection import Inspection, inspect_checkpoint
from qparity.conformance.inspection.page import inspection_to_html
from qparity.conformance.inspection.report import verdict
from qparity.reference import QuantizationScheme, compress, preset_name_to_scheme
from tests.conformance.checkpoint_files import model
from tests.conformance.damage import MODULE
from tests.conformance.test_inspection import dense_weight, golden, violations, written

PASSING = {
    "norm.weight": np.full(4, 1.5, np.float32),
    "norm.bias": np.full(4, 1.5, np.float32),
    f"{MODULE}.bias": np.full(384, 1.5, np.float32),
    "logit_scale": np.array(4.6, np.float32),
    "position": np.arange(4, dtype=np.int32),
}


def inspected(folder: Path, passing: dict[str, Array]) -> Inspection:
    """A golden with these other tensors, against a dense checkpoint with those of ``PASSING``."""
    tensors, config = golden("W4A16")
    stored = {f"{MODULE}.{local}": array for local, array in tensors.items()}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(model(stored | passing))
    dense = folder / "dense.safetensors"
    dense.write_bytes(model({f"{MODULE}.weight": dense_weight()} | PASSING))
    return inspect_checkpoint(folder, dense)


@pytest.mark.parametrize("lost", [None, *PASSING])
def test_what_is_lost_is_named(lost: str | None, tmp_path: Path) -> None:
    """A tensor that passes through and is lost is named, also where its module has others."""
    kept = {name: array for name, array in PASSING.items() if name != lost}
    inspection = inspected(tmp_path, kept)
    assert violations(inspection) == (set() if lost is None else {"tensor-missing"})
    assert [finding.tensor for finding in inspection.findings] == ([] if lost is None else [lost])


@pytest.mark.parametrize("name", PASSING)
def test_what_differs_is_shown(name: str, tmp_path: Path) -> None:
    """A number that differs is shown with its bits, also that of a tensor without axes."""
    other = PASSING[name].copy()
    other[() if other.ndim == 0 else 2] = 7
    (finding,) = inspected(tmp_path, PASSING | {name: other}).findings
    assert finding.id == "tensor-differs"
    assert finding.place == (name if other.ndim == 0 else f"{name}[2]")
    assert finding.bits == ("0x00000007 7" if other.dtype == np.int32 else "0x40e00000 7")
    assert (finding.count, finding.total) == (1, other.size)


CASTS = (
    *(("norm.bias", dtype) for dtype in (np.int16, np.int32, np.bool_, ml_dtypes.float8_e4m3fn)),
    (f"{MODULE}.bias", np.int16),
    ("logit_scale", np.uint8),
    ("position", np.int64),
    ("position", np.float32),
)


@pytest.mark.parametrize(("name", "dtype"), CASTS)
def test_casts_that_lose_the_kind_are_named(name: str, dtype: type, tmp_path: Path) -> None:
    """A tensor cast to anything but a float that computes is wrong, though the cast is right."""
    (finding,) = inspected(tmp_path, PASSING | {name: PASSING[name].astype(dtype)}).findings
    assert (finding.id, finding.tensor, finding.severity) == ("dtype-wrong", name, "VIOLATION")
    dense = "F32 or BF16 or F16 or F64" if PASSING[name].dtype == np.float32 else "I32"
    assert finding.expected == dense


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_floats_are_cast_to_floats(dtype: type, tmp_path: Path) -> None:
    """A float may be stored as another float, and its bits are those of the cast."""
    cast = {n: a.astype(dtype) for n, a in PASSING.items() if a.dtype == np.float32}
    assert inspected(tmp_path, PASSING | cast).findings == []


def stacked(weight: Array, scheme: QuantizationScheme) -> dict[str, Array]:
    """A stack of two experts, compressed."""
    assert scheme.weights is not None
    parts = [compress({"weight": weight, **calibrated(weight, scheme.weights)}, scheme)] * 2
    found = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return found | {"weight_shape": np.array((2, *weight.shape), np.int64)}


@pytest.mark.parametrize("others", [0, 1])
def test_what_is_not_compared_is_counted(others: int, tmp_path: Path) -> None:
    """Experts in a stack are not compared: the line says so, and alone they are exit 5."""
    weight, (tensors, config) = dense_weight(), golden("W4A16")
    modules = {"experts": stacked(weight, preset_name_to_scheme("W4A16"))}
    dense = {"experts.weight": np.stack([weight] * 2)}
    if others:
        modules[MODULE] = tensors
        dense[f"{MODULE}.weight"] = weight
    stored = {f"{m}.{local}": array for m, some in modules.items() for local, array in some.items()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(model(stored))
    original = tmp_path / "dense.safetensors"
    original.write_bytes(model(dense))
    assert inspect_checkpoint(tmp_path).exit_code == 0
    inspection = inspect_checkpoint(tmp_path, original)
    assert [finding.id for finding in inspection.findings] == ["not-compared"]
    assert inspection.exit_code == (0 if others else 5)
    assert inspection.not_compared == 1
    head = "FINE" if others else "NOTHING COMPARED"
    count = f"{others + 1} modules, 1 of them not compared, against {original}"
    assert verdict(inspection) == f"{head}: {tmp_path}: {count}; 0 other tensors"
    assert ('<span class="failed">' in inspection_to_html(inspection)) == (not others)


def test_a_weight_without_codes_is_compared_or_counted(tmp_path: Path) -> None:
    """A weight of a scheme of inputs alone passes through; one in a dense format is counted."""
    inputs = preset_name_to_scheme("FP8").input_activations
    weights = preset_name_to_scheme("W8A8").weights
    for scheme, format_, ids, not_compared in (
        (QuantizationScheme(("Linear",), None, inputs), "dense", ["tensor-differs"], 0),
        (QuantizationScheme(("Linear",), weights), "dense", ["not-compared"], 1),
    ):
        config = quantization_config(scheme, format_, []) | {"quantization_status": "frozen"}
        weight = dense_weight()
        original = tmp_path / "dense.safetensors"
        original.write_bytes(model({f"{MODULE}.weight": weight}))
        weight[3, 4] = 7
        scale = "weight_scale" if scheme.weights is not None else "input_scale"
        shape = (384, 1) if scheme.weights is not None else (1,)
        tensors = {"weight": weight, scale: np.ones(shape, weight.dtype)}
        written(tmp_path, tensors, {"quantization_config": config})
        inspection = inspect_checkpoint(tmp_path, original)
        found = [f.id for f in inspection.findings if f.id != "format-unusual"]
        assert found == ids
        assert inspection.not_compared == not_compared
