"""Every check of ``verify`` reaches what no other does: a fault there is found by it alone."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest

from qparity.conformance.case import Case
from qparity.conformance.operations import Check, all_checks, public_operations
from qparity.reference import PRESET_SCHEMES, QuantizationArgs, preset_name_to_scheme

ALIASES = {("INT8", "W8A8"): "upstream names one scheme twice; the report has both names"}


def cell_of(case: Case) -> Hashable:
    """Format, dtype and scheme of a case: where a kernel may be wrong and right elsewhere."""
    inputs: dict[str, Any] = dict(case.simple_inputs)
    inputs |= inputs.pop("state_dict", {})
    arrays = [value for value in inputs.values() if isinstance(value, np.ndarray)]
    args = inputs.get("args")
    of_args = args.code_format.name if isinstance(args, QuantizationArgs) else None
    scheme = str(inputs["scheme"]) if "scheme" in inputs else None
    asked = str(inputs.get("dtype")) if "args" not in inputs else None
    return of_args, scheme, asked, inputs.get("num_bits"), arrays[0].dtype.name if arrays else ""


def cells_of(check: Check) -> set[Hashable]:
    """The cells of the cases of one example."""
    with np.errstate(all="ignore"):
        return {cell_of(case) for case in check.cases(3, False)}


@pytest.mark.parametrize("op", public_operations())
def test_every_check_has_a_cell_of_its_own(op: str) -> None:
    """A fault in one format, dtype and scheme is found by one check, and by no other of its op."""
    cells = {check.name: cells_of(check) for check in all_checks() if check.op == op}
    for name, own in cells.items():
        others = [found for other, found in cells.items() if other != name]
        if not own.difference(*others):
            preset = name.split()[0]
            assert any(preset in names for names in ALIASES), name


def test_aliases_are_the_same_scheme() -> None:
    """The presets that share their cells are equal, under two names of upstream's."""
    for one, other in ALIASES:
        assert preset_name_to_scheme(one) == preset_name_to_scheme(other)
        assert {one, other} <= set(PRESET_SCHEMES)
