"""The judge on trial: what it misses, or blames wrongly, fails the self-test."""

import json
import re
from pathlib import Path

import pytest

from qparity.conformance import self_test as module
from qparity.conformance.cli import main
from qparity.conformance.faults import FAULTS, Fault
from qparity.conformance.operations import public_operations
from qparity.conformance.self_test import Strength, self_test
from qparity.conformance.strength import strength_to_json, strength_to_markdown, summary_lines

ROOT = Path(__file__).resolve().parents[2]
CHEAP = ["range_symmetric", "fp4_sign_of_zero_lost"]


def planting(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Let there be one fault."""
    monkeypatch.setattr(module, "FAULTS", (fault,))


def exit_code(*arguments: str) -> int:
    """That of the command."""
    with pytest.raises(SystemExit) as left:
        main(["self-test", "--jobs", "1", *arguments])
    return int(left.value.code or 0)


def test_faults_are_found_and_counted() -> None:
    """A finding names the checks that find a fault, those that do not, and the cases needed."""
    strength = self_test(CHEAP)
    assert strength.exit_code == 0
    of_range, of_sign = strength.findings
    assert (of_range.fault, of_range.op) == ("range_symmetric", "calculate_range")
    assert "fp8" in of_range.missed
    assert "int8" in of_range.found
    assert len(of_range.found) + len(of_range.missed) == 11
    assert of_range.cases == 1
    assert of_range.diagnosis == "range_symmetric"
    assert (of_sign.op, of_sign.missed) == ("pack_fp4_to_uint8", ())


def test_processes_find_the_same() -> None:
    """Two processes find what one does, in the same order."""
    assert self_test(CHEAP, jobs=2) == self_test(CHEAP)


def test_a_missed_fault_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that no check finds is an error that is told."""
    planting(monkeypatch, Fault("harmless", "nothing", ("calculate_range",), {}))
    strength = self_test()
    assert strength.exit_code == 1
    lines = summary_lines(strength)
    assert lines[0] == "MISSED harmless in calculate_range: 11 checks"
    assert lines[1].startswith("NOT ALL FOUND: 0 of 1 found")


def test_an_unspoiled_variant_that_differs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that blames the variant without a fault has not proved anything."""
    fault = next(fault for fault in FAULTS if fault.name == "range_symmetric")
    spoiled = Fault("none", "", ("calculate_range",), fault.steps)
    monkeypatch.setattr(module, "_NO_FAULT", spoiled)
    strength = self_test(["range_symmetric"])
    assert strength.exit_code == 1
    assert summary_lines(strength)[0].startswith("BLAMED calculate_range: the variant")


def test_nothing_run_is_not_a_success() -> None:
    """Without a finding the exit code is 5."""
    assert Strength(0).exit_code == 5
    assert summary_lines(Strength(0))[-1].startswith("NOTHING WAS RUN")


def test_an_unknown_fault_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that no fault has is one line on standard error and exit code 2."""
    assert exit_code("--fault", "no_such_fault") == 2
    assert re.fullmatch(r"qparity: fault: 'no_such_fault' .*\n", capsys.readouterr().err)


def test_the_command_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table names the command that writes it; the JSON has every finding."""
    page, data = tmp_path / "strength.md", tmp_path / "strength.json"
    chosen = ["--fault", CHEAP[0], "--markdown", str(page), "--json", str(data)]
    assert exit_code(*chosen) == 0
    assert f"    qparity self-test --fault {CHEAP[0]} --markdown {page}\n" in page.read_text()
    assert "| `range_symmetric` | " in page.read_text()
    found = json.loads(data.read_text())
    assert found["summary"] == {"found": 1, "planted": 1, "named": 1, "exit_code": 0}
    assert capsys.readouterr().out.startswith("ALL FOUND: 1 of 1 found (1 faults in 1 operations)")


def test_the_json_is_the_same_every_time() -> None:
    """Two runs of one seed give the same page and the same JSON."""
    once, again = self_test(CHEAP), self_test(CHEAP)
    assert strength_to_json(once) == strength_to_json(again)
    assert strength_to_markdown(once, "x") == strength_to_markdown(again, "x")


def test_every_fault_is_planned_in_every_operation_that_it_names() -> None:
    """The trial leaves nothing out, and tries the variant without a fault in every operation."""
    tasks = module._tasks(FAULTS, 0)
    planned = [(name, op) for op, names, _ in tasks for name in names]
    wanted = {(fault.name, op) for fault in FAULTS for op in fault.operations}
    assert len(planned) == len(set(planned))
    assert set(planned) == wanted | {("none", op) for op in public_operations()}


def test_the_published_table_is_of_these_faults() -> None:
    """The page in docs has a row for every fault and operation, and none is missed."""
    text = (ROOT / "docs" / "strength.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \| (\d+) of \d+ \|", text, re.MULTILINE)
    assert {(name, op) for name, op, _ in rows} == {
        (fault.name, op) for fault in FAULTS for op in fault.operations
    }
    assert all(int(found) > 0 for _, _, found in rows)
    assert "    qparity self-test --markdown docs/strength.md\n" in text
