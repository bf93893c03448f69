"""Cases of rounding, packing and compression reach every format, place and preset."""

from functools import partial

import numpy as np
import pytest

from qparity.conformance.case import expected_outputs
from qparity.conformance.packed import (
    ROUNDING_TARGETS,
    compress_cases,
    float_pack_cases,
    int32_cases,
    rounding_args_cases,
    rounding_dtype_cases,
)
from qparity.conformance.spec import FORMATS_OF_CODES, Spec
from qparity.reference import PRESET_SCHEMES, preset_name_to_scheme
from tests.conformance.test_quantized import FLOAT32, INT8, many


@pytest.mark.parametrize("target", ROUNDING_TARGETS)
def test_values_are_rounded_into_either_dtype(target: str) -> None:
    """Every dtype is rounded to and returned in x's own; those with a storage, in itself too."""
    cases = many(partial(rounding_dtype_cases, target), INT8, 4)
    back = {case.inputs["cast_to_original_dtype"] for case in cases}
    small = target.startswith(("float4_", "float6_"))
    assert back == ({True} if small else {True, False})
    assert {case.inputs["dtype"].name for case in cases} == {target}
    assert all(expected_outputs(case) for case in cases)


@pytest.mark.parametrize(("kind", "bits"), FORMATS_OF_CODES)
def test_codes_are_rounded_to_within_two_ranges(kind: str, bits: int) -> None:
    """The range of the format is met, and, where there is one, a narrower range."""
    cases = many(rounding_args_cases, Spec(kind, bits, FLOAT32), 2)
    ranges = {(case.inputs["q_min"], case.inputs["q_max"]) for case in cases}
    assert len(ranges) == (1 if bits <= 2 else 2)
    assert all(expected_outputs(case) for case in cases)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("op", ["pack_to_int32", "unpack_from_int32"])
def test_integers_are_packed_along_both_dimensions(op: str, bits: int) -> None:
    """Both dimensions are packed, in 2-D and 3-D, and every code of the width occurs."""
    cases = many(partial(int32_cases, op, bits), INT8, 25)
    assert {case.inputs["packed_dim"] for case in cases} == {0, 1}
    tensors = [case.inputs["value" if op == "pack_to_int32" else "packed"] for case in cases]
    assert {x.ndim for x in tensors} == {2, 3}
    codes = [value for case in cases for value in expected_outputs(case).values()]
    if op == "unpack_from_int32":
        every = np.unique(np.concatenate([c.reshape(-1) for c in codes]))
        assert len(every) == 2**bits


@pytest.mark.parametrize("bits", [4, 6])
def test_every_float_code_is_packed_and_unpacked(bits: int) -> None:
    """All 16 or 64 codes occur, -0.0 among them, and each width of a row."""
    packed = many(partial(float_pack_cases, f"pack_fp{bits}_to_uint8"), INT8, 25)
    values = np.concatenate([case.inputs["x"].reshape(-1) for case in packed])
    assert len(np.unique(values.view(np.uint32))) == 2**bits
    unpacked = many(partial(float_pack_cases, f"unpack_fp{bits}_from_uint8"), INT8, 25)
    assert {"dtype" in case.inputs for case in unpacked} == {True, False}
    assert all(expected_outputs(case) for case in packed + unpacked)


@pytest.mark.parametrize("preset", PRESET_SCHEMES)
@pytest.mark.parametrize("op", ["compress", "decompress"])
def test_weights_of_every_preset_are_compressed(op: str, preset: str) -> None:
    """The reference takes every generated state dict; odd scale dtypes are among them."""
    scheme = preset_name_to_scheme(preset)
    kind = (
        ("float", 8) if scheme.weights is None else (scheme.weights.type, scheme.weights.num_bits)
    )
    cases = many(partial(compress_cases, op, scheme), Spec(*kind, FLOAT32), 4)
    with np.errstate(all="ignore"):
        assert all(expected_outputs(case) for case in cases)
    if scheme.weights is not None and not scheme.weights.is_mx:
        assert len({case.inputs["scheme"].weights.scale_dtype for case in cases}) > 1


def test_activation_order_is_met() -> None:
    """Some weights in groups come with ``weight_g_idx``; zero-points come and are left out."""
    scheme = preset_name_to_scheme("W4A16")
    cases = many(partial(compress_cases, "compress", scheme), Spec("int", 4, FLOAT32), 25)
    states = [case.inputs["state_dict"] for case in cases]
    assert {"weight_g_idx" in state for state in states} == {True, False}
    assert {"weight_zero_point" in state for state in states} == {True, False}
