"""A report for a terminal and as JSON (SPEC section 12)."""

from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table

from .explain_case import lines_of, to_json
from .outcome import Outcome, proof_of
from .verdict import STATUSES, headline
from .verify import Report

__all__ = ["print_report", "report_to_json"]

_SHOWN_PER_OPERATION = 2
_EVIDENCE = ("exhaustive", "sampled", "fixed")


def print_report(report: Report, console: Console) -> None:
    """The counterexamples, then a table of the operations, then one line that sums up."""
    failures = [o for o in report.outcomes if o.status not in ("PASS", "KNOWN", "UNSUPPORTED")]
    shown = _some_of_each(failures)
    for outcome in shown:
        for line in failure_lines(outcome, report.backend):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(failures) > len(shown):
        console.print(f"and {len(failures) - len(shown)} more that differ; --json has them all")
    console.print(_table(report))
    fallbacks = _fallbacks(report.outcomes)
    if fallbacks:
        console.print(fallbacks, markup=False, highlight=False, soft_wrap=True)
    for note in report.notes:
        console.print(f"not run: {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(_verdict(report), markup=False, highlight=False, soft_wrap=True)


def _some_of_each(failures: list[Outcome]) -> list[Outcome]:
    """The first failures of every operation."""
    by_op: dict[str, list[Outcome]] = {}
    for outcome in failures:
        by_op.setdefault(outcome.op, []).append(outcome)
    return [outcome for group in by_op.values() for outcome in group[:_SHOWN_PER_OPERATION]]


def failure_lines(outcome: Outcome, backend: str) -> list[str]:
    """What differs, as SPEC section 12 shows it."""
    found = outcome.counterexample
    if found is None:
        return [f"{outcome.status} {outcome.op} {outcome.check}: {outcome.detail}"]
    has_args = any(key in found.case.inputs for key in ("args", "scheme"))
    label = found.case.label if has_args else outcome.check
    head = f"{outcome.status} {outcome.op} {label}".ljust(52)
    count = f"{outcome.differing:,} of {outcome.elements:,} elements differ"
    lines = [f"{head} {count}"] + [f"  {line}" for line in lines_of(found)]
    if outcome.detail:
        lines.append(f"  {outcome.detail}")
    if outcome.diagnosis is not None:
        lines.append(f"  {outcome.diagnosis}")
    if outcome.case_file is not None:
        lines.append(f"  replay: qparity replay {outcome.case_file} --backend {backend}")
    return [*lines, ""]


def report_to_json(report: Report) -> dict[str, Any]:
    """The report as JSON values, schema 1."""
    return {
        "schema": 1,
        "backend": report.backend,
        "level": report.level,
        "seed": report.seed,
        "environment": report.environment,
        "checks": [_check_to_json(outcome) for outcome in report.outcomes],
        "notes": report.notes,
        "summary": dict.fromkeys(STATUSES, 0) | report.counts | {"exit_code": report.exit_code},
    }


def _check_to_json(outcome: Outcome) -> dict[str, Any]:
    found = outcome.counterexample
    counterexample = None
    if found is not None:
        file = None if outcome.case_file is None else str(outcome.case_file)
        counterexample = to_json(found) | {"case_file": file}
    return {
        "op": outcome.op,
        "check": outcome.check,
        "status": outcome.status,
        "cases": outcome.cases,
        "elements": outcome.elements,
        "differing": outcome.differing,
        "declared": outcome.declared,
        "unsupported": outcome.unsupported,
        "fallbacks": outcome.fallbacks,
        "evidence": outcome.evidence,
        "proof": outcome.proof,
        "detail": outcome.detail,
        "counterexample": counterexample,
        "diagnosis": None if outcome.diagnosis is None else asdict(outcome.diagnosis),
    }


def _table(report: Report) -> Table:
    table = Table(title=f"{report.backend} against the reference, level {report.level}")
    table.add_column("operation", no_wrap=True)
    for column in ("checks", "cases", "differ"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("evidence", overflow="fold")
    table.add_column("verdict")
    for op, group in groupby(sorted(report.outcomes, key=_order(report)), key=lambda o: o.op):
        outcomes = list(group)
        cases, differ = (sum(getattr(o, name) for o in outcomes) for name in ("cases", "differing"))
        row = (op, f"{len(outcomes):,}", f"{cases:,}", f"{differ:,}", _evidence_of(outcomes))
        table.add_row(*row, _verdict_of(outcomes))
    return table


def _fallbacks(outcomes: list[Outcome]) -> str:
    """Which operations the backend's slower code has answered, and how often; empty if none."""
    counts: dict[str, tuple[int, int]] = {}
    for o in outcomes:
        fallbacks, cases = counts.get(o.op, (0, 0))
        counts[o.op] = fallbacks + o.fallbacks, cases + o.cases
    some = [f"{op} {n:,} of {cases:,} cases" for op, (n, cases) in counts.items() if n]
    return f"by the backend's fallback: {', '.join(some)}" if some else ""


def _order(report: Report) -> Any:  # noqa: ANN401 - a sort key
    first = {outcome.op: i for i, outcome in reversed(list(enumerate(report.outcomes)))}
    return lambda outcome: first[outcome.op]


def _evidence_of(outcomes: list[Outcome]) -> str:
    """The evidence of several checks, each kind added up by itself, on a line of its own."""
    kinds = [[o for o in outcomes if o.evidence == kind] for kind in _EVIDENCE]
    return "\n".join(proof_of(same) for same in kinds if same)


def _verdict_of(outcomes: list[Outcome]) -> str:
    statuses = [outcome.status for outcome in outcomes]
    for status in ("ERROR", "FIXED", "FAIL", "BLOCKED"):
        if status in statuses:
            return f"[red]{status} {statuses.count(status)} of {len(statuses)}[/red]"
    if set(statuses) == {"UNSUPPORTED"}:
        return "[yellow]UNSUPPORTED[/yellow]"
    unsupported = statuses.count("UNSUPPORTED")
    calls = sum(outcome.unsupported for outcome in outcomes if outcome.status == "PASS")
    kind = "not applicable" if outcomes[0].op == "bridge" else "unsupported"
    notes = [f", {unsupported:,} {kind}"] if unsupported else []
    notes += [f", {calls:,} calls unsupported"] if calls else []
    return "[green]equal[/green]" + "".join(notes)


def _verdict(report: Report) -> str:
    counts = report.counts
    versions = ", ".join(f"{k} {v}" for k, v in report.environment.items())
    head = headline((o.op, o.status) for o in report.outcomes)
    statuses = ", ".join(f"{n:,} {status}" for status, n in counts.items() if status.isupper())
    return (
        f"{head}: {report.backend}: {statuses}; {counts['cases']:,} cases, "
        f"{counts['numbers']:,} numbers; seed {report.seed}; {versions}"
    )
