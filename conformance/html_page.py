"""Reports as one page of HTML: operation by backend by dtype, failures with their bits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .html_frame import page, text
from .report_file import dtype_of, failure_text, is_failure, verdicts_of
from .verdict import VERDICTS, exit_code_of, headline

__all__ = ["reports_to_html"]

_DTYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "float64": "f64", "": "any"}
_LEGEND = "✓ equal; ✗ failing, of how many: follow it to the numbers; ○ known or unsupported"
_ORDER = tuple(_DTYPES)
_IDLE = 5
Json = Mapping[str, Any]
Column = tuple[int, str]


@dataclass
class Cell:
    """The checks of one operation, backend and dtype; ``column`` is the report and the dtype."""

    op: str
    column: Column
    backend: str
    checks: list[Json] = field(default_factory=list)

    @property
    def failures(self) -> list[Json]:
        """The checks that fail."""
        return [check for check in self.checks if is_failure(check)]

    @property
    def title(self) -> str:
        """As its list of failures is headed."""
        return f"{self.op}, {self.backend}, {self.column[1] or 'any dtype'}"


def reports_to_html(reports: Sequence[Json]) -> str:
    """Reports of ``report_to_json`` as one page that loads nothing.

    Reports of one backend stay apart, as columns of their own. Everything that a report says is
    escaped.
    """
    cells = _cells(reports)
    columns = sorted({key[1] for key in cells}, key=lambda c: (c[0], _ORDER.index(c[1])))
    ops = list(dict.fromkeys(key[0] for key in cells))
    places = ((op, column) for op in ops for column in columns if (op, column) in cells)
    failing = [cells[place] for place in places if cells[place].failures]
    names = {id(cell): f"f{i}" for i, cell in enumerate(failing, 1)}
    body = [
        *_head(reports, failing),
        *_runs(reports),
        *_table(reports, columns, ops, cells, names),
        *_failures(failing, names),
        *_notes(reports),
    ]
    title = "qparity: " + ", ".join(str(report["backend"]) for report in reports)
    return page(title, body)


def _cells(reports: Sequence[Json]) -> dict[tuple[str, Column], Cell]:
    cells: dict[tuple[str, Column], Cell] = {}
    for i, report in enumerate(reports):
        for check in report["checks"]:
            column = (i, dtype_of(check))
            new = Cell(check["op"], column, report["backend"])
            cells.setdefault((check["op"], column), new).checks.append(check)
    return cells


def _head(reports: Sequence[Json], failing: Sequence[Cell]) -> list[str]:
    found = [check for report in reports for check in verdicts_of(report)]
    idle = [report["backend"] for report in reports if exit_code_of(verdicts_of(report)) == _IDLE]
    failed = sum(len(cell.failures) for cell in failing)
    if failed:
        verdict = _signed(found, f": {failed:,} of {len(found):,} checks")
    elif idle:
        verdict = text(f"{VERDICTS[_IDLE]}: {', '.join(idle)}")
    else:
        verdict = _signed(found)
    about = "Bit for bit against the reference: same dtype, same shape, same bits."
    return ["<h1>qparity</h1>", f'<p class="soft">{about}</p>', f"<p><b>{verdict}</b></p>"]


def _signed(checks: Sequence[tuple[str, str]], more: str = "") -> str:
    """The verdict on checks; its sign and colour say no more than its words."""
    words = headline(checks)
    code = exit_code_of(checks)
    if code == _IDLE:
        return words
    kind, sign = ("failed", "✗") if code else ("equal", "✓")
    return f'<span class="{kind}">{sign} {words}{more}</span>'


def _runs(reports: Sequence[Json]) -> list[str]:
    rows = ["<h2>Runs</h2>", '<div class="scroll"><table>', "<thead><tr>"]
    names = ("backend", "verdict", "level", "seed", "checks", "cases", "environment")
    rows += [f'<th scope="col">{name}</th>' for name in names] + ["</tr></thead>", "<tbody>"]
    for report in reports:
        cases = sum(_number(check.get("cases")) for check in report["checks"])
        facts = (report.get("level", ""), report.get("seed", ""), f"{len(report['checks']):,}")
        where = ", ".join(f"{key} {value}" for key, value in report["environment"].items())
        rows.append(f'<tr><th scope="row">{text(report["backend"])}</th>')
        rows.append(f"<td>{_signed(verdicts_of(report))}</td>")
        rows += [f"<td>{text(fact)}</td>" for fact in (*facts, f"{cases:,}")]
        rows.append(f'<td class="wide">{text(where)}</td></tr>')
    return [*rows, "</tbody></table></div>"]


def _table(
    reports: Sequence[Json],
    columns: Sequence[Column],
    ops: Sequence[str],
    cells: Mapping[tuple[str, Column], Cell],
    names: Mapping[int, str],
) -> list[str]:
    widths = [sum(column[0] == i for column in columns) for i in range(len(reports))]
    backends = [
        f'<th scope="colgroup" colspan="{width}">{text(report["backend"])}</th>'
        for report, width in zip(reports, widths, strict=True)
        if width
    ]
    dtypes = [
        f'<th scope="col" title="{dtype or "any dtype"}">{_DTYPES[dtype]}</th>'
        for _, dtype in columns
    ]
    rows = [
        "<h2>Operations</h2>",
        f'<p class="soft">{_LEGEND}</p>',
        '<div class="scroll"><table>',
        '<thead><tr><th scope="col" rowspan="2">operation</th>',
        *backends,
        "</tr><tr>",
        *dtypes,
        "</tr></thead>",
        "<tbody>",
    ]
    for op in ops:
        rows.append(f'<tr><th scope="row">{text(op)}</th>')
        rows += [_cell(cells.get((op, column)), names) for column in columns]
        rows.append("</tr>")
    return [*rows, "</tbody></table></div>"]


def _cell(cell: Cell | None, names: Mapping[int, str]) -> str:
    if cell is None:
        return '<td class="none" title="there is no such check"></td>'
    total = len(cell.checks)
    statuses = [check["status"] for check in cell.checks]
    if cell.failures:
        other = [s for s in ("ERROR", "FIXED", "BLOCKED") if s in statuses]
        label = " ".join([f"✗ {len(cell.failures)}/{total}", *other])
        return f'<td class="fail"><a href="#{names[id(cell)]}">{label}</a></td>'
    notes = [
        f"○ {statuses.count(status)} {status.lower()}"
        for status in ("KNOWN", "UNSUPPORTED")
        if status in statuses
    ]
    if "PASS" not in statuses:
        return f'<td class="note">{"<br>".join(notes)}</td>'
    more = f'<br><span class="soft">{"<br>".join(notes)}</span>' if notes else ""
    proof = text(", ".join(dict.fromkeys(str(c.get("evidence", "")) for c in cell.checks)))
    return f'<td title="{proof}"><span class="equal">✓ {statuses.count("PASS")}</span>{more}</td>'


def _failures(failing: Sequence[Cell], names: Mapping[int, str]) -> list[str]:
    if not failing:
        return []
    rows = ["<h2>Differences</h2>"]
    for cell in failing:
        count = f"{len(cell.failures)} of {len(cell.checks)} checks"
        rows.append(f'<details id="{names[id(cell)]}">')
        rows.append(f"<summary>{text(cell.title)}: {count}</summary>")
        for check in cell.failures:
            rows.append(f"<h3>{text(check['status'])} {text(check['op'])} ")
            rows.append(f"{text(check['check'])}</h3>")
            rows.append(f"<pre>{text(failure_text(check, cell.backend))}</pre>")
        rows.append("</details>")
    return rows


def _notes(reports: Sequence[Json]) -> list[str]:
    told = [(report["backend"], note) for report in reports for note in report.get("notes") or ()]
    if not told:
        return []
    items = [f"<li>{text(backend)}: {text(note)}</li>" for backend, note in told]
    return ["<h2>Not run</h2>", "<ul>", *items, "</ul>"]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
