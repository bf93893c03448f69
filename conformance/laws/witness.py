"""A verdict as text, the witness with its bits, and as JSON values."""

from typing import Any

import numpy as np

from ..bits import Array, bits_of, decimal, hex_bits, hex_float, is_float
from .check import Verdict

__all__ = ["lines_of", "reason_of", "to_json"]

_MOST = 6


def lines_of(verdict: Verdict) -> list[str]:
    """The law that is broken, the args, the inputs and what was found, one line each."""
    witness, violation = verdict.witness, verdict.violation
    if witness is None or violation is None:
        return []
    lines = [verdict.law.statement, f"args  {witness.args!r}"]
    for name, array in witness.arrays.items():
        lines += _array_lines(name, array)
    lines.append(f"found: {violation.detail}")
    one = {name for name, array in witness.arrays.items() if _nonzero(array).sum() <= 1}
    found = {name: value for name, value in violation.numbers.items() if name not in one}
    return lines + [_number_line(name, v.reshape(-1)[0], "") for name, v in found.items()]


def reason_of(verdict: Verdict) -> str:
    """Why a law is not applicable, or in which dtypes it is not."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in verdict.reasons.items():
        by_reason.setdefault(reason, []).append(name)
    if verdict.verdict == "not applicable":
        return "; ".join(by_reason)
    return "; ".join(f"not {', '.join(names)}: {why}" for why, names in by_reason.items())


def to_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON values."""
    detail = None if verdict.violation is None else verdict.violation.detail
    return {
        "law": verdict.law.name,
        "statement": verdict.law.statement,
        "inputs": verdict.law.inputs,
        "verdict": verdict.verdict,
        "cases": verdict.cases,
        "declined": verdict.declined,
        "asked_backend": verdict.asked,
        "dtypes": list(verdict.dtypes),
        "outside": verdict.reasons,
        "violation": detail,
        "witness": lines_of(verdict) or None,
    }


def _array_lines(name: str, array: Array) -> list[str]:
    flat = np.atleast_1d(array)
    nonzero = [tuple(int(i) for i in row) for row in np.argwhere(_nonzero(flat))]
    places = nonzero or [(0,) * flat.ndim]
    lines = [
        _number_line(name, flat[place], "[" + ",".join(str(i) for i in place) + "]")
        for place in places[:_MOST]
    ]
    if len(places) > _MOST:
        lines.append(f"  and {len(places) - _MOST} more that are not 0")
    if flat.size > len(places):
        lines.append(f"  of shape {array.shape}, the others 0")
    return lines


def _nonzero(array: Array) -> Array:
    return np.asarray(bits_of(array) != 0)


def _number_line(name: str, value: np.generic, where: str) -> str:
    hexadecimal = hex_float(value) if is_float(value.dtype) else ""
    return (
        f"  {name:<14} {value.dtype.name} {where:<6} {hex_bits(value):>10} {hexadecimal:>16}   "
        f"{decimal(value)}"
    )
