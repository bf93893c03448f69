"""A report says what was run, what differs, and how to see it again."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from qparity.conformance.outcome import Outcome
from qparity.conformance.report import print_report, report_to_json
from qparity.conformance.report_file import STATUSES
from qparity.conformance.run import run_cases
from qparity.conformance.verify import Report
from tests.conformance import planted


def report_of(*outcomes: Outcome, notes: tuple[str, ...] = ()) -> Report:
    """A report with these outcomes."""
    bridge = Outcome("bridge", "round trip of bits", cases=1, elements=2)
    return Report("mine", "smoke", 7, {"python": "3.x"}, [bridge, *outcomes], list(notes))


def printed(report: Report) -> str:
    """What a pipe is given."""
    file = io.StringIO()
    print_report(report, Console(file=file, width=100))
    return file.getvalue()


def failing(folder: Path | None = None) -> Outcome:
    """The outcome of the reciprocal fault."""
    case = planted.reciprocal_case(dtype=np.dtype(np.int8))
    backend = planted.backend(quantize=planted.by_reciprocal)
    return run_cases("quantize", "int8 tensor", iter([case]), backend, folder)


def test_a_pass_is_a_row_and_a_verdict() -> None:
    """Each operation has a row with its counts; the last line sums up, with seed and versions."""
    text = printed(report_of(Outcome("minmax", "float32", cases=3, elements=1234)))
    row = next(line for line in text.splitlines() if "minmax" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "minmax",
        "1",
        "3",
        "0",
        "sampled 1234",
        "equal",
    ]
    assert text.splitlines()[-1].startswith("EQUAL: mine: 2 PASS; 4 cases, 1,236 numbers; seed 7")
    assert text.splitlines()[-1].endswith("python 3.x")


def test_a_failure_is_shown_as_the_specification_shows_it(tmp_path: Path) -> None:
    """Head line with counts, both numbers, both answers, the tie, and how to replay it."""
    outcome = failing(tmp_path)
    lines = [" ".join(line.split()) for line in printed(report_of(outcome)).splitlines()]
    head = "FAIL quantize int8 tensor symmetric float32 1 of 1 elements differ"
    at = lines.index(head)
    assert lines[at + 1] == "x float32 [0] 0xbf780001 -0x1.f00002p-1 -0.96875006"
    assert "x/scale = -0.50000006, 1 ulp beyond the tie -0.5" in lines
    assert f"replay: qparity replay {outcome.case_file} --backend mine" in lines
    assert lines[-1].startswith("DIFFERENT: mine: 1 PASS, 1 FAIL")
    assert any("FAIL 1 of 1" in line for line in lines)


def test_what_is_fixed_does_not_differ() -> None:
    """Where witnesses that no longer differ are all that is wrong, the last line says that."""
    fixed = Outcome("minmax", "n", status="FIXED", detail="no longer differs")
    error = Outcome("quantize", "n", status="ERROR", detail="broken")
    last = printed(report_of(fixed)).splitlines()[-1]
    assert last.startswith("NO LONGER AS KNOWN: mine: 1 PASS, 1 FIXED")
    assert printed(report_of(fixed, error)).splitlines()[-1].startswith("DIFFERENT: ")


def test_some_failures_of_every_operation_are_shown() -> None:
    """A hundred failures do not fill the screen; how many more there are is said."""
    many = [Outcome("minmax", f"n{i}", status="ERROR", detail="broken") for i in range(100)]
    text = printed(report_of(*many, Outcome("quantize", "n", status="ERROR", detail="too")))
    assert 1 <= text.count("ERROR minmax") < 20
    assert "ERROR quantize n: too" in text
    assert "more that differ" in text


def test_a_probe_that_does_not_apply_alarms_nobody() -> None:
    """A probe of an operation that a backend lacks is told apart from a check that is declined."""
    passed, left = Outcome("bridge", "a", cases=1), Outcome("bridge", "b", status="UNSUPPORTED")
    lines = printed(report_of(passed, left)).splitlines()
    (row,) = [line for line in lines if "│ bridge" in line]
    assert "equal, 1 not applicable" in row


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome("minmax", "a", status="UNSUPPORTED"), "UNSUPPORTED"),
        (Outcome("minmax", "a", status="ERROR", detail="x"), "ERROR 1 of 1"),
        (Outcome("minmax", "a", cases=1, elements=1, unsupported=3), "equal, 3 calls unsupported"),
    ],
)
def test_a_verdict_is_not_better_than_the_outcome(outcome: Outcome, verdict: str) -> None:
    """An operation is called equal only if all of its checks passed."""
    row = next(line for line in printed(report_of(outcome)).splitlines() if "│ minmax" in line)
    assert row.strip("│").split("│")[-1].strip() == verdict


def test_nothing_run_is_said() -> None:
    """Without an operation that was compared, the verdict is no success."""
    text = printed(report_of(Outcome("minmax", "a", status="UNSUPPORTED")))
    assert text.splitlines()[-1].startswith("NOTHING WAS RUN")


def test_notes_are_shown() -> None:
    """What was left out is told under the table."""
    assert "not run: W4A16: 100 columns" in printed(report_of(notes=("W4A16: 100 columns",)))


def test_square_brackets_are_shown_as_they_are() -> None:
    """Indices and lists in a counterexample are not taken for markup."""
    detail = "[red] of [0] and [/red]"
    text = printed(report_of(Outcome("minmax", "a", status="ERROR", detail=detail)))
    assert detail in text


def test_json_holds_the_whole_report(tmp_path: Path) -> None:
    """Schema 1: every check with its status, counts, evidence and counterexample; a summary."""
    report = report_of(
        failing(tmp_path), Outcome("minmax", "a", status="UNSUPPORTED", detail="none")
    )
    data = json.loads(json.dumps(report_to_json(report)))
    assert data.keys() >= {"schema", "backend", "level", "seed", "environment", "checks", "summary"}
    assert (data["schema"], data["backend"], data["level"], data["seed"]) == (1, "mine", "smoke", 7)
    bridge, quantize, minmax = data["checks"]
    for check in data["checks"]:
        assert check.keys() >= {
            *("op", "check", "status", "cases", "evidence", "counterexample", "diagnosis"),
        }
    assert (bridge["status"], bridge["counterexample"]) == ("PASS", None)
    assert (quantize["status"], quantize["evidence"]) == ("FAIL", "fixed")
    assert Path(quantize["counterexample"]["case_file"]).is_file()
    assert "x/scale" in quantize["counterexample"]["lines"][-1]
    assert (minmax["status"], minmax["detail"]) == ("UNSUPPORTED", "none")
    counts = dict.fromkeys(STATUSES, 0) | {"PASS": 1, "FAIL": 1, "UNSUPPORTED": 1}
    assert data["summary"].items() >= (counts | {"exit_code": 1}).items()
