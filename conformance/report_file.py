"""JSON reports, read back: what JUnit and HTML are made from."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .verdict import FAILURES, STATUSES, exit_code_of

__all__ = ["dtype_of", "failure_text", "is_failure", "load_report", "verdicts_of"]

_SCHEMA = 1
_FIELDS = {"backend": str, "environment": Mapping, "checks": list, "summary": Mapping}
_CHECK_FIELDS = {"op": str, "check": str, "status": str}
_DTYPES = ("float16", "bfloat16", "float32", "float64")
Json = Mapping[str, Any]


def load_report(path: Path) -> Json:
    """Read a report that ``qparity verify --json`` wrote.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds no report, a check that passed without a case, or a summary that is
            not of its checks; the message names the field.
    """
    try:
        data = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(data, Mapping) or data.get("schema") != _SCHEMA:
        raise ValueError(f"{path}: schema: not a report; allowed: schema {_SCHEMA}")
    _require(str(path), data, _FIELDS)
    for i, check in enumerate(data["checks"]):
        if not isinstance(check, Mapping):
            raise ValueError(f"{path}: checks[{i}]: not an object")
        _require(f"{path}: checks[{i}]", check, _CHECK_FIELDS)
        if check["status"] not in STATUSES:
            status = check["status"]
            raise ValueError(f"{path}: checks[{i}]: status: {status!r}; allowed: {list(STATUSES)}")
        _require_cases(f"{path}: checks[{i}]", check)
    _require_sums(f"{path}: summary", data)
    return data


def is_failure(check: Json) -> bool:
    """Whether a check makes its report a failure."""
    return check["status"] in FAILURES


def verdicts_of(report: Json) -> list[tuple[str, str]]:
    """The operation and the status of each check, as ``verdict`` takes them."""
    return [(check["op"], check["status"]) for check in report["checks"]]


def dtype_of(check: Json) -> str:
    """The dtype that a check is of, by its name; empty if it is of none, or of all."""
    found = [word for word in str(check["check"]).split() if word in _DTYPES]
    return found[-1] if found else ""


def failure_text(check: Json, backend: str) -> str:
    """The counterexample of a check, its bits and how to replay it; its detail without one."""
    found = check.get("counterexample")
    lines = []
    if isinstance(found, Mapping):
        differing, elements = (check.get(name, 0) for name in ("differing", "elements"))
        lines.append(f"{differing} of {elements} elements differ: {found.get('label', '')}")
        lines += [str(line) for line in _list(found.get("lines"))]
    if check.get("detail"):
        lines.append(str(check["detail"]))
    lines += _diagnosis(check.get("diagnosis"), "\n".join(lines))
    if isinstance(found, Mapping) and found.get("case_file"):
        lines.append(f"replay: qparity replay {found['case_file']} --backend {backend}")
    return "\n".join(lines) or "no detail was reported"


def _diagnosis(diagnosis: object, told: str) -> Iterable[str]:
    """What explains it, unless the lines tell already."""
    if not diagnosis:
        return []
    text = diagnosis if isinstance(diagnosis, str) else json.dumps(diagnosis)
    if isinstance(diagnosis, Mapping) and {"fault", "explained", "of"} <= set(diagnosis):
        text = f"{diagnosis['fault']}, on {diagnosis['explained']} of {diagnosis['of']}"
    return [] if "explained by" in told else [f"explained by: {text}"]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _require_cases(where: str, check: Json) -> None:
    """What passes has compared something."""
    cases = check.get("cases")
    if check["status"] in ("PASS", "KNOWN") and (type(cases) is not int or cases < 1):
        raise ValueError(f"{where}: cases: {cases!r} of a {check['status']}; allowed: 1 or more")


def _require_sums(where: str, report: Json) -> None:
    """What the summary says of the statuses, as far as it says it, is what the checks come to."""
    verdicts = verdicts_of(report)
    statuses = Counter(status for _, status in verdicts)
    sums = {status: statuses[status] for status in STATUSES} | {"exit_code": exit_code_of(verdicts)}
    for name, expected in sums.items():
        said = report["summary"].get(name, expected)
        if said != expected:
            raise ValueError(
                f"{where}: {name}: {said!r}; allowed: {expected}, which the checks come to"
            )


def _require(where: str, data: Json, fields: Mapping[str, Any]) -> None:
    for name, kind in fields.items():
        if not isinstance(data.get(name), kind):
            raise ValueError(f"{where}: {name}: missing, or not what a report has")
