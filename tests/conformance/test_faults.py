"""Planted faults: small, named, and found by the checks of the operations that they name."""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import pytest

from qparity.conformance.calls import Calls
from qparity.conformance.case import Case, Outputs, expected_outputs
from qparity.conformance.faults import FAULTS, TOPICS, Fault, Variant
from qparity.conformance.operations import Check, public_operations
from qparity.conformance.run import examples_of
from qparity.conformance.verify import plan

Cases = Sequence[tuple[Case, Outputs]]
SPREAD = 7

ELSEWHERE = [
    ("reciprocal_multiply", "dequantize"),
    ("half_away", "calculate_qparams"),
    ("zero_point_ignored", "dequantize"),
    ("dequantize_zero_point_ignored", "quantize"),
    ("stale_scale", "round_to_quantized_type_args"),
    ("gparam_division", "calculate_qparams"),
    ("scale_by_reciprocal", "generate_gparam"),
    ("zero_point_truncated", "quantize"),
    ("mx_floor", "minmax"),
    ("nan_skipped", "calculate_qparams"),
    ("dtype_truncated", "round_to_quantized_type_args"),
    ("word_bits_reversed", "unpack_from_int32"),
    ("unpack_offset_kept", "compress"),
    ("mx_code_off_by_one", "decompress"),
    ("state_overwritten", "minmax"),
    ("later_calls", "dequantize"),
]


@lru_cache(maxsize=256)
def cases_of(check: Check, examples: int) -> Cases:
    """The cases that ``quick`` runs of a check, and what the reference returns."""
    with np.errstate(all="ignore"):
        every = (case for cases in examples_of(check, 0, examples) for case in cases)
        return [(case, expected_outputs(case)) for case in every]


@cache
def spread_checks(op: str) -> Sequence[tuple[Check, int]]:
    """The checks of an operation as ``quick`` has them, far formats and dtypes after each other."""
    checks = plan("quick", [op], None, None)
    return [entry for first in range(SPREAD) for entry in checks[first::SPREAD]]


def is_found(fault: Fault, op: str) -> bool:
    """Whether a check of an operation finds a fault; the first that does is the last to run."""
    backend = fault.backend()
    with np.errstate(all="ignore"):
        return any(
            differs(cases_of(check, examples), backend) for check, examples in spread_checks(op)
        )


def differs(cases: Cases, backend: Variant) -> bool:
    """Whether a backend is wrong on the cases of one check; the first such is the last to run."""
    calls = Calls(backend)
    return any(calls.run(case, expected) is not None for case, expected in cases)


def fault_of(name: str) -> Fault:
    """A fault by its name."""
    return next(fault for fault in FAULTS if fault.name == name)


@pytest.mark.parametrize("op", public_operations())
def test_faults_of_every_operation_are_found(op: str) -> None:
    """Every fault is found by a check of each operation that it names."""
    named = [fault for fault in FAULTS if op in fault.operations]
    assert named
    assert [fault.name for fault in named if not is_found(fault, op)] == []


@pytest.mark.parametrize("op", public_operations())
def test_the_variant_without_a_fault_is_equal(op: str) -> None:
    """The second way to every operation returns the bits of the reference."""
    backend = Variant()
    with np.errstate(all="ignore"):
        for check, _ in plan("smoke", [op], None, None):
            assert not differs(cases_of(check, 1), backend), check.name


@pytest.mark.parametrize(("name", "op"), ELSEWHERE)
def test_a_fault_does_not_show_in_other_operations(name: str, op: str) -> None:
    """An operation that a fault does not name, in a room beside its own, stays equal."""
    backend = fault_of(name).backend()
    assert op not in fault_of(name).operations
    with np.errstate(all="ignore"):
        for check, _ in plan("smoke", [op], None, None):
            assert not differs(cases_of(check, 1), backend), check.name


def test_names_are_unique() -> None:
    """A name is of one fault, and no fault has the name of the variant without one."""
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names))
    assert "none" not in names
    assert len(names) == sum(len(faults) for faults in TOPICS.values()) >= 200


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults_replace_what_there_is(fault: Fault) -> None:
    """A fault names operations, replaces steps or operations, and says what it does in a line."""
    operations = public_operations()
    assert fault.operations
    assert set(fault.operations) <= set(operations)
    assert fault.steps
    assert all(hasattr(Variant, step) or step in operations for step in fault.steps)
    assert "\n" not in fault.description
    assert "|" not in fault.description


def test_backends_of_a_fault_share_nothing() -> None:
    """A fault that remembers its calls begins anew with every backend."""
    fault = fault_of("later_calls")
    first, second = fault.backend(), fault.backend()
    x = np.array([1.005], np.float32)
    answers = [first.quotient(x, np.ones(1, np.float32)) for _ in range(4)]
    assert answers[0] == x
    assert answers[3] != x
    assert second.quotient(x, np.ones(1, np.float32)) == x


def test_unknown_attributes_are_refused() -> None:
    """A variant has the operations of the reference and no others."""
    assert hasattr(Variant(), "pack_fp4_to_uint8")
    assert not hasattr(Variant(), "qantize")
