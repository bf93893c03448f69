"""Calls of a backend in a row: an answer must last, and be the same when asked again."""

from dataclasses import dataclass, replace

from .case import Case, UnsupportedError, run_case
from .compare import Difference
from .explain_case import Counterexample
from .outputs import Outputs, count_of, differs, named_outputs

__all__ = ["Calls"]

_EVERY, _FIRST = 8, 3


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer that was right, as the backend returned it."""

    case: Case
    expected: Outputs
    native: object


class Calls:
    """The calls of one check on a backend; one case in eight is run twice."""

    def __init__(self, backend: object) -> None:
        self._backend, self._count = backend, 0
        self._before: _Kept | None = None

    def run(self, case: Case, expected: Outputs) -> Counterexample | None:
        """Run a case; what differs, or None.

        Args:
            case: the call.
            expected: what the reference returns.

        Returns:
            What differs as of ``run_case``; else, with the reason ``"unsteady"``, the case before
            if its answer is no longer what it was, or this one if its second answer is another.

        Raises:
            UnsupportedError: as of ``run_case``, and so ``DeclaredDifferenceError``.
        """
        twice = self._count % _EVERY == _FIRST
        self._count += 1
        answers: list[object] = []
        difference = run_case(case, self._backend, expected, answers.append)[2]
        before, self._before = self._before, None
        if difference is not None:
            return Counterexample(case, expected, {}, difference)
        kept = _Kept(case, expected, answers[0])
        found = self._changed(before) or (self._repeated(kept) if twice else None)
        self._before = kept if found is None else None
        return found

    def _changed(self, kept: _Kept | None) -> Counterexample | None:
        """An answer that was right, if it is no longer."""
        if kept is None:
            return None
        try:
            actual = named_outputs(kept.case.op, kept.native, getattr(self._backend, "to_numpy"))  # noqa: B009
            difference = differs(kept.expected, actual)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a backend raises is its answer
            detail, total = f"raised {type(error).__name__}", count_of(kept.expected)
            difference = Difference("", "raised", detail, (), total, total)
        return _unsteady(kept, difference, "the output changed after a later call")

    def _repeated(self, kept: _Kept) -> Counterexample | None:
        """The same call again, if its answer is another; declining it then is allowed."""
        try:
            difference = run_case(kept.case, self._backend, kept.expected)[2]
        except UnsupportedError:
            return None
        return _unsteady(kept, difference, "the same inputs gave another output when asked again")


def _unsteady(kept: _Kept, difference: Difference | None, told: str) -> Counterexample | None:
    if difference is None:
        return None
    numbers = f"{difference.count:,} of {difference.total:,} numbers differ"
    detail = f"{told}: {difference.detail or numbers}"
    found = replace(difference, reason="unsteady", detail=detail, index=())
    return Counterexample(kept.case, kept.expected, {}, found)
