"""``QuantizationScheme``: validation, JSON, presets and inferred formats."""

import copy
import json
import pickle
import warnings
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qparity.reference import (
    PRESET_SCHEMES,
    QuantizationArgs,
    QuantizationScheme,
    infer_format,
    preset_name_to_scheme,
)
from tests.reference.test_args import fixed, valid_args

FORMATS = (
    *("dense", "sparse-bitmask", "sparse-24-bitmask", "int-quantized", "float-quantized"),
    *("naive-quantized", "pack-quantized", "marlin-24", "nvfp4-pack-quantized"),
    *("mxfp4-pack-quantized", "mxfp6-pack-quantized", "mxfp8-quantized"),
)
TOKEN = QuantizationArgs(strategy="token", dynamic=True)
GROUP = QuantizationArgs(num_bits=4, group_size=128)


@st.composite
def valid_schemes(draw: st.DrawFn) -> QuantizationScheme:
    """Any valid scheme; activations without ``actorder``, inputs of a strategy that inputs have."""
    inputs = valid_args().filter(
        lambda a: a.actorder is None and a.strategy not in ("channel", "block")
    )
    outputs = valid_args().filter(lambda a: a.actorder is None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return QuantizationScheme(
            draw(st.lists(st.text("Lab:."), max_size=2)),  # type: ignore[arg-type]
            draw(st.none() | valid_args()),
            draw(st.none() | inputs),
            draw(st.none() | outputs),
            draw(st.sampled_from([None, *FORMATS])),
        )


@fixed
@given(valid_schemes())
@pytest.mark.filterwarnings("ignore:group_size")
def test_to_dict_loses_nothing(scheme: QuantizationScheme) -> None:
    """Written, sent through JSON text and read, any valid scheme is equal to what it was."""
    assert QuantizationScheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme


@fixed
@given(valid_schemes())
@pytest.mark.filterwarnings("ignore:group_size")
def test_schemes_can_be_pickled_copied_and_hashed(scheme: QuantizationScheme) -> None:
    """A pickle and a deep copy are equal, frozen and hash alike."""
    for again in (pickle.loads(pickle.dumps(scheme)), copy.deepcopy(scheme)):
        assert again == scheme
        assert hash(again) == hash(scheme)
        with pytest.raises(FrozenInstanceError):
            again.format = None


def test_on_disk_reaches_the_args() -> None:
    """The writer for checkpoints writes each of the args as they write themselves."""
    scheme = QuantizationScheme(("Linear",), GROUP, TOKEN, TOKEN)
    written = scheme.to_dict(on_disk=True)
    assert written["weights"] == GROUP.to_dict(on_disk=True)
    assert written["input_activations"] == TOKEN.to_dict(on_disk=True)
    assert written["output_activations"]["zp_dtype"] is None
    assert list(written) == [
        *("targets", "weights", "input_activations", "output_activations", "format"),
    ]


def test_args_may_be_given_as_mappings() -> None:
    """A mapping in the place of args is read as they are; targets may be a list."""
    scheme = QuantizationScheme(["Linear"], GROUP.to_dict())  # type: ignore[arg-type]
    assert scheme == QuantizationScheme(("Linear",), GROUP)
    assert scheme.targets == ("Linear",)


@pytest.mark.parametrize("strategy", ["channel", "block"])
def test_inputs_have_the_strategies_of_activations(strategy: str) -> None:
    """Channels and blocks are for weights: as inputs they are refused, by field and strategy."""
    block = (2, 2) if strategy == "block" else None
    args = QuantizationArgs(strategy=strategy, block_structure=block)
    with pytest.raises(
        ValueError, match=f"input_activations: strategy '{strategy}' is not allowed"
    ):
        QuantizationScheme(("Linear",), None, args)
    assert QuantizationScheme(("Linear",), args).weights == args


@pytest.mark.parametrize("side", ["input_activations", "output_activations"])
def test_activations_have_no_order(side: str) -> None:
    """``actorder`` is of weights alone."""
    args = QuantizationArgs(actorder="weight")
    with pytest.raises(ValueError, match=f"{side}: actorder 'weight' is not allowed"):
        QuantizationScheme(("Linear",), **{side: args})


def test_groups_of_different_sizes_warn() -> None:
    """Weights and inputs of one type in groups of different sizes are allowed, with a warning."""
    other = QuantizationArgs(num_bits=4, group_size=64, dynamic=True)
    with pytest.warns(UserWarning, match="group_size: weights have 128, input_activations 64"):
        QuantizationScheme(("Linear",), GROUP, other)
    same = QuantizationArgs(num_bits=4, group_size=128, dynamic=True)
    assert QuantizationScheme(("Linear",), GROUP, same).input_activations == same


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_upstream_is_a_name(name: str) -> None:
    """A scheme may name any format, also those that are not written here."""
    assert QuantizationScheme(("Linear",), format=name).format == name


@pytest.mark.parametrize("name", ["mixed-precision", "zip", "", 3])
def test_other_formats_are_refused(name: Any) -> None:  # noqa: ANN401 - any value
    """The message names the format and those that there are."""
    with pytest.raises(ValueError, match=r"format: .* is not allowed; allowed: None or"):
        QuantizationScheme(("Linear",), format=name)


@pytest.mark.parametrize("name", PRESET_SCHEMES)
def test_presets_are_found_in_any_case(name: str) -> None:
    """Upper and lower case name the same preset; targets are the caller's."""
    scheme = preset_name_to_scheme(name.lower(), ["q_proj", "k_proj"])
    assert scheme == QuantizationScheme(("q_proj", "k_proj"), **PRESET_SCHEMES[name])
    assert preset_name_to_scheme(name).targets == ("Linear",)


def test_the_presets_are_those_of_upstream() -> None:
    """The names of release 0.20.0, no more and no fewer."""
    integers = {
        *("W2A4", "W2A8", "W2A16", "W3A4", "W3A8", "W3A16", "W4A4", "W4A8", "W4A16"),
        *("W5A8", "W5A16", "W6A8", "W6A16", "W7A8", "W7A16", "W8A16"),
    }
    others = {
        *("UNQUANTIZED", "W4A16_ASYM", "W8A8", "INT8", "W4AFP8", "FP8", "FP8_DYNAMIC"),
        *("FP8_BLOCK", "NVFP4A16", "NVFP4", "MXFP4A16", "MXFP4", "MXFP4XFP8", "MXFP6A16"),
        *("MXFP6A8", "MXFP8A16", "MXFP8"),
    }
    assert set(PRESET_SCHEMES) == integers | others


def test_presets_cannot_change() -> None:
    """The table of presets is not one that a caller may edit."""
    with pytest.raises(TypeError):
        PRESET_SCHEMES["MINE"] = {}  # type: ignore[index]


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        *(("UNQUANTIZED", "dense"), ("W8A8", "int-quantized"), ("INT8", "int-quantized")),
        *(
            ("W4A16", "pack-quantized"),
            ("W4A16_ASYM", "pack-quantized"),
            ("W3A16", "pack-quantized"),
        ),
        *(("FP8", "float-quantized"), ("FP8_DYNAMIC", "float-quantized")),
        *(("FP8_BLOCK", "float-quantized"), ("NVFP4", "nvfp4-pack-quantized")),
        *(("NVFP4A16", "nvfp4-pack-quantized"), ("MXFP4", "mxfp4-pack-quantized")),
        *(("MXFP4A16", "mxfp4-pack-quantized"), ("MXFP6A16", "mxfp6-pack-quantized")),
        *(("MXFP8", "mxfp8-quantized"), ("MXFP8A16", "mxfp8-quantized")),
    ],
)
def test_the_format_follows_from_the_scheme(preset: str, name: str) -> None:
    """Each preset is stored in the format that upstream infers for it."""
    assert infer_format(preset_name_to_scheme(preset)) == name


def test_groups_of_32_in_fp8_are_mx_only_with_power_of_two_scales() -> None:
    """fp8 in groups of 32 is ``mxfp8-quantized`` if its scale is in uint8, else like any fp8."""
    for scale_dtype, name in (("uint8", "mxfp8-quantized"), (None, "naive-quantized")):
        args = QuantizationArgs(type="float", group_size=32, scale_dtype=scale_dtype)
        assert infer_format(QuantizationScheme(("Linear",), args)) == name
