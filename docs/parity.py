"""Make docs/parity.md from reports of ``qparity verify``: what real libraries compute.

qparity verify compressed_tensors:cpu --json report.json
python docs/parity.py --add report.json     # keeps docs/parity/NAME.json.gz, trimmed
python docs/parity.py                       # writes docs/parity.md
"""

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATA, PAGE, RULES = HERE / "parity", HERE / "parity.md", HERE / "parity" / "rules.txt"
KEPT = ("op", "check", "status", "cases", "elements", "differing", "declared", "unsupported")
DTYPES = ("float16", "bfloat16", "float32", "float64")
LIBRARIES = ("compressed-tensors", "torchao", "ml_dtypes", "gfloat", "onnx")
VERSIONS = ("compressed-tensors", "torchao", "ml_dtypes", "gfloat", "onnx", "torch", "device")
Json = Mapping[str, Any]
Key = tuple[str, str]


def main() -> None:
    """Add reports to the inputs, or make the page."""
    parser = argparse.ArgumentParser(description="Make docs/parity.md from JSON reports.")
    parser.add_argument("--add", type=Path, action="append", default=[], metavar="REPORT.json")
    parser.add_argument(
        "--options", default="", help="of verify as the reports were made, and NAME=VALUE before it"
    )
    options = parser.parse_args()
    for path in options.add:
        add(path, options.options)
    if not options.add:
        PAGE.write_text(page(sorted(DATA.glob("*.json.gz"))))


def add(path: Path, options: str) -> None:
    """Keep what the page needs of a report."""
    report = json.loads(_text(path))
    kept = trimmed(report, options)
    name = f"{path.name.removesuffix('.gz').removesuffix('.json')}.json.gz"
    DATA.mkdir(exist_ok=True)
    (DATA / name).write_bytes(gzip.compress(json.dumps(kept).encode(), mtime=0))


def trimmed(report: Json, options: str) -> dict[str, Any]:
    """A report without what the page does not say."""
    checks = []
    for check in report["checks"]:
        if check["op"] == "bridge" or check["status"] == "UNSUPPORTED":
            continue
        found = check["counterexample"] or {}
        lines = [line for line in found.get("lines", []) if line]
        fault = (check["diagnosis"] or {}).get("fault", "")
        few = {"lines": lines[-3:], "label": found.get("label", ""), "fault": fault}
        few["error"] = check["detail"] if check["status"] == "ERROR" else ""
        checks.append({name: check.get(name) for name in KEPT} | few)
    names = ("backend", "level", "seed", "environment")
    return {name: report[name] for name in names} | {"options": options, "checks": checks}


def page(paths: Iterable[Path]) -> str:
    """The page of all inputs."""
    reports = {path.name.removesuffix(".json.gz"): json.loads(_text(path)) for path in paths}
    parts = [RULES.read_text().rstrip(), "", "## Reports", ""]
    for name, report in sorted(reports.items()):
        parts += [*_section(report, reports.get(f"{name}-float32")), ""]
    return "\n".join(parts).rstrip() + "\n"


def _section(report: Json, other: Json | None) -> list[str]:
    environment = report["environment"]
    versions = ", ".join(f"{n} {environment[n]}" for n in VERSIONS if n in environment)
    verify = f"qparity verify {report['backend']} --level {report['level']}"
    options = str(report["options"])
    before = options.split()[0] if options and not options.startswith("-") else ""
    command = " ".join(f"{before} {verify} {options.removeprefix(before).strip()}".split())
    lines = [f"### {_title(report)}", "", f"`{command}`, seed {report['seed']}; {versions}", ""]
    lines += ["| Operation | dtype | Cases | Differ | Named cause | Smallest counterexample |"]
    lines += ["|---|---|---:|---:|---|---|"]
    for (op, dtype), checks in _grouped(report["checks"]).items():
        lines.append(_row(op, dtype, checks, None if other is None else other["checks"]))
    return lines


def _title(report: Json) -> str:
    environment = report["environment"]
    library = next(
        n for n in LIBRARIES if report["backend"].replace("_", "-").startswith(n.replace("_", "-"))
    )
    device = report["backend"].partition(":")[2] or "numpy"
    rule = ", judged by compute_dtype float32" if "compute-dtype" in report["options"] else ""
    eager = ", CT_ENFORCE_EAGER=1" if "EAGER" in report["options"] else ""
    return f"{library} {environment.get(library, '')}, {device}{rule}{eager}"


def _grouped(checks: Iterable[Json]) -> dict[Key, list[Json]]:
    groups: dict[Key, list[Json]] = defaultdict(list)
    for check in checks:
        words = str(check["check"]).split()
        dtype = next((word for word in reversed(words) if word in DTYPES), "-")
        groups[check["op"], dtype].append(check)
    return groups


def _row(op: str, dtype: str, checks: list[Json], others: Iterable[Json] | None) -> str:
    cases, total, differ = (sum(c[n] for c in checks) for n in ("cases", "elements", "differing"))
    declared: dict[str, int] = defaultdict(int)
    faults: dict[str, int] = defaultdict(int)
    errors: dict[str, int] = defaultdict(int)
    for check in checks:
        for name, count in (check["declared"] or {}).items():
            declared[name] += count
        if check["differing"]:
            faults[check["fault"] or _reason(check)] += check["differing"]
        if check.get("error"):
            errors[check["error"]] += 1
    causes = [f"{name} ({n:,})" for name, n in _most(faults)]
    causes += [f"{name} ({n:,})" for name, n in _most(declared)]
    causes += [f"{_cell(name)} ({n} of {len(checks)} checks)" for name, n in _most(errors)]
    if differ and others is not None:
        same = _grouped(others).get((op, dtype), [])
        if same:
            left = sum(c["differing"] + sum((c["declared"] or {}).values()) for c in same)
            causes.append(f"under compute_dtype float32: {left:,} differ")
    example = _example(checks) if differ else ""
    count = f"{differ + sum(declared.values()):,} of {total:,}"
    return f"| `{op}` | {dtype} | {cases:,} | {count} | {'; '.join(causes)} | {example} |"


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _reason(check: Json) -> str:
    """What the last line of a counterexample says, where no planted fault explains it."""
    for line in reversed(check["lines"]):
        text = str(line).strip()
        if text.startswith(("raised", "expected dtype", "expected shape", "expected outputs")):
            return _cell(text.split(" of type ")[0][:90])
        if text.startswith("took longer"):
            return "took longer than the limit"
    return "no named cause"


def _example(checks: Iterable[Json]) -> str:
    """The shortest one of the checks that differ."""
    failing = [c for c in checks if c["differing"] and c["lines"]]
    if not failing:
        return ""
    best = min(failing, key=lambda c: sum(len(line) for line in c["lines"]))
    text = " / ".join(" ".join(str(line).split()) for line in best["lines"][-2:])
    return f"{_cell(best['label'])}: {_cell(text[:170])}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()


if __name__ == "__main__":
    main()
