"""The likely cause of a failure: the planted fault whose answers are the backend's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .bits import Array
from .case import Case, Outputs, UnsupportedError, expected_outputs, run_case
from .compare import Difference, differing, find_difference
from .faults import FAULTS, Fault

__all__ = ["Diagnosis", "diagnose"]

_MOST_CASES = 12
_MOST_NUMBERS = 1 << 16
_OF_ARRAYS = ("bits", "dtype", "shape")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A fault that answers as the backend does.

    Attributes:
        fault: its name.
        description: what it does.
        explained: numbers that differ from the reference and that the fault gives just so.
        of: numbers that differ from the reference, in the cases that were looked at.
    """

    fault: str
    description: str
    explained: int
    of: int

    def __str__(self) -> str:
        return f"explained by: {self.fault}, on {self.explained:,} of {self.of:,}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a backend said to a case that it fails."""

    case: Case
    expected: Outputs
    actual: Outputs
    difference: Difference


def diagnose(
    cases: Sequence[Case],
    backend: object,
    *,
    shrunk: Case | None = None,
    faults: Sequence[Fault] = FAULTS,
) -> Diagnosis | None:
    """The fault that explains most of what differs.

    A fault explains a number that differs from the reference if it gives the backend's bits; each
    number that it changes and the backend does not counts against it.

    Args:
        cases: of one operation, that differ on the backend; the smallest are looked at.
        backend: the backend; see ``run_case``.
        shrunk: looked at instead where all of them are large.
        faults: those to choose from, the first of equals.

    Returns:
        The best fault that shows in the operation, or None if none explains half of the numbers.
    """
    few = _small(cases) or ([] if shrunk is None else [shrunk])
    answers = _answers(few, backend)
    of = sum(_count(answer) for answer in answers)
    best: tuple[int, Diagnosis] | None = None
    for fault in faults:
        if not answers or answers[0].case.op not in fault.operations:
            continue
        needed = max((of + 1) // 2, 1 if best is None else best[0] + 1)
        explained, wrong = _score(fault, answers, needed)
        found = Diagnosis(fault.name, fault.description, explained, of)
        score = explained - wrong
        if 2 * explained >= of and score > (0 if best is None else best[0]):
            best = score, found
    return None if best is None else best[1]


def _small(cases: Sequence[Case]) -> list[Case]:
    """The smallest cases, as many as can be run again for every fault."""
    sizes = {id(case): _numbers(case.inputs) for case in cases}
    few: list[Case] = []
    for case in sorted(cases, key=lambda case: (case.is_empty, sizes[id(case)]))[:_MOST_CASES]:
        if sum(sizes[id(other)] for other in (*few, case)) <= _MOST_NUMBERS:
            few.append(case)
    return few


def _numbers(value: object) -> int:
    if isinstance(value, Mapping):
        return sum(_numbers(item) for item in value.values())
    if isinstance(value, tuple):
        return sum(_numbers(item) for item in value)
    return int(value.size) if isinstance(value, np.ndarray) else 0


def _answers(cases: Sequence[Case], backend: object) -> list[_Answer]:
    """What the backend says, where it differs again."""
    answers: list[_Answer] = []
    with np.errstate(all="ignore"):
        for case in cases:
            expected = expected_outputs(case)
            actual, difference = _asked(case, backend, expected)
            if difference is not None and difference.reason != "slow":
                answers.append(_Answer(case, expected, actual, difference))
    return answers


def _asked(case: Case, backend: object, expected: Outputs) -> tuple[Outputs, Difference | None]:
    try:
        _, actual, difference = run_case(case, backend, expected)
    except UnsupportedError:
        return {}, None
    return actual, difference


def _score(fault: Fault, answers: Sequence[_Answer], needed: int) -> tuple[int, int]:
    """Numbers that the fault explains, and numbers that it changes and the backend does not.

    Given up, as (0, 0), once what is left cannot explain as many as are needed.
    """
    faulty = fault.backend()
    explained = wrong = 0
    left = sum(_count(answer) for answer in answers)
    for answer in answers:
        if explained + left < needed:
            return 0, 0
        left -= _count(answer)
        with np.errstate(all="ignore"):
            actual, difference = _asked(answer.case, faulty, answer.expected)
        right, changed = _compared(answer, actual, difference)
        explained, wrong = explained + right, wrong + changed
    return explained, wrong


def _compared(answer: _Answer, faulty: Outputs, difference: Difference | None) -> tuple[int, int]:
    if difference is None:
        return 0, 0
    theirs = answer.difference
    if theirs.reason not in _OF_ARRAYS or difference.reason not in _OF_ARRAYS:
        same = (theirs.reason, theirs.output, theirs.detail) == (
            difference.reason,
            difference.output,
            difference.detail,
        )
        return (theirs.total, 0) if same else (0, difference.total)
    pairs = [
        _compared_arrays(expected, answer.actual[name], faulty[name])
        for name, expected in answer.expected.items()
    ]
    return sum(right for right, _ in pairs), sum(wrong for _, wrong in pairs)


def _compared_arrays(expected: Array, actual: Array, faulty: Array) -> tuple[int, int]:
    """Of one output: explained, and wrongly changed."""
    alike = _alike(expected, faulty)
    if not _alike(expected, actual):
        same = isinstance(actual, np.ndarray) and find_difference(actual, faulty) is None
        return (int(expected.size), 0) if same else (0, 0 if alike else int(expected.size))
    if not alike:
        return 0, int(expected.size)
    theirs, ours = differing(expected, actual), differing(expected, faulty)
    right = theirs & ~differing(actual, faulty)
    return int(right.sum()), int((ours & ~theirs).sum())


def _alike(expected: Array, other: object) -> bool:
    """Whether two arrays can be compared number by number."""
    if not isinstance(other, np.ndarray):
        return False
    return bool((expected.dtype, expected.shape) == (other.dtype, other.shape))


def _count(answer: _Answer) -> int:
    """The numbers of a case that differ; all where there is no comparing one by one."""
    if answer.difference.reason not in _OF_ARRAYS:
        return answer.difference.total
    total = 0
    for name, expected in answer.expected.items():
        actual = answer.actual[name]
        alike = _alike(expected, actual)
        total += int(differing(expected, actual).sum()) if alike else int(expected.size)
    return total
