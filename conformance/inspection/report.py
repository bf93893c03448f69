"""An inspection for a terminal and as JSON."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from .finding import VIOLATION, Finding, shown
from .inspect import Inspection
from .module import ModuleReport

__all__ = ["inspection_to_json", "kinds_of", "print_inspection", "scheme_text"]

_SHOWN_OF_EACH = 3
Kind = tuple[Any, ...]


def inspection_to_json(inspection: Inspection) -> dict[str, Any]:
    """The inspection as JSON values, schema 1."""
    return {
        "schema": 1,
        "checkpoint": inspection.checkpoint,
        "against": inspection.against,
        "environment": inspection.environment,
        "modules": [_module_to_json(module) for module in inspection.modules],
        "findings": [asdict(finding) for finding in inspection.findings],
        "summary": {
            "modules": len(inspection.modules),
            "not_compared": inspection.not_compared,
            "other_tensors": inspection.others,
            "violations": inspection.violations,
            "notes": len(inspection.findings) - inspection.violations,
            "exit_code": inspection.exit_code,
        },
    }


def print_inspection(inspection: Inspection, console: Console) -> None:
    """The findings, a line each, a table of the modules, and one line that sums up."""
    for line in _lines(inspection.findings):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if inspection.modules:
        console.print(_table(inspection.modules))
    console.print(verdict(inspection), markup=False, highlight=False, soft_wrap=True)


def verdict(inspection: Inspection) -> str:
    """One line that sums up."""
    if inspection.exit_code == 5 and not inspection.modules:
        return f"NOTHING INSPECTED: {shown(inspection.checkpoint)} has no quantized module"
    count = f"{len(inspection.modules):,} modules"
    if inspection.not_compared:
        count += f", {inspection.not_compared:,} of them not compared"
    against = "" if inspection.against is None else f", against {shown(inspection.against)}"
    head = {0: "FINE", 1: "WRONG", 5: "NOTHING COMPARED"}[inspection.exit_code]
    word = f"{head}: {shown(inspection.checkpoint)}: "
    if inspection.violations:
        word += f"{inspection.violations:,} violations in "
    return f"{word}{count}{against}; {inspection.others:,} other tensors"


def scheme_text(args: dict[str, Any] | None) -> str:
    """The args of a tensor, in short."""
    if args is None:
        return "none"
    size = args["group_size"]
    parts = [f"{args['type']}{args['num_bits']}", args["strategy"]]
    if size is not None and size > 0:
        parts[-1] += f" {size}"
    if args["block_structure"]:
        parts[-1] += " " + "x".join(map(str, args["block_structure"]))
    parts.append("symmetric" if args["symmetric"] else "asymmetric")
    if args["dynamic"]:
        parts.append("dynamic" if args["dynamic"] is True else str(args["dynamic"]))
    return " ".join(parts)


def kinds_of(modules: Iterable[ModuleReport]) -> list[tuple[list[ModuleReport], list[str]]]:
    """Modules of the same scheme and dtypes, with how each tensor is stored."""
    kinds: dict[Kind, list[ModuleReport]] = {}
    for module in modules:
        tensors = tuple((t["tensor"], t["logical"], t["stored"]) for t in module.tensors)
        weights = scheme_text(module.scheme["weights"])
        inputs = scheme_text(module.scheme["input_activations"])
        key = (module.group, module.format, weights, inputs, module.calibration, tensors)
        kinds.setdefault(key, []).append(module)
    return [(found, [*key[:5]]) for key, found in kinds.items()]


def _lines(findings: Iterable[Finding]) -> list[str]:
    """The first findings of each kind and tensor, and how many more there are."""
    seen: Counter[tuple[str, str, str]] = Counter()
    lines, left = [], Counter[tuple[str, str]]()
    for finding in findings:
        key = (finding.severity, finding.id, finding.tensor.rpartition(".")[2])
        seen[key] += 1
        if seen[key] <= _SHOWN_OF_EACH:
            lines.append(finding.line)
        else:
            left[finding.severity, finding.id] += 1
    more = [
        f"{severity} {id_}: and {count:,} more; --json has all"
        for (severity, id_), count in left.items()
    ]
    return sorted([*lines, *more], key=lambda line: not line.startswith(VIOLATION))


def _table(modules: Iterable[ModuleReport]) -> Table:
    table = Table()
    for name in ("modules", "scheme and format", "tensor", "logical", "stored", "shape"):
        table.add_column(name, overflow="fold")
    for found, key in kinds_of(modules):
        group, format_, weights, inputs, calibration = key
        first = found[0]
        name = shown(first.module) if len(found) == 1 else f"{len(found):,} modules"
        facts = [f"{shown(group)}: {weights}", f"inputs: {inputs}", format_, calibration]
        zeros = sum(module.negative_zeros or 0 for module in found)
        facts.append(f"{zeros:,} codes of -0" if zeros else "")
        for i, tensor in enumerate(first.tensors):
            alike = {tuple(m.tensors[i]["shape"]) for m in found}
            shape = str(tensor["shape"]) if len(alike) == 1 else f"{len(alike)} shapes"
            head = (name, "\n".join(filter(None, facts))) if i == 0 else ("", "")
            local = shown(tensor["tensor"])
            table.add_row(*head, local, tensor["logical"], tensor["stored"], shape)
        table.add_section()
    return table


def _module_to_json(module: ModuleReport) -> dict[str, Any]:
    data = asdict(module) | {"findings": len(module.findings)}
    del data["nbytes"]
    return data
