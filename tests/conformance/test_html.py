"""The page: well-formed, self-contained, everything escaped; and opened in a browser."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from qparity.conformance.html_page import reports_to_html
from qparity.conformance.report_file import load_report
from tests.conformance.test_junit import check, report

ROOT = Path(__file__).resolve().parents[2]
BROWSER = os.environ.get("QPARITY_CHROMIUM") or shutil.which("chromium")
VOID = {"meta", "link", "br"}
LOADS = {"src", "srcset", "href", "action", "data", "poster", "background", "formaction"}
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000"),
)
HOSTILE = "</pre></details><script>document.title='taken'</script> & \"'\x00\x1b \u202e"


class Page(HTMLParser):
    """What a page holds, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.faults: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]
        self.faults += [f"#{link} leads nowhere" for link in self.links if link not in self.ids]
        self.faults += [f"#{name} twice" for name in set(self.ids) if self.ids.count(name) > 1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look for what is loaded from elsewhere."""
        for name, value in attrs:
            text = value or ""
            if name == "id":
                self.ids.append(text)
            elif name == "href" and text.startswith("#"):
                self.links.append(text[1:])
            elif name in LOADS and text != "data:,":
                self.faults.append(f"<{tag} {name}={text}> loads something")
            elif name.startswith("on"):
                self.faults.append(f"<{tag} {name}> is a script")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes another")

    def handle_data(self, data: str) -> None:
        """Keep the text of every element."""
        tag = self.open[-1] if self.open else ""
        self.texts.setdefault(tag, []).append(data)
        if tag == "style" and re.search(r"url\(|@import", data):
            self.faults.append("<style> loads something")


def opened(page: Path, target: str = "") -> tuple[str, list[str]]:
    """The document of a page after its script has run, and what the console says of errors."""
    profile = f"--user-data-dir={page.with_suffix('.profile')}"
    url = page.as_uri() + target
    command = [str(BROWSER), *FLAGS, profile, "--dump-dom", url]
    run = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    lines = run.stderr.decode(errors="replace").splitlines()
    return run.stdout.decode(), [line for line in lines if "CONSOLE" in line]


@pytest.fixture(scope="module")
def reports(broken: dict[str, Any]) -> list[dict[str, Any]]:
    """Three reports: one with differences, one that is hostile, one that is equal."""
    hostile = report(check("ERROR", HOSTILE, op=HOSTILE, check=f"{HOSTILE} float32"), name=HOSTILE)
    hostile["environment"] = {HOSTILE: HOSTILE}
    hostile["notes"] = [HOSTILE]
    equal = report(check("PASS"), check("KNOWN"), check("UNSUPPORTED"), name="equal")
    return [broken, hostile, equal]


def test_the_page_is_whole_and_loads_nothing(reports: list[dict[str, Any]]) -> None:
    """Every element is closed, every link leads somewhere, nothing comes from elsewhere."""
    text = reports_to_html(reports)
    assert Page(text).faults == []
    assert "://" not in text
    assert text.isascii()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<h1>", '<h1><img src="//example.org/a.png">'),
        ("</table>", ""),
        ('id="f1"', ""),
        ('id="f1"', 'id="f2"'),
        ("<style>", "<style>@import 'a.css';"),
        ("<h1>", '<h1 onclick="a()">'),
    ],
)
def test_a_fault_of_the_page_is_seen(reports: list[dict[str, Any]], old: str, new: str) -> None:
    """The check above can fail: what loads, does not close or leads nowhere is found."""
    text = reports_to_html(reports)
    assert old in text
    assert Page(text.replace(old, new)).faults


def test_every_failure_is_told(broken: dict[str, Any]) -> None:
    """Each failing cell leads to all its counterexamples: bits, both answers, how to replay."""
    failing = [check for check in broken["checks"] if check["status"] == "FAIL"]
    for i, found in enumerate(failing):
        found["counterexample"]["case_file"] = f".qparity/cases/quantize-{i}.json"
    page = Page(reports_to_html([broken]))
    told = "".join(page.texts["pre"])
    assert len(failing) > 3
    for i, found in enumerate(failing):
        assert all(line in told for line in found["counterexample"]["lines"])
        assert f"qparity replay .qparity/cases/quantize-{i}.json --backend mine" in told
    dtypes = {found["check"].split()[-1] for found in failing}
    assert len(page.links) == len(dtypes) == len([i for i in page.ids if i.startswith("f")])


def test_the_verdict_is_a_word_and_a_sign(reports: list[dict[str, Any]]) -> None:
    """Colour is never alone: equal, different and nothing run are told by words."""
    equal = report(check("PASS"))
    assert "&#10003; EQUAL" in reports_to_html([equal])
    assert "&#10007; DIFFERENT: " in reports_to_html(reports)
    assert "NOTHING WAS RUN" in reports_to_html([report(check("UNSUPPORTED"))])
    fixed = check("FIXED")
    assert "&#10007; NO LONGER AS KNOWN: 1 of 1" in reports_to_html([report(fixed)])
    assert "&#10007; DIFFERENT: 2 of 2" in reports_to_html([report(fixed, check("FAIL"))])
    known = report(check("PASS"), check("KNOWN"))
    assert "&#10003; EQUAL BUT FOR WHAT IS KNOWN" in reports_to_html([known])


def test_a_report_that_ran_nothing_is_not_equal() -> None:
    """Neither is one whose bridge alone passed, nor a page with another that is equal."""
    bridge = report(check("PASS", op="bridge"), check("UNSUPPORTED"), name="idle")
    assert "EQUAL" not in reports_to_html([bridge])
    page = reports_to_html([report(check("PASS")), bridge])
    assert "<p><b>NOTHING WAS RUN: idle</b></p>" in page
    assert page.count("&#10003; EQUAL<") == 1


@pytest.mark.parametrize("status", ["FAIL", "ERROR", "BLOCKED", "FIXED"])
def test_what_fails_is_linked(status: str) -> None:
    """Every status that fails a report has a cell that leads to its detail."""
    page = Page(reports_to_html([report(check(status, "the detail"))]))
    assert page.links == ["f1"]
    assert "the detail" in "".join(page.texts["pre"])


def test_the_page_in_a_browser(reports: list[dict[str, Any]], tmp_path: Path) -> None:
    """The page has the same elements once rendered; no error; its link opens the numbers."""
    page = tmp_path / "page.html"
    page.write_text(reports_to_html(reports))
    assert Page(page.read_text()).faults == []
    if BROWSER is None:
        return
    document, errors = opened(page, "#f2")
    assert errors == []
    assert "<title>qparity: mine, " in document
    assert re.findall(r'<details id="(f\d+)" open="">', document) == ["f2"]
    assert document.count("<details") == page.read_text().count("<details")


def test_an_error_in_a_browser_is_seen(reports: list[dict[str, Any]], tmp_path: Path) -> None:
    """The check above can fail: a wrong script and a forbidden image are in the console."""
    text = reports_to_html(reports)
    script = tmp_path / "script.html"
    script.write_text(text.replace('"use strict";', '"use strict"; missing();'))
    image = tmp_path / "image.html"
    image.write_text(text.replace("<h1>", '<h1><img src="other.png">'))
    assert Page(image.read_text()).faults
    if BROWSER is None:
        return
    assert any("missing is not defined" in line for line in opened(script)[1])
    assert any("Content Security Policy" in line for line in opened(image)[1])


def test_reports_are_merged_by_the_command(broken: dict[str, Any], tmp_path: Path) -> None:
    """``qparity report A B --html F`` makes one page of both, with the worst exit code."""
    paths = [tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c.json"]
    paths[0].write_text(json.dumps(broken))
    paths[1].write_text(json.dumps(report(check("PASS"), name="other")))
    paths[2].write_text(json.dumps(report(check("UNSUPPORTED"), name="idle")))
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "qparity.conformance", "report", "--html", str(page)]
    for chosen, code in ((paths, 1), (paths[1:], 5), (paths[1:2], 0)):
        run = subprocess.run([*command, *map(str, chosen)], cwd=ROOT, check=False)
        assert run.returncode == code
    assert page.read_text() == reports_to_html([load_report(paths[1])])
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "schema: not a report"),
        ('{"schema": 2}', "schema: not a report"),
        ('{"schema": 1}', "backend: missing"),
        (json.dumps(report() | {"checks": [1]}), r"checks\[0\]: not an object"),
        (json.dumps(report({"op": "a", "check": "b"})), r"checks\[0\]: status: missing"),
        (json.dumps(report(check("GREAT"))), r"checks\[0\]: status: 'GREAT'; allowed: "),
        *(
            (
                json.dumps(report(check("PASS", cases=cases))),
                rf"checks\[0\]: cases: {cases!r} of a P",
            )
            for cases in (0, -1, None, "9", True)
        ),
        (
            json.dumps(report(check("KNOWN", cases=0))),
            r"checks\[0\]: cases: 0 of a KNOWN; allowed: 1",
        ),
        *(
            (
                json.dumps(report(check("PASS")) | {"summary": {"PASS": 1} | said}),
                f"summary: {text}, which the checks come to",
            )
            for said, text in (
                ({"exit_code": 1}, "exit_code: 1; allowed: 0"),
                ({"exit_code": None}, "exit_code: None; allowed: 0"),
                ({"FAIL": 3}, "FAIL: 3; allowed: 0"),
                ({"PASS": 2}, "PASS: 2; allowed: 1"),
            )
        ),
    ],
)
def test_what_is_no_report_is_named(text: str, message: str, tmp_path: Path) -> None:
    """A file that is no report is refused, with its name and the field."""
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {message}"):
        load_report(path)


def test_a_summary_of_its_checks_is_read(broken: dict[str, Any], tmp_path: Path) -> None:
    """What ``verify`` writes is read back, and so is a report whose summary says less."""
    path = tmp_path / "a.json"
    for written in (broken, broken | {"summary": {}}, report(check("PASS"))):
        path.write_text(json.dumps(written))
        assert load_report(path) == json.loads(json.dumps(written))
