"""JUnit XML: one test case a check, valid, with the counterexample in each failure."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from qparity.conformance.junit import report_to_junit
from qparity.conformance.verdict import STATUSES

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "PASS": "",
    "FAIL": "failure",
    "FIXED": "failure",
    "ERROR": "error",
    "BLOCKED": "error",
    "KNOWN": "skipped",
    "UNSUPPORTED": "skipped",
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped"},
}
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
}


def check(status: str, detail: str = "", **more: object) -> dict[str, Any]:
    """A check of a report, without a counterexample."""
    names = {"op": "quantize", "check": f"int8 {status}", "status": status, "detail": detail}
    names |= {"cases": int(status in ("PASS", "KNOWN", "FAIL"))}
    return names | {"counterexample": None, "diagnosis": None} | more


def report(*checks: dict[str, Any], name: str = "mine") -> dict[str, Any]:
    """A report of these checks."""
    head: dict[str, Any] = {"schema": 1, "backend": name, "level": "smoke", "seed": 0}
    return head | {"environment": {"numpy": "2"}, "checks": list(checks), "summary": {}}


def faults(root: ET.Element) -> list[str]:
    """What in a document is not as the schema of JUnit has it."""
    found = []
    for element in root.iter():
        if set(element.attrib) != ATTRIBUTES.get(element.tag):
            found.append(f"{element.tag}: {sorted(element.attrib)}")
        allowed = CHILDREN.get(element.tag, set())
        found += [f"{element.tag}: {child.tag}" for child in element if child.tag not in allowed]
    for suite in root.iter("testsuite"):
        for tag, count in (("testcase", "tests"), ("failure", "failures"), ("error", "errors")):
            if len(list(suite.iter(tag))) != int(suite.attrib[count]):
                found.append(f"{count}: {suite.attrib[count]}")
    return found


def test_every_check_is_a_test_case(broken: dict[str, Any]) -> None:
    """Test cases are the checks, in order, by operation and name; the counts are right."""
    root = ET.fromstring(report_to_junit(broken))
    cases = [(case.attrib["classname"], case.attrib["name"]) for case in root.iter("testcase")]
    assert cases == [(check["op"], check["check"]) for check in broken["checks"]]
    assert len(cases) > 10
    assert faults(root) == []


def test_failures_carry_their_counterexample(broken: dict[str, Any]) -> None:
    """The text of a failure has every line of the counterexample, bits included."""
    root = ET.fromstring(report_to_junit(broken))
    failures = {case.attrib["name"]: case.findtext("failure") for case in root.iter("testcase")}
    failing = [check for check in broken["checks"] if check["status"] == "FAIL"]
    assert failing
    for check in failing:
        text = failures[check["check"]] or ""
        assert all(line in text for line in check["counterexample"]["lines"])
        assert "0x" in text


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_element(status: str) -> None:
    """FAIL and FIXED fail, ERROR and BLOCKED are errors, KNOWN and UNSUPPORTED are skipped."""
    root = ET.fromstring(report_to_junit(report(check(status, "why"))))
    (case,) = root.iter("testcase")
    assert [child.tag for child in case] == [KINDS[status]] * bool(KINDS[status])
    assert all(child.attrib["message"] == "why" for child in case)
    assert faults(root) == []


def test_any_text_survives() -> None:
    """Markup is escaped; what XML cannot hold is a question mark; the rest comes back."""
    hostile = ']]> <b a="\'"> & \x00\x1b[31m \ud800 \uffff é\nsecond'
    text = report_to_junit(report(check("ERROR", hostile), name=hostile))
    root = ET.fromstring(text.encode("ascii"))
    (error,) = root.iter("error")
    assert error.text == ']]> <b a="\'"> & ??[31m ? ? é\nsecond'
    assert faults(root) == []


def test_a_fault_of_the_document_is_seen() -> None:
    """The checks above can fail: a wrong count, attribute or element is found."""
    text = report_to_junit(report(check("FAIL", "why")))
    for old, new in (('tests="1"', 'tests="2"'), ("classname", "class"), ("failure ", "failed ")):
        assert old in text
        changed = text.replace(old, new).replace("</failure>", "</failed>" * (new == "failed "))
        assert faults(ET.fromstring(changed if new == "failed " else text.replace(old, new)))


def test_the_same_report_gives_the_same_bytes(broken: dict[str, Any]) -> None:
    """There is no time in it."""
    assert report_to_junit(broken) == report_to_junit(broken)


def test_verify_writes_it(tmp_path: Path) -> None:
    """``verify --junit FILE`` writes the document and leaves nothing else behind."""
    file = tmp_path / "junit.xml"
    command = [sys.executable, "-m", "qparity.conformance", "verify", "numpy", "--level", "smoke"]
    options = ["--op", "calculate_range", "--junit", str(file), "--html", str(tmp_path / "a.html")]
    run = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert faults(ET.parse(file).getroot()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "junit.xml"]


def test_a_file_that_cannot_be_written_is_named_first(tmp_path: Path) -> None:
    """A folder that does not exist ends verify with exit code 2 before anything is run."""
    command = [sys.executable, "-m", "qparity.conformance", "verify", "numpy"]
    file = str(tmp_path / "none" / "junit.xml")
    run = subprocess.run([*command, "--junit", file], cwd=ROOT, capture_output=True, check=False)
    assert (run.returncode, run.stdout) == (2, b"")
    assert file.encode() in run.stderr
