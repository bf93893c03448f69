"""A counterexample reads as SPEC section 12 shows it."""

import json
import re
from typing import Any

import numpy as np
import pytest

from qparity.conformance.case import Case, run_case
from qparity.conformance.explain_case import Counterexample, lines_of, to_json
from qparity.reference import QuantizationArgs
from tests.conformance import planted
from tests.conformance.planted import Array

INT8 = np.dtype(np.int8)


def told(case: Case, backend: object) -> list[str]:
    """The lines of a case that differs, runs of blanks made one."""
    expected, actual, difference = run_case(case, backend)
    assert difference is not None
    found = Counterexample(case, expected, actual, difference)
    return [" ".join(line.split()) for line in lines_of(found)]


def test_the_example_of_the_specification() -> None:
    """x, scale, both answers and the tie, with the bits and numbers of SPEC section 12."""
    backend = planted.backend(quantize=planted.by_reciprocal)
    lines = told(planted.reciprocal_case(dtype=INT8), backend)
    assert lines[0] == "x float32 [0] 0xbf780001 -0x1.f00002p-1 -0.96875006"
    assert lines[1] == "scale float32 [0] 0x3ff80000 0x1.f00000p+0 1.9375"
    assert lines[-2] == "expected 0xff -1 actual 0x00 0 distance 1 code"
    assert lines[-1] == "x/scale = -0.50000006, 1 ulp beyond the tie -0.5"


@pytest.mark.parametrize(
    ("bits", "note"),
    [
        (0xBF780000, "x/scale = -0.5, at the tie -0.5"),
        (0xBF780001, "x/scale = -0.50000006, 1 ulp beyond the tie -0.5"),
        (0xBF77FFFF, "x/scale = -0.49999997, 1 ulp before the tie -0.5"),
        (0x3F780001, "x/scale = 0.50000006, 1 ulp beyond the tie 0.5"),
        (0x3F77FFFF, "x/scale = 0.49999997, 1 ulp before the tie 0.5"),
        (0x40000000, "x/scale = 1.032258"),
        (0x7F800000, "x/scale = inf"),
    ],
)
def test_the_side_of_the_tie_is_told(bits: int, note: str) -> None:
    """The quotient is told with its distance from a tie that is near, and alone otherwise."""
    case = planted.reciprocal_case(x=planted.number(bits))
    assert told(case, planted.spoiled("quantize", planted.next_to))[-1] == note


def test_a_zero_point_and_a_global_scale_are_part_of_the_note() -> None:
    """The number that is rounded is told, and how it was made."""
    one = np.ones(1, np.float32)
    case = planted.reciprocal_case(x=one * 2.5, scale=one, zero_point=np.array([3], np.int8))
    backend = planted.spoiled("quantize", planted.next_to)
    assert told(case, backend)[-1] == "x/scale + zero_point = 5.5, at the tie 5.5"
    case = planted.reciprocal_case(x=one * 1.25, scale=one, global_scale=one * 2)
    assert told(case, backend)[-1] == "x/(scale/global_scale) = 2.5, at the tie 2.5"


def test_the_shown_numbers_are_those_that_are_not_zero() -> None:
    """Of a tensor, the first numbers that are not 0 are shown, with index and shape."""
    x = np.zeros((3, 40), np.float32)
    x[1, 5], x[2, 7] = 2, -3
    case = planted.reciprocal_case(x=x, scale=np.ones(1, np.float32))
    lines = told(case, planted.spoiled("quantize", planted.next_to))
    assert lines[:3] == [
        "x float32 [1,5] 0x40000000 0x1.000000p+1 2",
        "float32 [2,7] 0xc0400000 -0x1.800000p+1 -3",
        "of shape (3, 40), the others 0",
    ] or lines[:3] == [
        "x float32 [1,5] 0x40000000 0x1.000000p+1 2",
        "x float32 [2,7] 0xc0400000 -0x1.800000p+1 -3",
        "of shape (3, 40), the others 0",
    ]


def test_long_tensors_are_cut_and_strides_are_told() -> None:
    """At most six numbers are shown, then how many more there are; strides where they matter."""
    x = np.ones((4, 5), np.float32).T
    lines = told(
        planted.reciprocal_case(x=x, scale=np.ones(1, np.float32)),
        planted.spoiled("quantize", planted.next_to),
    )
    assert len([line for line in lines if "0x3f800000" in line and "[" in line]) == 7
    assert "and 14 more that are not 0" in lines
    assert "of shape (5, 4) and strides (4, 20) in bytes" in lines


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda q: q.astype(np.float64), "expected dtype float32, actual float64"),
        (lambda q: q.reshape(1, 1), "expected shape (1,), actual (1, 1)"),
    ],
)
def test_an_answer_of_another_kind_is_told(change: Any, line: str) -> None:  # noqa: ANN401 - a lambda
    """A wrong dtype or shape is told in place of numbers."""
    assert line in told(planted.reciprocal_case(), planted.spoiled("quantize", change))


def test_the_output_is_named() -> None:
    """Where an operation has several outputs, the one that differs is named with its index."""
    lo, hi = -np.ones(2, np.float32), np.ones(2, np.float32)
    case = Case("calculate_qparams", {"min_vals": lo, "max_vals": hi, "args": QuantizationArgs()})
    lines = told(case, planted.spoiled("calculate_qparams", planted.next_to))
    answer = next(line for line in lines if "expected" in line)
    assert re.match(r"scale ?\[1\] expected 0x3c008081 ", answer)


def test_state_dicts_and_empty_arrays_are_told() -> None:
    """The tensors of a state dict are named; an empty one says so."""
    state: dict[str, Array] = {
        "weight": np.ones((0, 4), np.float32),
        "bias": np.ones(1, np.float32),
    }
    case = Case("compress", {"state_dict": state, "scheme": QuantizationArgs()})
    found = Counterexample(case, {"weight": state["bias"]}, {"weight": state["bias"] * 2}, None)
    difference = run_case(planted.reciprocal_case(), planted.spoiled("quantize", planted.next_to))[
        2
    ]
    assert difference is not None
    found = Counterexample(case, {"": state["bias"]}, {"": state["bias"] * 2}, difference)
    lines = [" ".join(line.split()) for line in lines_of(found)]
    assert lines[0] == "weight float32 (0, 4) empty"
    assert lines[1].startswith("bias float32 [0] 0x3f800000")


def test_json_has_the_same_lines() -> None:
    """The report as JSON holds the lines that the terminal shows, and where they differ."""
    case, backend = planted.reciprocal_case(), planted.spoiled("quantize", planted.next_to)
    expected, actual, difference = run_case(case, backend)
    assert difference is not None
    found = Counterexample(case, expected, actual, difference)
    data = json.loads(json.dumps(to_json(found)))
    assert data["lines"] == lines_of(found)
    assert (data["reason"], data["index"], data["label"]) == ("bits", [0], case.label)
