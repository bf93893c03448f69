"""What the checks of a report come to: one rule for terminal, page and exit code."""

from collections.abc import Iterable

__all__ = ["FAILURES", "STATUSES", "VERDICTS", "exit_code_of", "headline", "worst"]

STATUSES = ("PASS", "FAIL", "KNOWN", "FIXED", "UNSUPPORTED", "BLOCKED", "ERROR")
FAILURES = ("FAIL", "FIXED", "BLOCKED", "ERROR")
VERDICTS = {0: "EQUAL", 1: "DIFFERENT", 5: "NOTHING WAS RUN"}
_WORST_FIRST = (1, 5, 0)


def exit_code_of(checks: Iterable[tuple[str, str]]) -> int:
    """The exit code of checks, each an operation and a status.

    Returns:
        0 all equal, 1 a difference, 5 nothing was run: ``bridge`` alone compares no backend.
    """
    found = list(checks)
    if any(status in FAILURES for _, status in found):
        return 1
    return 0 if any(op != "bridge" and status in ("PASS", "KNOWN") for op, status in found) else 5


def headline(checks: Iterable[tuple[str, str]]) -> str:
    """The verdict in words: whether all is equal, and whether that is so but for what is known."""
    found = list(checks)
    code = exit_code_of(found)
    statuses = {status for _, status in found}
    if code == 0 and "KNOWN" in statuses:
        return "EQUAL BUT FOR WHAT IS KNOWN"
    if statuses & set(FAILURES) == {"FIXED"}:
        return "NO LONGER AS KNOWN"
    return VERDICTS[code]


def worst(codes: Iterable[int]) -> int:
    """The exit code of several reports: 1 if one has it, else 5 if one has it or there is none."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), 5)
