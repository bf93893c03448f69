"""A trace as lines for a reader, and as JSON."""

from fractions import Fraction
from typing import Any

from rich.text import Text

from .divergence import Divergence
from .steps import Part, Rounding, Step, Trace

_WIDTH = 42
_FAR = 64


def lines_of(trace: Trace, found: Divergence | None = None) -> list[Text]:
    """The lines to print, in colour where something was rounded or differs."""
    tensor = trace.tensor
    lines = [Text(trace.name, "bold"), Text(f"  {trace.args}"), Text(f"  {tensor.note}")]
    if trace.note:
        lines.append(Text(f"  {trace.note}", "yellow"))
    for part in trace.parts:
        lines += [Text(""), Text(part.title, "bold")]
        for step in part.steps:
            lines += _step_lines(step)
            if found is not None and _is_at(found, part, step):
                text = f"from here {found.backend} differs: its {found.op} gives {found.actual}"
                lines.append(Text(f"      {text}", "bold red"))
    return lines


def rounding_text(rounding: Rounding) -> str:
    """What was rounded, which way, and how far from a tie, in one line."""
    if rounding.is_exact:
        return "exact"
    tie, result = rounding.tie, rounding.result
    if result is None:
        return f"overflows: {_decimal(rounding.exact)} is beyond {rounding.target}"
    away = abs(rounding.ulps)
    way = "up" if result > rounding.exact else "down"
    if away == 0:
        return f"rounded {way}: at the tie {_decimal(tie)}, to even"
    side = "above" if rounding.ulps > 0 else "below"
    text = f"rounded {way}: {_decimal(rounding.exact)} is {_ulps(away)} {side} the tie"
    text += f" {_decimal(tie)}"
    return text if rounding.nearest else f"{text}; rounded twice, by way of a wider dtype"


def to_json(trace: Trace, found: Divergence | None = None, *, backend: str = "") -> dict[str, Any]:
    """The trace as JSON values; rationals as ``"numerator/denominator"``."""
    return {
        "schema": 1,
        "scheme": trace.name,
        "args": trace.args.to_dict(),
        "dtype": trace.tensor.x.dtype.name,
        "tensor": trace.tensor.note,
        "note": trace.note,
        "parts": [
            {
                "kind": part.kind,
                "index": list(part.index),
                "title": part.title,
                "steps": [_step_json(step) for step in part.steps],
            }
            for part in trace.parts
        ],
        "diff": None if not backend else {"backend": backend} | _found_json(found),
    }


def _step_lines(step: Step) -> list[Text]:
    formula = f"{step.name} = {step.formula}"
    start = f"  {formula:<{_WIDTH}}"
    line = f"{start} {step.decimal:>14} {step.hex_float:>16} {step.bits:>10}  {step.dtype}"
    lines = [Text(line)]
    notes = (
        [] if step.rounding is None or step.rounding.is_exact else [rounding_text(step.rounding)]
    )
    notes += [step.note] if step.note else []
    style = "yellow" if step.rounding is not None and step.rounding.ulps == 0 else "dim"
    if notes:
        lines.append(Text(f"      {'; '.join(notes)}", style))
    return lines


def _is_at(found: Divergence, part: Part, step: Step) -> bool:
    place = found.kind, found.index
    named = [other for other in part.steps if _named(other, found)]
    first = found.step == "y"
    return bool((part.kind, part.index) == place and named and named[0 if first else -1] is step)


def _named(step: Step, found: Divergence) -> bool:
    return step.name == found.step and step.section <= found.section


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "formula": step.formula,
        "section": step.section,
        "dtype": step.dtype,
        "decimal": step.decimal,
        "hex": step.hex_float,
        "bits": step.bits,
        "note": step.note,
        "rounding": None if step.rounding is None else _rounding_json(step.rounding),
    }


def _rounding_json(rounding: Rounding) -> dict[str, Any]:
    return {
        "target": rounding.target,
        "exact": str(rounding.exact),
        "is_exact": rounding.is_exact,
        "tie": None if rounding.is_exact else str(rounding.tie),
        "ulps_above_tie": None if rounding.is_exact else str(rounding.ulps),
        "ulps_of": rounding.unit_of,
        "nearest": rounding.nearest,
    }


def _found_json(found: Divergence | None) -> dict[str, Any]:
    if found is None:
        return {"differs": False}
    return {
        "differs": True,
        "op": found.op,
        "step": found.step,
        "kind": found.kind,
        "index": list(found.index),
        "expected": found.expected,
        "actual": found.actual,
        "cause": found.cause,
    }


def _decimal(value: Fraction) -> str:
    number = float(value)
    return f"{number:.12g}" + ("" if Fraction(f"{number:.12g}") == value else "…")


def _ulps(ulps: Fraction) -> str:
    if ulps.denominator == 1 or ulps >= _FAR:
        return f"{round(ulps):,} ulp{'' if ulps == 1 else 's'}"
    return f"{float(ulps):.3g} ulp"
