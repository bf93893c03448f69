"""The result of the self-test as lines, as JSON and as a page of Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from .faults import FAULTS, TOPICS
from .self_test import Finding, Strength

__all__ = ["strength_to_json", "strength_to_markdown", "summary_lines"]

_DTYPES = ("float16", "bfloat16", "float32", "float64")
_MOST = 4
_HEAD = """# Strength of the judge

Each row is a fault, planted in a second implementation of the reference, and an operation in which
it shows. The checks of `qparity verify --level quick` are run on it, and one of them must find it;
without a fault they must find nothing.

- **checks**: those that find it, of all the checks of the operation.
- **dtypes**, **formats**: where it is found; what a fault does not touch cannot show it.
- **cases**: how many cases of the first check that finds it are run until the difference.
- **named**: whether the diagnosis of the failing cases is this fault, or which other one.

This page is written by

    {command}

**Found: {found} of {planted}**: {faults} faults, each in the operations that it names; seed {seed}.
Named by the diagnosis: {named} of {planted}.
"""
_COLUMNS = ("fault", "what it does", "operation", "checks", "dtypes", "formats", "cases", "named")


def summary_lines(strength: Strength) -> list[str]:
    """What was missed or blamed, then one line that sums up."""
    lines = [
        f"BLAMED {f.op}: the variant without a fault, by {f.found[0]}" for f in strength.blamed
    ]
    lines += [f"MISSED {f.fault} in {f.op}: {len(f.missed)} checks" for f in strength.missed]
    head = {0: "ALL FOUND", 1: "NOT ALL FOUND", 5: "NOTHING WAS RUN"}[strength.exit_code]
    return [*lines, f"{head}: {_counted(strength)}; seed {strength.seed}"]


def strength_to_json(strength: Strength) -> dict[str, Any]:
    """The result as JSON values, schema 1."""
    return {
        "schema": 1,
        "seed": strength.seed,
        "unspoiled": [asdict(finding) for finding in strength.unspoiled],
        "findings": [asdict(finding) for finding in strength.findings],
        "summary": {
            "found": len(strength.findings) - len(strength.missed),
            "planted": len(strength.findings),
            "named": _named(strength),
            "exit_code": strength.exit_code,
        },
    }


def strength_to_markdown(strength: Strength, command: str) -> str:
    """The result as a page that names the command that wrote it."""
    findings = strength.findings
    head = _HEAD.format(
        command=command,
        found=len(findings) - len(strength.missed),
        planted=len(findings),
        faults=len({finding.fault for finding in findings}),
        seed=strength.seed,
        named=_named(strength),
    )
    return "\n".join([head, *_sections(findings)]).rstrip("\n") + "\n"


def _sections(findings: Sequence[Finding]) -> Iterator[str]:
    for topic, faults in TOPICS.items():
        names = {fault.name for fault in faults}
        rows = [finding for finding in findings if finding.fault in names]
        if not rows:
            continue
        yield f"## {topic}\n"
        yield _row(_COLUMNS)
        yield _row(["---"] * len(_COLUMNS))
        yield from (_row(_cells(finding)) for finding in rows)
        yield ""


def _cells(finding: Finding) -> list[str]:
    description = next(fault.description for fault in FAULTS if fault.name == finding.fault)
    total = len(finding.found) + len(finding.missed)
    named = "yes" if finding.diagnosis == finding.fault else finding.diagnosis or "no"
    return [
        f"`{finding.fault}`",
        description,
        f"`{finding.op}`",
        f"{len(finding.found)} of {total}" if finding.found else "**missed**",
        *_where(finding),
        "" if finding.cases is None else f"{finding.cases:,}",
        named if named in ("yes", "no") else f"`{named}`",
    ]


def _where(finding: Finding) -> tuple[str, str]:
    """The dtypes and the formats in which it is found."""
    found = [_split(name) for name in finding.found]
    every = [_split(name) for name in (*finding.found, *finding.missed)]
    return _listed(found, every, 0), _listed(found, every, 1)


def _listed(found: Sequence[tuple[str, str]], every: Sequence[tuple[str, str]], part: int) -> str:
    some, both = (dict.fromkeys(pair[part] for pair in pairs) for pairs in (found, every))
    if not some or set(both) == {""}:
        return ""
    if set(some) == set(both):
        return "all"
    return ", ".join(some) if len(some) <= _MOST else f"{len(some)} of {len(both)}"


def _split(check: str) -> tuple[str, str]:
    """The dtype and the rest of a check's name: ``int4 float32``, ``uint8 from float64``."""
    *words, last = check.split()
    if last not in _DTYPES:
        return "", check
    return last, " ".join(words).removesuffix(" from")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _named(strength: Strength) -> int:
    return sum(finding.diagnosis == finding.fault for finding in strength.findings)


def _counted(strength: Strength) -> str:
    planted = len(strength.findings)
    found = planted - len(strength.missed)
    faults = len({finding.fault for finding in strength.findings})
    operations = len({finding.op for finding in strength.findings})
    return (
        f"{found} of {planted} found ({faults} faults in {operations} operations), "
        f"{_named(strength)} of {planted} named by the diagnosis"
    )
