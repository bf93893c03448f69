"""A case written and read again is the same case, bit for bit; junk is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from qparity.conformance.bits import bits_of
from qparity.conformance.case import Case, expected_outputs
from qparity.conformance.case_file import case_from_json, load_case, save_case
from qparity.conformance.compare import equal_bits
from qparity.conformance.layouts import LAYOUTS, with_layout
from qparity.conformance.operations import all_checks, public_operations
from qparity.reference import QuantizationArgs
from tests.conformance import planted
from tests.conformance.test_bits import FLOATS, patterns

ARRAY = {"dtype": "float32", "shape": [2], "bits": ["0x00000001", "0x00000002"]}


def assert_same(one: object, other: object) -> None:
    """Two inputs are equal: arrays in bits, shape, dtype and, where they are strided, strides."""
    assert type(one) is type(other) or isinstance(one, Mapping)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert np.array_equal(bits_of(one), bits_of(other))
        if one.size and not one.flags.c_contiguous:
            assert one.strides == other.strides
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        assert list(one) == list(other)
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, tuple) and isinstance(other, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


@np.errstate(all="ignore")
@pytest.mark.parametrize("op", public_operations())
def test_a_case_of_any_operation_comes_back(op: str, tmp_path: Path) -> None:
    """Inputs, strides, args, schemes and dtypes come back from a file, and so the answers do."""
    checks = [check for check in all_checks() if check.op == op]
    for check in checks[:: max(1, len(checks) // 3)]:
        for case in list(check.cases(3, True))[:6]:
            again = load_case(save_case(case, tmp_path))
            assert again.op == case.op
            assert_same(case.inputs, again.inputs)
            before, after = expected_outputs(case), expected_outputs(again)
            assert all(equal_bits(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", [*FLOATS[:4], "int8", "uint8"])
def test_every_bit_pattern_comes_back(name: str, tmp_path: Path) -> None:
    """All patterns of 8 and 16 bits survive: NaN payloads and signs of zero are among them."""
    x = patterns(name)
    again = load_case(save_case(Case("minmax", {"x": x}), tmp_path)).inputs["x"]
    assert again.dtype == x.dtype
    assert np.array_equal(bits_of(again), bits_of(x))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(1, 7), (3, 4), (2, 3, 4), (5,), (), (0, 3)])
def test_every_layout_comes_back(layout: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Strides of any sign are written; a file that is made from them has the same ones."""
    x = with_layout(np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape), layout)
    again = load_case(save_case(Case("minmax", {"x": x}), tmp_path)).inputs["x"]
    assert_same(x, again)


def test_the_same_case_has_the_same_name(tmp_path: Path) -> None:
    """Names come from contents: equal cases share a file, others do not, none is left half done."""
    one = save_case(planted.reciprocal_case(), tmp_path)
    assert save_case(planted.reciprocal_case(), tmp_path) == one
    other = save_case(planted.reciprocal_case(dtype=np.dtype(np.int8)), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([one, other])
    assert one.name.startswith("quantize-")


def test_numbers_infinities_and_names_come_back(tmp_path: Path) -> None:
    """What is no array is written as it is: ints, floats, infinities, booleans, None, names."""
    inputs: dict[str, Any] = {
        "q_min": -0.5,
        "q_max": float("inf"),
        "num_bits": 3,
        "cast_to_original_dtype": False,
        "global_scale": None,
        "dtype": np.dtype(ml_dtypes.bfloat16),
        "shape": (3, 4),
        "args": QuantizationArgs(group_size=3, observer_kwargs={"averaging_constant": 0.5}),
    }
    again = load_case(save_case(Case("minmax", inputs), tmp_path))
    assert again.inputs == inputs


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ([], "schema"),
        ({}, "schema"),
        ({"schema": 2, "op": "minmax", "inputs": {}}, "schema"),
        ({"schema": 1, "inputs": {}}, "op: None"),
        ({"schema": 1, "op": "minimax", "inputs": {}}, "op: 'minimax'"),
        ({"schema": 1, "op": "QuantizationArgs", "inputs": {}}, "op: 'QuantizationArgs'"),
        ({"schema": 1, "op": ["minmax"], "inputs": {}}, "op: "),
        ({"schema": 1, "op": "minmax"}, "inputs"),
        ({"schema": 1, "op": "minmax", "inputs": [1]}, "inputs"),
    ],
)
def test_what_is_no_case_is_refused(data: object, named: str) -> None:
    """The message names the field that is wrong, and what is allowed."""
    with pytest.raises(ValueError, match=named) as raised:
        case_from_json(data)
    assert "allowed: " in str(raised.value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"array": ARRAY, "args": {}},
        {"tensor": ARRAY},
        {"array": 3},
        {"array": {"dtype": "float32"}},
        {"array": ARRAY | {"dtype": "float33"}},
        {"array": ARRAY | {"dtype": "object"}},
        {"array": ARRAY | {"dtype": 3}},
        {"array": ARRAY | {"shape": [3]}},
        {"array": ARRAY | {"shape": ["a"]}},
        {"array": ARRAY | {"bits": ["0x1"]}},
        {"array": ARRAY | {"bits": ["0x1ffffffff", "0x0"]}},
        {"array": ARRAY | {"bits": ["-0x1", "0x0"]}},
        {"array": ARRAY | {"bits": [1, 2]}},
        {"array": ARRAY | {"strides": [1 << 62]}},
        {"array": ARRAY | {"strides": "abc"}},
        {"args": {"num_bits": 9}},
        {"args": {"bits": 8}},
        {"args": []},
        {"scheme": {"targets": ["Linear"], "format": "zip"}},
        {"dtype": "bfloat17"},
        {"tuple": 3},
        {"dict": [1]},
        {"tuple": [{"array": {}}]},
        {"dict": {"weight": {"array": {}}}},
    ],
)
def test_an_input_that_cannot_be_read_is_refused(value: object) -> None:
    """Whatever stands in the place of an input, the message is a ValueError that names it."""
    with pytest.raises(ValueError, match=r"^x\b"):
        case_from_json({"schema": 1, "op": "minmax", "inputs": {"x": value}})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"null"])
def test_a_file_that_is_no_case_is_refused(content: bytes, tmp_path: Path) -> None:
    """Whatever the bytes, the message is a ValueError that names the file."""
    path = tmp_path / "case.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"case\.json"):
        load_case(path)


def test_a_file_is_json_of_bits(tmp_path: Path) -> None:
    """The file names the operation, and holds numbers as bits that other languages can read."""
    data = json.loads(save_case(planted.reciprocal_case(), tmp_path).read_text())
    assert (data["schema"], data["op"]) == (1, "quantize")
    assert data["inputs"]["x"] == {
        "array": {"dtype": "float32", "shape": [1], "bits": ["0xbf780001"]}
    }
