"""A report as JUnit XML: a test case per check, its class the operation."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from .report_file import failure_text, is_failure

__all__ = ["report_to_junit"]

_SKIPPED = ("UNSUPPORTED", "KNOWN")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report_to_junit(report: Mapping[str, Any]) -> str:
    """A report of ``report_to_json`` as JUnit XML.

    FAIL and FIXED are failures; ERROR and BLOCKED errors; UNSUPPORTED and KNOWN skipped. Characters
    that XML cannot hold are written as ``?``. There are no times in it: the same report gives the
    same bytes.
    """
    checks = report["checks"]
    kinds = [_kind(check["status"]) for check in checks]
    counts = {
        "tests": str(len(checks)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "skipped": str(kinds.count("skipped")),
    }
    name = _clean(f"qparity {report['backend']}")
    root = ET.Element("testsuites", {"name": name, **counts})
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
    properties = ET.SubElement(suite, "properties")
    facts = {"level": report.get("level", ""), "seed": report.get("seed", "")}
    for key, value in (facts | dict(report["environment"])).items():
        ET.SubElement(properties, "property", {"name": _clean(key), "value": _clean(value)})
    for check, kind in zip(checks, kinds, strict=True):
        names = {"classname": _clean(check["op"]), "name": _clean(check["check"])}
        case = ET.SubElement(suite, "testcase", names)
        if kind:
            _add_result(case, kind, check, str(report["backend"]))
    ET.indent(root)
    text = ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode()
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add_result(case: ET.Element, kind: str, check: Mapping[str, Any], backend: str) -> None:
    text = _clean(failure_text(check, backend))
    found = ET.SubElement(case, kind, {"message": text.splitlines()[0]})
    if is_failure(check):
        found.set("type", check["status"])
        found.text = text


def _kind(status: str) -> str:
    """The element within a test case; none if it passed."""
    if status in _SKIPPED:
        return "skipped"
    if status in ("ERROR", "BLOCKED"):
        return "error"
    return "" if status == "PASS" else "failure"


def _clean(text: object) -> str:
    return _NOT_XML.sub("?", str(text))
