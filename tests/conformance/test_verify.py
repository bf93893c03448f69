"""A verification comes to the right exit code, and is the same when it is run again."""

from typing import Any

import numpy as np
import pytest

from qparity.conformance.operations import public_operations
from qparity.conformance.outcome import Outcome
from qparity.conformance.report import report_to_json
from qparity.conformance.verify import LEVELS, Report, plan, verify
from qparity.conformance.weights import weight_presets
from qparity.reference import QuantizationScheme, preset_name_to_scheme
from tests.conformance import planted
from tests.conformance.planted import INT8, Array

FEW = ("pack_to_int32", "calculate_range", "pack_fp4_to_uint8")


def verified(backend: object, **options: Any) -> Report:  # noqa: ANN401 - any option
    """A report of a few operations, nothing written."""
    given = {"name": "mine", "level": "smoke", "operations": FEW, "cases_folder": None}
    return verify(backend, **given | options)


def statuses(report: Report) -> dict[str, set[str]]:
    """The statuses of each operation."""
    found: dict[str, set[str]] = {}
    for outcome in report.outcomes:
        found.setdefault(outcome.op, set()).add(outcome.status)
    return found


def test_an_equal_backend_exits_0() -> None:
    """The reference is equal to itself, in every operation asked for and in no other."""
    report = verified(planted.backend())
    assert report.exit_code == 0
    assert statuses(report) == {op: {"PASS"} for op in ("bridge", *FEW)}


def test_a_different_backend_exits_1() -> None:
    """One wrong operation decides the exit code, and leaves the others equal."""
    report = verified(planted.spoiled("pack_to_int32", planted.next_to))
    assert report.exit_code == 1
    assert statuses(report)["pack_to_int32"] == {"FAIL"}
    assert statuses(report)["calculate_range"] == {"PASS"}


def test_a_check_that_breaks_exits_1() -> None:
    """ERROR is no success."""
    report = verified(planted.backend())
    report.outcomes.append(Outcome("minmax", "all", status="ERROR"))
    assert report.exit_code == 1


def test_nothing_run_exits_5() -> None:
    """A backend without any of the operations, or a plan without any check, is no success."""
    report = verified(planted.lacking(*FEW))
    assert report.exit_code == 5
    assert statuses(report)["pack_to_int32"] == {"UNSUPPORTED"}
    schemes = {"W8A8": preset_name_to_scheme("W8A8")}
    assert verified(planted.backend(), schemes=schemes, operations=FEW[:1]).exit_code == 5
    assert verified(planted.backend(), level=None).exit_code == 5


def test_some_unsupported_operations_are_no_failure() -> None:
    """What a backend lacks is told, and what it has decides."""
    report = verified(planted.lacking("pack_to_int32"))
    assert report.exit_code == 0
    assert statuses(report)["pack_to_int32"] == {"UNSUPPORTED"}


@pytest.mark.parametrize(
    "bridge",
    [
        {"from_numpy": lambda array: np.ascontiguousarray(array[..., ::-1])},
        {"to_numpy": lambda array: array.astype(np.float32)},
        {"to_numpy": lambda array: array.tolist()},
        {"from_numpy": lambda array: array.no_such_attribute},
    ],
)
@np.errstate(all="ignore")
def test_a_broken_bridge_blocks_the_checks(bridge: dict[str, Any]) -> None:
    """If bits do not cross unchanged, nothing is compared, and the report says why."""
    called: list[str] = []
    backend = planted.backend(**bridge, calculate_range=lambda **_: called.append("called"))
    report = verified(backend)
    assert report.exit_code == 1
    assert called == []
    assert statuses(report)["bridge"] == {"FAIL", "PASS"}
    assert statuses(report)["all"] == {"BLOCKED"}
    assert "checks were not run" in report.outcomes[-1].detail


def test_checks_that_get_lost_are_an_error() -> None:
    """If fewer outcomes come back than were planned, the report does not pass."""
    report = verified(planted.backend(), track=lambda outcomes, _: list(outcomes)[:-1])
    assert report.exit_code == 1
    assert "planned" in report.outcomes[-1].detail


def test_the_same_seed_gives_the_same_report() -> None:
    """Two runs with one seed agree in every entry, another seed makes other cases."""
    backend = planted.backend(quantize=planted.by_reciprocal)
    schemes = {"W8A8": preset_name_to_scheme("W8A8")}
    options: dict[str, Any] = {"operations": ("quantize",), "schemes": schemes}
    one, same, other = (
        report_to_json(verified(backend, seed=seed, **options)) for seed in (3, 3, 4)
    )
    assert one == same
    assert one["summary"]["exit_code"] == 1
    assert one["checks"] != other["checks"]


def test_a_level_that_does_not_exist_is_refused() -> None:
    """The message names the level and those that there are."""
    with pytest.raises(ValueError, match=r"level: 'huge' is not allowed; allowed: \["):
        verified(planted.backend(), level="huge")


def test_an_operation_that_does_not_exist_is_refused() -> None:
    """The message names the operation and those that there are."""
    with pytest.raises(ValueError, match=r"op: 'quantise' is not an operation; allowed: \["):
        verified(planted.backend(), operations=("quantize", "quantise"))


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_meets_every_operation(level: str) -> None:
    """No level leaves an operation out."""
    assert {check.op for check, _ in plan(level, (), None, None)} == set(public_operations())


def test_the_smoke_level_meets_every_format_and_dtype() -> None:
    """The checks that smoke leaves out share their formats and dtypes with those it keeps."""
    of_quantize = [check.spec for check, _ in plan("smoke", ("quantize",), None, None)]
    assert len({(spec.type, spec.num_bits) for spec in of_quantize}) == 11
    assert len({spec.dtype for spec in of_quantize}) == 4


def test_quick_is_all_of_the_checks() -> None:
    """The smoke level is a part of the quick one, with fewer examples."""
    smoke = {(c.op, c.name): n for c, n in plan("smoke", (), None, None)}
    quick = {(c.op, c.name): n for c, n in plan("quick", (), None, None)}
    assert smoke.keys() < quick.keys()
    assert all(n <= quick[key] for key, n in smoke.items())


def weights(columns: int = 256) -> dict[str, Array]:
    """A small weight and a bias."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((4, columns)).astype(np.float32)
    return {"layer.weight": weight, "layer.bias": weight[0].copy()}


def test_weights_are_run_through_every_preset() -> None:
    """Each 2-D tensor is a check of each weight preset and step; the bias is none."""
    report = verified(planted.backend(), level=None, operations=(), weights=weights())
    checks = [outcome for outcome in report.outcomes if outcome.op != "bridge"]
    assert report.exit_code == 0
    assert {check.check.split()[0] for check in checks} == set(weight_presets())
    assert all(check.check.endswith("layer.weight") for check in checks)
    assert all(check.cases == 1 and check.evidence == "fixed" for check in checks)
    assert (report.level, report.notes) == ("weights", [])


def test_a_fault_is_found_on_weights() -> None:
    """A wrong scale is found on real numbers, by each preset."""
    report = verified(
        planted.spoiled("calculate_qparams", planted.next_to),
        level=None,
        operations=("calculate_qparams",),
        weights=weights(),
    )
    checks = [outcome for outcome in report.outcomes if outcome.op != "bridge"]
    assert {outcome.status for outcome in checks} == {"FAIL"}


def test_columns_that_do_not_divide_are_noted() -> None:
    """A tensor that does not fit the groups of a preset is left out of it, and that is said."""
    schemes = {name: preset_name_to_scheme(name) for name in ("W4A16", "FP8")}
    report = verified(
        planted.backend(), level=None, operations=(), schemes=schemes, weights=weights(100)
    )
    assert report.notes == ["W4A16: 100 columns of layer.weight are not whole groups"]
    assert {o.check for o in report.outcomes if o.op == "minmax"} == {"FP8 layer.weight"}


def test_a_scheme_is_verified_by_itself() -> None:
    """Only the given schemes are run, by their names."""
    schemes = {"mine": QuantizationScheme(("Linear",), INT8)}
    report = verified(planted.backend(), operations=("minmax",), schemes=schemes)
    names = {o.check for o in report.outcomes if o.op == "minmax"}
    assert names
    assert all(name.startswith("mine weights") for name in names)


def test_counts_are_of_all_outcomes() -> None:
    """Checks are counted by status; cases and numbers are those of all of them."""
    report = verified(planted.lacking("pack_to_int32"))
    counts = report.counts
    assert counts["PASS"] + counts["UNSUPPORTED"] == len(report.outcomes)
    assert counts["cases"] == sum(outcome.cases for outcome in report.outcomes)
    assert counts["numbers"] > counts["cases"]
