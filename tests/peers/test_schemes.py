"""Args, schemes, presets and inferred formats against compressed-tensors."""

import json
from itertools import product
from typing import Any

import numpy as np
import pytest
from compressed_tensors.quantization import QuantizationArgs as PeerArgs
from compressed_tensors.quantization import QuantizationScheme as PeerScheme
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity import reference
from qparity.reference import PRESET_SCHEMES, QuantizationArgs, QuantizationScheme
from tests.peers import generators, upstream

judged = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def plain(value: object) -> object:
    """A field of either library as JSON would hold it."""
    if isinstance(value, np.dtype):
        return value.name
    if type(value).__module__ == "torch":
        return str(value).removeprefix("torch.")
    if isinstance(value, tuple):
        return list(value)
    if hasattr(value, "items"):
        return dict(value.items())
    return getattr(value, "value", value)


def fields_of(args: QuantizationArgs | PeerArgs | None) -> dict[str, object] | None:
    """All fields of either library's args; upstream keeps the alias ``static`` as it was given."""
    if args is None:
        return None
    found = {name: plain(getattr(args, name)) for name in PeerArgs.model_fields}
    return found | {"actorder": {"static": "weight"}.get(str(args.actorder), found["actorder"])}


def fields_of_scheme(scheme: QuantizationScheme | PeerScheme) -> dict[str, object]:
    """All fields of either library's scheme."""
    written: dict[str, object] = {
        "targets": list(scheme.targets),
        "format": plain(scheme.format),
    }
    for name in ("weights", "input_activations", "output_activations"):
        written[name] = fields_of(getattr(scheme, name))
    return written


@st.composite
def args_both_take(draw: st.DrawFn) -> dict[str, Any]:
    """Keyword arguments that are valid in both libraries, some of them left out."""
    kind = draw(st.sampled_from(["int", "float", "INT"]))
    bits = draw(st.integers(1, 8) if kind.lower() == "int" else st.sampled_from([4, 6, 8]))
    strategy = draw(
        st.sampled_from(
            [None, "tensor", "channel", "group", "tensor_group", "block", "token", "attn_head"]
        )
    )
    size = None
    if strategy in ("group", "tensor_group"):
        size = draw(st.sampled_from([1, 16, 32, 128]))
    elif strategy is None:
        size = draw(st.sampled_from([None, -1, 16, 32]))
    dynamic = {"token": [True], "tensor": [False, True], "group": [False, True]}
    dynamic["tensor_group"] = [False, True, "local"]
    small_float = kind == "float" and bits < 8
    scale_dtype = draw(st.sampled_from([None, *generators.SCALE_DTYPES]))
    mx = kind == "float" and size == 32 and scale_dtype == "uint8"
    prefix = draw(st.sampled_from(["", "torch."]))
    block = draw(st.sampled_from([[128, 128], "16x32", (1, 7)]))
    given = {
        "num_bits": bits,
        "type": kind,
        "symmetric": True if small_float or mx else draw(st.booleans()),
        "group_size": size,
        "strategy": strategy,
        "block_structure": block if strategy == "block" else None,
        "dynamic": draw(st.sampled_from(dynamic.get(str(strategy), [False]))),
        "actorder": draw(st.sampled_from([None, "weight", "static"])),
        "scale_dtype": None if scale_dtype is None else prefix + scale_dtype,
        "zp_dtype": draw(st.sampled_from([None, *(prefix + d for d in generators.ZP_DTYPES)])),
        "observer": draw(st.sampled_from([None, "minmax", "mse"])),
        "observer_kwargs": draw(st.sampled_from([{}, {"averaging_constant": 0.5}])),
    }
    left_out = draw(st.sets(st.sampled_from(["actorder", "zp_dtype", "observer", "scale_dtype"])))
    return {key: value for key, value in given.items() if key not in left_out}


@given(args_both_take())
@judged
def test_both_make_the_same_args(fields: dict[str, Any]) -> None:
    """The same keyword arguments give the same fields, defaults included."""
    assert fields_of(QuantizationArgs(**fields)) == fields_of(PeerArgs(**fields))


@given(args_both_take())
@judged
def test_upstream_reads_what_we_write(fields: dict[str, Any]) -> None:
    """``to_dict()``, by way of JSON, is read by upstream as the same fields."""
    args = QuantizationArgs(**fields)
    assert fields_of(PeerArgs(**json.loads(json.dumps(args.to_dict())))) == fields_of(args)


@given(args_both_take())
@judged
def test_we_read_what_upstream_writes(fields: dict[str, Any]) -> None:
    """Upstream's short form means to us what it means to upstream, in Python and in JSON."""
    theirs = PeerArgs(**fields)
    for written in (theirs.model_dump(), json.loads(theirs.model_dump_json())):
        assert fields_of(QuantizationArgs.from_dict(written)) == fields_of(PeerArgs(**written))


@given(args_both_take())
@judged
def test_we_read_the_full_form(fields: dict[str, Any]) -> None:
    """The form of earlier releases, all keys with nulls and ``torch.`` dtypes, is read alike."""
    theirs = PeerArgs(**fields)
    full = fields_of(theirs)
    assert full is not None
    for key in ("scale_dtype", "zp_dtype"):
        full[key] = None if full[key] is None else f"torch.{full[key]}"
    assert fields_of(QuantizationArgs.from_dict(full)) == fields_of(theirs)


@given(args_both_take())
@judged
def test_upstream_reads_what_lies_on_disk(fields: dict[str, Any]) -> None:
    """``to_dict(on_disk=True)`` means to upstream what it means to us."""
    written = QuantizationArgs(**fields).to_dict(on_disk=True)
    assert fields_of(QuantizationArgs.from_dict(written)) == fields_of(PeerArgs(**written))


def test_presets_have_the_same_names() -> None:
    """The presets are those of upstream, in its order."""
    assert list(PRESET_SCHEMES) == upstream.preset_names()


@pytest.mark.parametrize("preset", PRESET_SCHEMES)
def test_presets_are_equal_field_by_field(preset: str) -> None:
    """A preset has upstream's fields, and both read the other's JSON of it as the same scheme."""
    ours, theirs = reference.preset_name_to_scheme(preset), upstream.preset_name_to_scheme(preset)
    assert fields_of_scheme(ours) == fields_of_scheme(theirs)
    read_by_upstream = PeerScheme(**json.loads(json.dumps(ours.to_dict())))
    assert fields_of_scheme(read_by_upstream) == fields_of_scheme(theirs)
    written = json.loads(theirs.model_dump_json())
    reread = PeerScheme(**written)
    assert fields_of_scheme(QuantizationScheme.from_dict(written)) == fields_of_scheme(reread)


WEIGHTS = [None]
WEIGHTS += [
    {"num_bits": bits, "type": kind, "group_size": size, "scale_dtype": scale_dtype}
    for (kind, bits), size, scale_dtype in product(
        [*(("int", b) for b in range(1, 9)), ("float", 4), ("float", 6), ("float", 8)],
        [None, -1, 16, 32, 128],
        [None, "uint8", "float8_e4m3fn"],
    )
]
INPUTS = [None, {"type": "int"}, {"type": "float"}, {"type": "float", "num_bits": 4}]


@pytest.mark.parametrize("inputs", INPUTS, ids=str)
def test_inferred_format(inputs: dict[str, Any] | None) -> None:
    """The format of a scheme is upstream's for all weights, with and without input activations."""
    activations = None if inputs is None else QuantizationArgs(**inputs)
    for weights in WEIGHTS:
        args = None if weights is None else QuantizationArgs(**weights)
        scheme = QuantizationScheme(("Linear",), args, activations)
        assert reference.infer_format(scheme) == upstream.infer_format(scheme), scheme
