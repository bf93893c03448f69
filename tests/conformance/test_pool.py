"""Several processes give the report of one."""

from functools import partial

import pytest

from qparity.backends import load_backend
from qparity.conformance.pool import Plan, run_in_processes
from qparity.conformance.report import report_to_json
from qparity.conformance.verify import plan, verify
from qparity.reference import preset_name_to_scheme
from tests.conformance import planted

OPERATIONS = ("quantize", "calculate_range")
SCHEMES = {"W8A8": preset_name_to_scheme("W8A8")}


def faulty() -> object:
    """The reference with the reciprocal in place of the division."""
    return planted.backend(quantize=planted.by_reciprocal)


@pytest.mark.parametrize("load", [faulty])
def test_two_processes_give_the_report_of_one(load: object) -> None:
    """Every check, count and counterexample is the same, in the same order."""
    reports = [
        verify(
            faulty(),
            name="mine",
            level="smoke",
            operations=OPERATIONS,
            schemes=SCHEMES,
            cases_folder=None,
            load=load,
            jobs=jobs,
        )
        for jobs in (1, 2)
    ]
    one, two = map(report_to_json, reports)
    assert one == two
    assert one["summary"]["exit_code"] == 1


def test_every_planned_check_comes_back() -> None:
    """Outcomes come in the order of the plan, one a check."""
    checks = partial(plan, "smoke", OPERATIONS[1:], None, None)
    outcomes = run_in_processes(Plan(partial(load_backend, "numpy"), checks, 0, None), 2)
    found = [(outcome.op, outcome.check, outcome.status) for outcome in outcomes]
    assert found == [(check.op, check.name, "PASS") for check, _ in checks()]
    assert found
