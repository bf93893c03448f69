"""A trace as lines of 80 columns for a reader, and as JSON."""

from textwrap import wrap
from typing import Any

from rich.text import Text

from .divergence import Divergence, Parting
from .steps import Part, Rounding, Step, Trace
from .words import decimal_of, distance_of

_COLUMNS = 80
_HEX, _BITS, _DTYPE = 15, 10, 8
_NOTE = 6
_DIGITS, _MANY_DIGITS = 12, 20


def lines_of(trace: Trace, found: Divergence | None = None) -> list[Text]:
    """The lines to print, in colour where something was rounded or differs."""
    tensor = trace.tensor
    lines = [Text(trace.name, "bold"), *_wrapped(f"{trace.args}", 2), *_wrapped(tensor.note, 2)]
    if trace.note:
        lines += _wrapped(trace.note, 2, "yellow")
    for part in trace.parts:
        lines += [Text(""), Text(part.title, "bold")]
        for step in part.steps:
            lines += _step_lines(step)
            if found is not None and _is_at(found, part, step):
                gives = " gives" if found.expected else ":"
                text = f"from here {found.backend} differs: its {found.op}{gives} {found.actual}"
                lines += _wrapped(text, _NOTE, "bold red")
    return lines


def rounding_text(rounding: Rounding) -> str:
    """What was rounded, which way, and how far from a tie, in one line."""
    if rounding.is_exact:
        return "exact"
    digits = _MANY_DIGITS if rounding.target == "float64" else _DIGITS
    exact, tie = decimal_of(rounding.exact, digits), decimal_of(rounding.tie, digits)
    if rounding.result is None:
        return f"overflows: {exact} is beyond {rounding.target}"
    way = "up" if rounding.result > rounding.exact else "down"
    if rounding.rule != "nearest":
        low, high = (decimal_of(value, digits) for value in (rounding.below, rounding.above))
        return f"rounded {way}, as {rounding.rule} does: {exact} is between {low} and {high}"
    if rounding.ulps == 0:
        return f"rounded {way}: at the tie {tie}, {rounding.tie_goes}"
    side = "above" if rounding.ulps > 0 else "below"
    distance = distance_of(abs(rounding.exact - rounding.tie), abs(rounding.ulps))
    text = f"rounded {way}: {exact} is {distance} {side} the tie {tie}"
    return text if rounding.nearest else f"{text}; rounded twice, by way of a wider dtype"


def to_json(trace: Trace, parting: Parting | None = None) -> dict[str, Any]:
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
        "diff": None if parting is None else _parting_json(parting),
    }


def _step_lines(step: Step) -> list[Text]:
    formula = f"  {step.name} = {step.formula}"
    bits = max(_BITS + _DTYPE - max(len(step.dtype), _DTYPE), len(step.bits))
    values = f" {step.hex_float:>{_HEX}} {step.bits:>{bits}} {step.dtype:<{_DTYPE}}"
    room = _COLUMNS - len(formula) - len(values)
    if len(step.decimal) < room:
        lines = [Text(f"{formula}{step.decimal:>{room}}{values}".rstrip())]
    else:
        lines = [Text(formula), Text(f"{step.decimal}{values}".rjust(_COLUMNS).rstrip())]
    notes = (
        [] if step.rounding is None or step.rounding.is_exact else [rounding_text(step.rounding)]
    )
    notes += [step.note] if step.note else []
    rounding = step.rounding
    tie = rounding is not None and rounding.rule == "nearest" and rounding.ulps == 0
    style = "yellow" if tie else "dim"
    for note in notes:
        lines += _wrapped(note, _NOTE, style)
    return lines


def _wrapped(text: str, indent: int, style: str = "") -> list[Text]:
    start = " " * indent
    lines = wrap(text, _COLUMNS, initial_indent=start, subsequent_indent=f"{start}  ")
    return [Text(line, style) for line in lines]


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
        "rule": rounding.rule,
        "exact": str(rounding.exact),
        "is_exact": rounding.is_exact,
        "tie": None if rounding.is_exact else str(rounding.tie),
        "ulps_above_tie": None if rounding.is_exact else str(rounding.ulps),
        "ulps_of": rounding.unit_of,
        "nearest": rounding.nearest,
    }


def _parting_json(parting: Parting) -> dict[str, Any]:
    """``differs`` is null where nothing was compared."""
    found = parting.divergence
    data = {
        "backend": parting.backend,
        "differs": None if not parting.compared else found is not None,
        "compared": list(parting.compared),
        "unsupported": dict(parting.unsupported),
    }
    if found is None:
        return data
    return data | {
        "op": found.op,
        "step": found.step,
        "kind": found.kind,
        "index": list(found.index),
        "expected": found.expected or None,
        "actual": found.actual,
        "cause": found.cause,
    }
