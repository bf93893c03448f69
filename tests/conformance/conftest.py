"""What several files of tests here start from."""

from typing import Any

import pytest

from qparity.conformance import verify
from qparity.conformance.report import report_to_json
from tests.conformance.planted import backend, by_reciprocal


@pytest.fixture(scope="module")
def broken() -> dict[str, Any]:
    """The report of a backend that multiplies by the reciprocal of the scale."""
    found = verify(
        backend(quantize=by_reciprocal),
        name="mine",
        level="smoke",
        operations=["quantize", "calculate_range"],
        cases_folder=None,
    )
    return report_to_json(found)
