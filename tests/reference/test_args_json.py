"""``QuantizationArgs`` from and to JSON: every form that exists, two writers, nothing lost."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from qparity.reference import (
    PRESET_SCHEMES,
    QuantizationArgs,
    QuantizationScheme,
    calculate_qparams,
    minmax,
    preset_name_to_scheme,
)
from tests.reference.test_args import fixed, valid_args

FULL = {
    "num_bits": 4,
    "type": "int",
    "symmetric": False,
    "group_size": 128,
    "strategy": "group",
    "block_structure": None,
    "dynamic": False,
    "actorder": None,
    "scale_dtype": "bfloat16",
    "zp_dtype": "int8",
    "observer": "minmax",
    "observer_kwargs": {},
}
ARGS = QuantizationArgs(
    num_bits=4,
    symmetric=False,
    group_size=128,
    scale_dtype="bfloat16",  # type: ignore[arg-type]
    observer="minmax",
)


def on_disk(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """What is written for a checkpoint, the two dtypes alone."""
    written = QuantizationArgs(**fields).to_dict(on_disk=True)
    return {key: written[key] for key in ("scale_dtype", "zp_dtype")}


@fixed
@given(valid_args())
def test_to_dict_loses_nothing(args: QuantizationArgs) -> None:
    """Written, sent through JSON text and read, any valid args are equal to what they were."""
    text = json.dumps(args.to_dict())
    assert QuantizationArgs.from_dict(json.loads(text)) == args


@fixed
@given(valid_args())
def test_what_is_left_out_is_the_default(args: QuantizationArgs) -> None:
    """The short form of 0.20.0, in which defaults are left out, reads as the full form does."""
    default = QuantizationArgs(num_bits=args.num_bits, type=args.type).to_dict()
    full = args.to_dict()
    needed = ("num_bits", "type", "strategy")
    short = {key: value for key, value in full.items() if key in needed or value != default[key]}
    assert QuantizationArgs.from_dict(short) == args


@pytest.mark.parametrize(
    "data",
    [
        FULL,
        {key: value for key, value in FULL.items() if value is not None},
        FULL | {"scale_dtype": "torch.bfloat16", "zp_dtype": "torch.int8"},
        FULL | {"zp_dtype": None},
        FULL | {"strategy": None, "observer_kwargs": None, "type": "INT"},
        {"num_bits": 4, "symmetric": False, "group_size": 128, "scale_dtype": "bfloat16"}
        | {"observer": "minmax"},
    ],
)
def test_every_form_in_the_wild_is_read(data: dict[str, Any]) -> None:
    """All keys with nulls, nulls left out, dtypes as torch writes them, defaults left out."""
    assert QuantizationArgs.from_dict(data) == ARGS


@pytest.mark.parametrize(
    ("actorder", "read"),
    [("group", "group"), ("dynamic", "group"), (True, "group"), ("static", "weight")],
)
def test_old_checkpoints_are_read(actorder: object, read: str) -> None:
    """Args of releases up to 0.18: no ``scale_dtype``, no ``zp_dtype``, an order by group."""
    old = {"num_bits": 4, "type": "int", "symmetric": True, "group_size": 128, "strategy": "group"}
    old |= {"block_structure": None, "dynamic": False, "observer": "minmax", "observer_kwargs": {}}
    args = QuantizationArgs.from_dict(old | {"actorder": actorder})
    assert (args.actorder, args.scale_dtype) == (read, None)


@pytest.mark.parametrize("key", ["bits", "scale_type", "Num_bits", "", 3])
def test_an_unknown_key_is_refused_by_name(key: object) -> None:
    """The message names the key and those that there are, wherever it stands."""
    with pytest.raises(ValueError, match="args: unknown key") as raised:
        QuantizationArgs.from_dict({**FULL, key: 8})  # type: ignore[dict-item]
    assert repr(key) in str(raised.value)
    assert "'num_bits'" in str(raised.value)
    scheme = {"targets": ["Linear"], "weights": {key: 8}}
    with pytest.raises(ValueError, match="unknown key"):
        QuantizationScheme.from_dict(scheme)


@pytest.mark.parametrize("data", [None, [], "int8", 3, [("num_bits", 8)]])
def test_what_is_no_mapping_is_refused(data: Any) -> None:  # noqa: ANN401 - any value
    """The message names the type that was given."""
    with pytest.raises(TypeError, match=f"args: {type(data).__name__} is not allowed"):
        QuantizationArgs.from_dict(data)


def test_the_full_form_has_every_key() -> None:
    """``to_dict`` writes all fields, in order, as plain JSON values."""
    assert ARGS.to_dict() == FULL
    assert list(ARGS.to_dict()) == list(FULL)
    block = QuantizationArgs(strategy="block", block_structure=(128, 64)).to_dict()
    assert block["block_structure"] == [128, 64]


def test_the_kv_cache_on_disk() -> None:
    """fp8 per tensor, static: the scale in bfloat16, no zero-point."""
    written = on_disk(num_bits=8, type="float", strategy="tensor", scale_dtype="bfloat16")
    assert written == {"scale_dtype": "bfloat16", "zp_dtype": None}


def test_nvfp4_on_disk() -> None:
    """Weights have scales in e4m3, input activations, whose scales are local, have null."""
    scheme = preset_name_to_scheme("NVFP4").to_dict(on_disk=True)
    weights, inputs = scheme["weights"], scheme["input_activations"]
    assert (weights["strategy"], weights["group_size"]) == ("tensor_group", 16)
    assert (weights["scale_dtype"], weights["zp_dtype"]) == ("float8_e4m3fn", None)
    assert (inputs["dynamic"], inputs["scale_dtype"], inputs["zp_dtype"]) == ("local", None, None)


def test_fp8_dynamic_on_disk() -> None:
    """Weights per channel have scales in bfloat16, inputs per token, made at run time, null."""
    channel = on_disk(num_bits=8, type="float", strategy="channel", scale_dtype="bfloat16")
    assert channel == {"scale_dtype": "bfloat16", "zp_dtype": None}
    token = {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True}
    assert on_disk(**token) == {"scale_dtype": None, "zp_dtype": None}
    assert on_disk(**token, scale_dtype="bfloat16") == {"scale_dtype": None, "zp_dtype": None}


def test_w4a16_asymmetric_on_disk() -> None:
    """Groups of 128 with a zero-point keep both dtypes; the zero-point's is the logical int8."""
    written = on_disk(num_bits=4, symmetric=False, group_size=128, scale_dtype="bfloat16")
    assert written == {"scale_dtype": "bfloat16", "zp_dtype": "int8"}


@pytest.mark.parametrize("dynamic", [True, False])
def test_mx_on_disk_keeps_its_scale_dtype(dynamic: bool) -> None:
    """There uint8 is part of the format, whether scales are made at run time or not."""
    mx = {"num_bits": 4, "type": "float", "group_size": 32, "scale_dtype": "uint8"}
    written = on_disk(**mx, dynamic=dynamic)
    assert written == {"scale_dtype": "uint8", "zp_dtype": None}


@fixed
@given(valid_args())
def test_only_what_is_not_there_is_null_on_disk(args: QuantizationArgs) -> None:
    """The writers agree but for symmetric zero-points and scales that are made at run time."""
    full, written = args.to_dict(), args.to_dict(on_disk=True)
    expected = dict(full)
    if args.symmetric:
        expected["zp_dtype"] = None
    if args.dynamic in (True, "local") and not args.is_mx:
        expected["scale_dtype"] = None
    assert written == expected


@pytest.mark.parametrize("preset", [name for name, p in PRESET_SCHEMES.items() if "weights" in p])
def test_reading_the_nulls_back_changes_no_bits(preset: str) -> None:
    """The weights' scales of a preset are the same after a checkpoint was written and read."""
    args = preset_name_to_scheme(preset).weights
    assert args is not None
    read = QuantizationArgs.from_dict(args.to_dict(on_disk=True))
    assert read.resolved_scale_dtype == args.resolved_scale_dtype
    x = np.random.default_rng(0).standard_normal((4, 256)).astype(np.float32)
    scales = [calculate_qparams(*minmax(x, a), a)[0] for a in (args, read)]
    assert scales[0].tobytes() == scales[1].tobytes()


def test_a_null_of_fp4_tensor_groups_changes_no_bits() -> None:
    """There a ``scale_dtype`` of null computes with e4m3, as the field itself would say."""
    options: dict[str, Any] = {"num_bits": 4, "type": "float", "strategy": "tensor_group"}
    given_, null = (
        QuantizationArgs(**options, group_size=16, scale_dtype=dtype)
        for dtype in ("float8_e4m3fn", None)
    )
    hi = np.geomspace(1e-4, 1e3, 999, dtype=np.float32)
    scales = [calculate_qparams(-hi, hi, args)[0] for args in (given_, null)]
    assert scales[0].tobytes() == scales[1].tobytes()
