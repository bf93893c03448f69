"""A counterexample as an engineer reads it: bits, hexadecimal floats, decimals, the distance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array, bits_of, decimal, hex_bits, hex_float, is_float, ordinals
from .case import Case, Outputs
from .compare import Difference
from .distance import codes_yielded, distance
from .values import ties_of

_MOST = 6


@dataclass(frozen=True)
class Counterexample:
    """A shrunk case with both answers."""

    case: Case
    expected: Outputs
    actual: Outputs
    difference: Difference


def lines_of(found: Counterexample) -> list[str]:
    """The inputs, both answers and their distance, one line each, without indentation."""
    shown = _shown(found.case.inputs)
    width = 1 + max((len(name) for name, _ in shown), default=0)
    lines = [line for name, value in shown for line in _input_lines(name, value, max(width, 7))]
    lines += _answer_lines(found)
    note = _tie_note(found.case)
    return lines + ([note] if note else [])


def to_json(found: Counterexample) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "label": found.case.label,
        "reason": found.difference.reason,
        "output": found.difference.output,
        "index": list(found.difference.index),
        "lines": lines_of(found),
    }


def _shown(inputs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in inputs.items():
        if isinstance(value, Mapping):
            flat += [(key, item) for key, item in value.items() if isinstance(item, np.ndarray)]
        elif isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
            flat += [(f"{name}[{i}]", item) for i, item in enumerate(value)]
        elif value is not None:
            flat.append((name, value))
    return flat


def _input_lines(name: str, value: object, width: int) -> list[str]:
    if not isinstance(value, np.ndarray):
        return [f"{name:<{width}}{value.name if isinstance(value, np.dtype) else value!r}"]
    flat = np.atleast_1d(value)
    nonzero = np.argwhere(_nonzero(flat))
    places = [tuple(int(i) for i in row) for row in nonzero] or [(0,) * flat.ndim]
    if flat.size == 0:
        return [f"{name:<{width}}{value.dtype.name} {value.shape} empty"]
    lines = [_number_line(name, flat, place, width) for place in places[:_MOST]]
    if len(places) > _MOST:
        lines.append(f"{'':<{width}}and {len(places) - _MOST} more that are not 0")
    if flat.size > len(places):
        lines.append(f"{'':<{width}}of shape {value.shape}, the others 0")
    if value.ndim and not value.flags.c_contiguous:
        lines.append(f"{'':<{width}}of shape {value.shape} and strides {value.strides} in bytes")
    return lines


def _nonzero(array: Array) -> Array:
    return np.asarray(bits_of(array) != 0)


def _number_line(name: str, array: Array, place: tuple[int, ...], width: int) -> str:
    value = array[place]
    where = "[" + ",".join(str(i) for i in place) + "]"
    hexadecimal = f"{hex_float(value):>16}" if is_float(array.dtype) else f"{'':>16}"
    return (
        f"{name:<{width}}{array.dtype.name} {where:<6} {hex_bits(value):>10} {hexadecimal}   "
        f"{decimal(value)}"
    )


def _answer_lines(found: Counterexample) -> list[str]:
    difference = found.difference
    if difference.reason != "bits":
        return [difference.detail]
    expected = found.expected[difference.output][difference.index]
    actual = found.actual[difference.output][difference.index]
    name = f"{difference.output} {list(difference.index)} " if difference.output else ""
    first = f"{name}expected  {hex_bits(expected)} {decimal(expected)}"
    second = f"actual  {hex_bits(actual)} {decimal(actual)}"
    apart = distance(expected, actual, codes_yielded(found.case))
    return [f"{first}      {second}      {apart}"]


def _tie_note(case: Case) -> str:
    """Where x / scale lies between the ties of the codes, if the case is of one number."""
    x, scale, args = (case.inputs.get(key) for key in ("x", "scale", "args"))
    if not isinstance(args, QuantizationArgs) or x is None or scale is None:
        return ""
    numbers = np.atleast_1d(x)[_nonzero(np.atleast_1d(x))]
    if numbers.size != 1 or np.atleast_1d(scale).size != 1:
        return ""
    s, text = np.atleast_1d(scale).reshape(1), "x/scale"
    whole = case.inputs.get("global_scale")
    with np.errstate(all="ignore"):
        if whole is not None:
            s, text = _divide(s, np.atleast_1d(whole)), "x/(scale/global_scale)"
        y = _divide(numbers.reshape(1), s)
        zero_point = case.inputs.get("zero_point")
        if zero_point is not None and np.any(zero_point):
            offset = np.atleast_1d(zero_point).reshape(-1)[:1].astype(numbers.dtype)
            y, text = _add(y, offset), f"{text} + zero_point"
        if not np.isfinite(y[0]):
            return f"{text} = {decimal(y[0])}"
        ties = ties_of(args.code_format)
        tie = ties[np.argmin(np.abs(ties - float(y[0])))]
        at = np.array([tie], np.float64).astype(y.dtype)
        apart = int(ordinals(y)[0] - ordinals(at)[0])
    if apart == 0:
        return f"{text} = {decimal(y[0])}, at the tie {tie:g}"
    if abs(apart) > 64:
        return f"{text} = {decimal(y[0])}"
    side = "beyond" if apart * tie > 0 or tie == 0 else "before"
    return f"{text} = {decimal(y[0])}, {abs(apart)} ulp {side} the tie {tie:g}"


def _divide(a: Array, b: Array) -> Array:
    """The quotient that the reference rounds: that of a channel of one element."""
    wide, working = _dtypes(a, b)
    return np.asarray((a.astype(wide) / b.astype(wide)).astype(working))


def _add(a: Array, b: Array) -> Array:
    """The sum, rounded as the quotient is."""
    wide, working = _dtypes(a, b)
    return np.asarray((a.astype(wide) + b.astype(wide)).astype(working))


def _dtypes(a: Array, b: Array) -> tuple[np.dtype, np.dtype]:
    """The dtype that an operation is evaluated in, and the one it is rounded to."""
    wide = np.dtype(np.float64 if np.float64 in (a.dtype, b.dtype) else np.float32)
    mixed = {a.dtype.name, b.dtype.name} == {"float16", "bfloat16"}
    working = np.dtype(np.float32) if mixed else max(a.dtype, b.dtype, key=lambda d: d.itemsize)
    return wide, working
