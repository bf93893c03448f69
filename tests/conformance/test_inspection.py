"""Inspections of the goldens, and of copies of them that are damaged in one way each."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity.conformance.bits import Array
from qparity.conformance.calibrate import calibrated
from qparity.conformance.checkpoint import open_checkpoint
from qparity.conformance.compression.config import quantization_config
from qparity.conformance.inspection import VIOLATION, Inspection, inspect_checkpoint
from qparity.conformance.inspection.report import inspection_to_json
from qparity.reference import (
    QuantizationArgs,
    QuantizationScheme,
    compress,
    infer_format,
    pack_to_int32,
    preset_name_to_scheme,
    quantize,
    unpack_from_int32,
)
from tests.conformance.checkpoint_files import model
from tests.conformance.damage import DAMAGES, MODULE, Damage

ROOT = Path(__file__).parents[2]
DENSE = ROOT / "conformance" / "samples" / "dense.safetensors"
COPIED = ROOT / "tests" / "peers" / "golden"
PRESETS = (
    *("FP8", "FP8_BLOCK", "FP8_DYNAMIC", "MXFP4A16", "MXFP6A16", "MXFP8A16", "NVFP4"),
    *("NVFP4A16", "W2A16", "W3A16", "W4A16", "W4A16_ASYM", "W8A16", "W8A8"),
)
Content = tuple[dict[str, Array], dict[str, Any]]


@cache
def golden(preset: str) -> Content:
    """A golden checkpoint: upstream's, or, bit for bit the same, the reference's."""
    folder = COPIED / preset
    if folder.is_dir():
        checkpoint = open_checkpoint(folder)
        tensors = {name.rpartition(".")[2]: checkpoint.read(name) for name in checkpoint.names}
        return tensors, checkpoint.config or {}
    scheme = preset_name_to_scheme(preset)
    assert scheme.weights is not None
    dense = open_checkpoint(DENSE)
    weight = dense.read(dense.names[0])
    tensors = compress({"weight": weight, **calibrated(weight, scheme.weights)}, scheme)
    return tensors, {"quantization_config": quantization_config(scheme, infer_format(scheme), [])}


def written(folder: Path, tensors: dict[str, Array], config: dict[str, Any]) -> Path:
    """A checkpoint of the one module."""
    (folder / "config.json").write_text(json.dumps(config))
    full = {f"{MODULE}.{local}": array for local, array in tensors.items()}
    (folder / "model.safetensors").write_bytes(model(full))
    return folder


def damaged(folder: Path, damage: Damage) -> Path:
    """A golden with a damage."""
    tensors, config = golden(damage.golden)
    tensors = {local: array.copy() for local, array in tensors.items()}
    config = deepcopy(config)
    damage.apply(tensors, config)
    return written(folder, tensors, config)


def violations(inspection: Inspection) -> set[str]:
    """The names of the violations."""
    return {finding.id for finding in inspection.findings if finding.severity == VIOLATION}


@pytest.mark.parametrize("preset", PRESETS)
def test_goldens_are_fine(preset: str, tmp_path: Path) -> None:
    """A golden has no violation, alone and against its dense weights, and is by min/max."""
    folder = written(tmp_path, *golden(preset))
    assert violations(inspect_checkpoint(folder)) == set()
    inspection = inspect_checkpoint(folder, DENSE)
    assert violations(inspection) == set()
    assert inspection.exit_code == 0
    (module,) = inspection.modules
    assert module.calibration == "min/max, codes recomputed alike"
    assert module.shape == (384, 384)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_damages_are_named(damage: Damage, tmp_path: Path) -> None:
    """A damaged golden has the violation that names the damage; dense weights hide none of it."""
    folder = damaged(tmp_path, damage)
    alone, against = (inspect_checkpoint(folder, dense) for dense in (None, DENSE))
    assert (violations(alone) & set(damage.ids) == set()) == damage.against
    assert violations(against) & set(damage.ids)
    assert against.exit_code == 1
    for finding in (*alone.findings, *against.findings):
        assert finding.line.isprintable()
        assert finding.expected


def test_there_are_many_damages() -> None:
    """There are at least 60 functions of damages, which change each of the presets."""
    assert len({damage.apply for damage in DAMAGES}) >= 60
    assert {damage.golden for damage in DAMAGES} == set(PRESETS)


@pytest.mark.parametrize("local", ["weight_packed", "weight_zero_point"])
def test_unused_bits_are_seen(local: str, tmp_path: Path) -> None:
    """A bit beyond the last code of the last word is a violation, at that word; without it none."""
    args = QuantizationArgs(num_bits=3, symmetric=False, strategy="channel")
    scheme = QuantizationScheme(("Linear",), args)
    dense = open_checkpoint(DENSE)
    weight = dense.read(dense.names[0])[:37, :41].copy()
    tensors = compress({"weight": weight, **calibrated(weight, args)}, scheme)
    config = {"quantization_config": quantization_config(scheme, infer_format(scheme), [])}
    original = tmp_path / "dense.safetensors"
    original.write_bytes(model({f"{MODULE}.weight": weight}))
    folder = written(tmp_path, tensors, config)
    assert violations(inspect_checkpoint(folder, original)) == set()
    tensors[local][-1, -1] |= np.int32(-(1 << 31))
    (finding,) = inspect_checkpoint(written(tmp_path, tensors, config), original).findings
    assert finding.id == f"{'code' if local == 'weight_packed' else 'zero-point'}-unused-bits"
    assert finding.position == tuple(n - 1 for n in tensors[local].shape)
    assert finding.count == 1


def scheme_of_observer(observer: str | None) -> QuantizationScheme:
    """W4A16 in groups of 128."""
    args = QuantizationArgs(num_bits=4, strategy="group", group_size=128, observer=observer)
    return QuantizationScheme(("Linear",), args)


@pytest.mark.parametrize(("factor", "words"), [(0.75, "scales as given"), (1.0, "min/max")])
def test_other_calibrations_are_recognised(factor: float, words: str, tmp_path: Path) -> None:
    """Scales that are not by min/max, and the codes that they give, are a note and no violation."""
    scheme = scheme_of_observer("mse")
    weight = dense_weight()
    assert scheme.weights is not None
    state = {"weight": weight, **calibrated(weight, scheme.weights)}
    state["weight_scale"] = state["weight_scale"] * np.array(factor, weight.dtype)
    config = {"quantization_config": quantization_config(scheme, infer_format(scheme), [])}
    inspection = inspect_checkpoint(written(tmp_path, compress(state, scheme), config), DENSE)
    assert violations(inspection) == set()
    assert inspection.modules[0].calibration == f"{words}, codes recomputed alike"
    assert [f.id for f in inspection.findings] == (["not-minmax"] if factor < 1 else [])


def test_codes_of_fused_kernels_are_recognised(tmp_path: Path) -> None:
    """Codes that were rounded from float32, as on a GPU, are a note and no violation."""
    scheme = scheme_of_observer(None)
    weight = dense_weight()
    assert scheme.weights is not None
    state = {"weight": weight, **calibrated(weight, scheme.weights)}
    tensors, config = (deepcopy(part) for part in golden("W4A16"))
    codes = quantize(
        weight,
        state["weight_scale"],
        None,
        scheme.weights,
        dtype=np.dtype(np.int8),
        compute_dtype=np.dtype(np.float32),
    )
    packed = pack_to_int32(codes, 4)
    assert (packed != tensors["weight_packed"]).any()
    tensors["weight_packed"] = packed
    inspection = inspect_checkpoint(written(tmp_path, tensors, config), DENSE)
    assert violations(inspection) == set()
    assert [f.id for f in inspection.findings] == ["computed-in-float32"]


@pytest.mark.parametrize("preset", ["MXFP4A16", "MXFP6A16"])
def test_mx_from_before_scale_dtype_is_read_as_mx(preset: str, tmp_path: Path) -> None:
    """Codes of MX scales under a config that names no dtype of the scale are a note, and judged."""
    tensors, config = (deepcopy(part) for part in golden(preset))
    config["quantization_config"]["config_groups"]["group_0"]["weights"]["scale_dtype"] = None
    inspection = inspect_checkpoint(written(tmp_path, tensors, config), DENSE)
    assert [finding.id for finding in inspection.findings] == ["scale-dtype-missing"]
    assert (violations(inspection), inspection.exit_code) == (set(), 0)
    tensors["weight_scale"] = tensors["weight_scale"] + np.uint8(1)
    wrong = inspect_checkpoint(written(tmp_path, tensors, config), DENSE)
    assert violations(wrong)


def test_codes_under_a_config_without_quantization_are_told(tmp_path: Path) -> None:
    """Codes that no config speaks of are a violation; a dense checkpoint has nothing to inspect."""
    tensors, _ = golden("W4A16")
    inspection = inspect_checkpoint(written(tmp_path, tensors, {"model_type": "bert"}))
    assert (violations(inspection), inspection.exit_code) == ({"no-scheme"}, 1)
    dense = inspect_checkpoint(written(tmp_path, {"weight": dense_weight()}, {}))
    assert (dense.findings, dense.exit_code) == ([], 5)


def dense_weight() -> Array:
    """The dense weight of the goldens."""
    dense = open_checkpoint(DENSE)
    return dense.read(dense.names[0])


def several(folder: Path) -> Path:
    """A checkpoint of three modules, a norm, an embedding and a head, and its dense one."""
    tensors, config = (deepcopy(part) for part in golden("W4A16"))
    full = {f"layers.{i}.up": tensors for i in range(3)}
    rest = {"norm.weight": np.ones(4, np.float32), "embed_tokens.weight": dense_weight()}
    rest["lm_head.weight"] = dense_weight()
    config["quantization_config"]["ignore"] = ["lm_head"]
    stored = {
        f"{m}.{local}": array for m, locals_ in full.items() for local, array in locals_.items()
    }
    (folder / "model.safetensors").write_bytes(model(stored | rest))
    (folder / "config.json").write_text(json.dumps(config))
    dense = folder / "dense"
    dense.mkdir()
    weights = {f"{module}.weight": dense_weight() for module in full}
    (dense / "model.safetensors").write_bytes(model(weights | rest))
    return folder


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    """The report is the same from two processes as from one, and all bytes are told."""
    folder = several(tmp_path)
    told: list[tuple[int, int]] = []
    reports = [
        inspection_to_json(
            inspect_checkpoint(folder, folder / "dense", jobs=jobs, watch=lambda *n: told.append(n))
        )
        for jobs in (1, 2)
    ]
    assert reports[0] == reports[1]
    assert reports[0]["summary"] == {
        "modules": 3,
        "not_compared": 0,
        "other_tensors": 3,
        "violations": 0,
        "notes": 0,
        "exit_code": 0,
    }
    assert told[-1][0] == told[-1][1] > 0


def test_tensors_that_pass_through_are_compared(tmp_path: Path) -> None:
    """A tensor that is not quantized and differs from the dense one, lacks, or is new is named."""
    folder = several(tmp_path)
    dense = folder / "dense" / "model.safetensors"
    checkpoint = open_checkpoint(dense)
    tensors = {name: checkpoint.read(name) for name in checkpoint.names}
    tensors["norm.weight"][2] = 2
    tensors["layers.3.up.weight"] = tensors["layers.2.up.weight"]
    del tensors["embed_tokens.weight"]
    dense.write_bytes(model(tensors))
    found = {f.id: f for f in inspect_checkpoint(folder, folder / "dense").findings}
    assert found["tensor-differs"].place == "norm.weight[2]"
    assert found["tensor-missing"].tensor == "layers.3.up.weight"
    assert found["tensor-surplus"].tensor == "embed_tokens.weight"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda codes: codes.reshape(-1, 2)[:, ::-1].reshape(codes.shape), "pair of columns"),
        (lambda codes: codes.T, "transposed"),
        (lambda codes: codes[::-1], "reverse order"),
        (lambda codes: ((codes & 15) - 8).astype(np.int8), "two's complement"),
        (lambda codes: codes - (codes > 0), "one step"),
        (lambda codes: codes // 2, ""),
    ],
)
def test_codes_are_explained(rule: Callable[[Array], Array], words: str, tmp_path: Path) -> None:
    """Codes that one careless rule made of the right ones are a violation that names the rule."""
    tensors, config = (deepcopy(part) for part in golden("W4A16"))
    codes = unpack_from_int32(tensors["weight_packed"], 4, (384, 384))
    tensors["weight_packed"] = pack_to_int32(np.ascontiguousarray(rule(codes), np.int8), 4)
    found = inspect_checkpoint(written(tmp_path, tensors, config), DENSE).findings
    (finding,) = (f for f in found if f.id == "code-differs")
    assert words in finding.hint
    assert bool(words) == bool(finding.hint)
