"""Judge the answers of a stream: expected again from the inputs, compared bit by bit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array
from .case import Case, Outputs, expected_outputs
from .case_file import save_case
from .compare import Difference, differing, find_difference
from .explain_case import Counterexample, lines_of
from .stream import Answer

__all__ = ["Tally", "judge"]

_CASES_SHOWN = 3
_NUMBERS_SHOWN = 3
_BY_GROUP = ("scale", "zero_point")
Say = Callable[[str], None]


@dataclass
class Tally:
    """What a stream came to; ``exit_code`` is the command's."""

    cases: int = 0
    elements: int = 0
    different: int = 0
    differing: int = 0
    unsupported: int = 0

    @property
    def exit_code(self) -> int:
        """0 all equal, 1 a difference, 5 nothing was compared."""
        if self.different:
            return 1
        return 0 if self.cases else 5


def judge(op: str, answers: Iterable[Answer], say: Say, cases_folder: Path | None = None) -> Tally:
    """Compare every answer; say the first differing numbers of the first cases that differ.

    Args:
        op: the operation that the stream must be of.
        answers: in the order of the questions, all of them.
        say: prints a line.
        cases_folder: where the cases shown are written; None: nowhere.

    Raises:
        ValueError: if an answer is of another operation or stream, out of order, or missing, or
            if the reference refuses the inputs.
    """
    tally, stream, following = Tally(), None, 0
    for answer in answers:
        header = answer.header
        if header.op != op:
            raise ValueError(f"{answer.place}: op: {header.op!r} is not allowed; allowed: {op!r}")
        if stream not in (None, (header.count, header.seed)) or header.index != following:
            total = header.count if stream is None else stream[0]
            raise ValueError(f"{answer.place}: {header.text}; allowed: case={following}/{total}")
        stream, following = (header.count, header.seed), following + 1
        if answer.outputs is None:
            tally.unsupported += 1
            continue
        _compare(answer, answer.outputs, tally, say, cases_folder)
    if stream is not None and following != stream[0]:
        raise ValueError(f"the input ends after {following} of {stream[0]} cases")
    return tally


def _compare(answer: Answer, actual: Outputs, tally: Tally, say: Say, folder: Path | None) -> None:
    try:
        with np.errstate(all="ignore"):
            expected = expected_outputs(answer.case)
    except Exception as error:
        raise ValueError(f"{answer.place}: the reference refuses it: {error}") from error
    total = sum(int(array.size) for array in expected.values())
    tally.cases += 1
    tally.elements += total
    found = _differences(expected, actual, total)
    if not found:
        return
    count = min(total, sum(difference.count for difference in found))
    tally.different += 1
    tally.differing += count
    if tally.different > _CASES_SHOWN:
        return
    head = f"FAIL {answer.case.op} {answer.case.label}".ljust(52)
    say(f"{head} {count:,} of {total:,} elements differ, {answer.place}")
    for difference in found:
        for line in _lines(answer.case, expected, actual, difference):
            say(f"  {line}")
    if folder is not None:
        op, path = answer.header.op, save_case(answer.case, folder)
        say(f"  again: qparity gen {op} --case {path} | KERNEL | qparity check {op}")
    say("")


def _differences(expected: Outputs, actual: Outputs, total: int) -> list[Difference]:
    if set(expected) != set(actual):
        names = [sorted(name or "out" for name in outputs) for outputs in (expected, actual)]
        detail = f"expected outputs {names[0]}, actual {names[1]}"
        return [Difference("", "keys", detail, (), total, total)]
    found = (find_difference(expected[key], actual[key], key) for key in expected)
    return [difference for difference in found if difference is not None]


def _lines(case: Case, expected: Outputs, actual: Outputs, difference: Difference) -> list[str]:
    """The first differing numbers of one output, each as a case of its own would be told."""
    key = difference.output
    if difference.reason != "bits":
        return [f"{key or 'out'}: {difference.detail}"]
    lines = []
    places = np.argwhere(differing(expected[key], actual[key]))
    for row in places[:_NUMBERS_SHOWN]:
        place = tuple(int(i) for i in row)
        inputs = _inputs_at(case, place, expected[key].shape)
        one = Difference("", "bits", "", (0,), 1, 1)
        right, wrong = ({"": np.array([outputs[key][place]])} for outputs in (expected, actual))
        lines.append(f"{key or 'out'}[{','.join(str(i) for i in place)}]")
        told = lines_of(Counterexample(Case(case.op, inputs), right, wrong, one))
        lines += [f"  {line}" for line in told]
    if len(places) > _NUMBERS_SHOWN:
        lines.append(f"and {len(places) - _NUMBERS_SHOWN:,} more")
    return lines


def _inputs_at(case: Case, place: tuple[int, ...], shape: tuple[int, ...]) -> Mapping[str, Any]:
    """The inputs that one number of an output was made of, as far as their shapes tell."""
    inputs: dict[str, Any] = {}
    args = case.inputs.get("args")
    size = args.group_size if isinstance(args, QuantizationArgs) else None
    grouped = (size or 0) > 0 and case.inputs.get("g_idx") is None
    for name, value in case.inputs.items():
        if not isinstance(value, np.ndarray):
            inputs |= {} if isinstance(value, (Mapping, tuple)) else {name: value}
            continue
        at = place
        if grouped and name in _BY_GROUP and value.shape != shape:
            at = (*place[:-1], place[-1] // (size or 1))
        number = _number_at(value, at)
        if number is not None:
            inputs[name] = number
    return inputs


def _number_at(array: Array, place: tuple[int, ...]) -> Array | None:
    """The number that broadcasting puts at a place; None if the shapes do not match."""
    if array.size == 1:
        return array.reshape(1)
    if array.ndim > len(place):
        return None
    tail = place[len(place) - array.ndim :]
    at = tuple(0 if n == 1 else i for i, n in zip(tail, array.shape, strict=True))
    if any(i >= n for i, n in zip(at, array.shape, strict=True)):
        return None
    return np.array([array[at]])
