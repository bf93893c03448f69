"""An inspection as one page of HTML."""

from collections.abc import Sequence

from ..html_frame import page, text
from .finding import VIOLATION, Finding
from .inspect import Inspection
from .report import kinds_of, verdict

__all__ = ["inspection_to_html"]

_MOST_ROWS = 20_000


def inspection_to_html(inspection: Inspection) -> str:
    """The page: findings, kinds of modules with logical and stored dtypes, and all modules.

    It loads nothing, and everything that comes from the checkpoint is escaped.
    """
    shade = "failed" if inspection.exit_code else "equal"
    mark = "✗" if inspection.exit_code else "✓"
    told = f'<span class="{shade}">{mark} {text(verdict(inspection))}</span>'
    where = ", ".join(f"{key} {value}" for key, value in inspection.environment.items())
    body = [
        "<h1>qparity inspect</h1>",
        f'<p class="soft">{text(where)}</p>',
        f"<p><b>{told}</b></p>",
        *_findings(inspection.findings),
        *_kinds(inspection),
        *_modules(inspection),
    ]
    return page(f"qparity inspect: {inspection.checkpoint}", body)


def _findings(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    head = ("finding", "where", "is", "expected", "elements", "why")
    rows = ["<h2>Findings</h2>", *_head(head)]
    for finding in findings[:_MOST_ROWS]:
        wrong = finding.severity == VIOLATION
        shade = ' class="fail"' if wrong else ' class="note"'
        mark = "✗" if wrong else "○"
        count = f"{finding.count:,} of {finding.total:,}" if finding.count else ""
        facts = (finding.place, finding.bits, finding.expected, count, finding.hint)
        rows.append(f"<tr><td{shade}>{mark} {text(finding.id)}</td>")
        rows += [f'<td class="wide">{text(fact)}</td>' for fact in facts]
        rows.append("</tr>")
    if len(findings) > _MOST_ROWS:
        rows.append(f"<tr><td>and {len(findings) - _MOST_ROWS:,} more</td></tr>")
    return [*rows, "</tbody></table></div>"]


def _kinds(inspection: Inspection) -> list[str]:
    rows = [
        "<h2>Kinds of modules</h2>",
        *_head(("modules", "group", "weights", "inputs", "format", "tensors: logical, stored")),
    ]
    for found, (group, format_, weights, inputs, _) in kinds_of(inspection.modules):
        stored = [f"{t['tensor']}: {t['logical']}, {t['stored']}" for t in found[0].tensors]
        rows.append(f'<tr><th scope="row">{len(found):,}</th>')
        rows += [f"<td>{text(fact)}</td>" for fact in (group, weights, inputs, format_)]
        rows.append(f"<td>{'<br>'.join(map(text, stored))}</td></tr>")
    return [*rows, "</tbody></table></div>"]


def _modules(inspection: Inspection) -> list[str]:
    head = ("module", "shape", "format", "dense weights", "codes of -0", "findings")
    rows = ["<h2>Modules</h2>", *_head(head)]
    for module in inspection.modules[:_MOST_ROWS]:
        wrong = any(finding.severity == VIOLATION for finding in module.findings)
        shape = "" if module.shape is None else "x".join(map(str, module.shape))
        zeros = "" if module.negative_zeros is None else f"{module.negative_zeros:,}"
        facts = (shape, module.format, module.calibration, zeros)
        rows.append(f'<tr><th scope="row">{text(module.module)}</th>')
        rows += [f"<td>{text(fact)}</td>" for fact in facts]
        ids = ", ".join(dict.fromkeys(finding.id for finding in module.findings))
        shade = "fail" if wrong else "note"
        rows.append(f'<td class="{shade}">{text(ids)}</td></tr>')
    if len(inspection.modules) > _MOST_ROWS:
        rows.append(f"<tr><td>and {len(inspection.modules) - _MOST_ROWS:,} more</td></tr>")
    return [*rows, "</tbody></table></div>"]


def _head(names: Sequence[str]) -> list[str]:
    cells = [f'<th scope="col">{name}</th>' for name in names]
    return ['<div class="scroll"><table>', "<thead><tr>", *cells, "</tr></thead>", "<tbody>"]
