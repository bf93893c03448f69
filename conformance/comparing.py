"""The cases of one check, run one after the other and compared; what they come to is added up."""

from collections import Counter
from collections.abc import Sequence

from .calls import Calls
from .case import (
    Case,
    DeclaredDifferenceError,
    UnsupportedError,
    expected_outputs,
)
from .explain_case import Counterexample
from .known_failure import KnownFailure
from .outcome import Outcome
from .outputs import count_of

__all__ = ["Comparing", "CutShortError"]

_KEPT_FAILURES = 24


class CutShortError(Exception):
    """A call took too long, so the others of its check are not made."""

    def __init__(self, found: Counterexample) -> None:
        super().__init__(found.difference.detail)
        self.found = found


class Comparing:
    """Runs the cases of one check on a backend; what they come to is added to an outcome."""

    def __init__(
        self, backend: object, outcome: Outcome, known: Sequence[KnownFailure] = ()
    ) -> None:
        self._backend, self._outcome, self._known = backend, outcome, known
        self._calls, self._slow = Calls(backend), list[KnownFailure]()

    def compare(self, case: Case) -> None:
        """Run one case, unless it is named by an entry that was met by a call that is too slow.

        Raises:
            CutShortError: if the call takes too long, and that is not known.
        """
        outcome = self._outcome
        if any(entry.names(case, outcome.check) for entry in self._slow):
            return
        expected = expected_outputs(case)
        before = _fallbacks(self._backend)
        try:
            found = self._calls.run(case, expected)
        except DeclaredDifferenceError as error:
            outcome.cases += 1
            outcome.elements += error.total
            outcome.add_declared(error.counts)
            return
        except UnsupportedError as error:
            outcome.unsupported += 1
            outcome.detail = f"{outcome.unsupported:,} calls unsupported, the last: {error}"
            return
        outcome.cases += 1
        outcome.fallbacks += _fallbacks(self._backend) > before
        outcome.elements += count_of(expected)
        if found is not None:
            outcome.differing += found.difference.count
            outcome.add_declared(dict(found.difference.declared))
            self._add(found)

    def _add(self, found: Counterexample) -> None:
        outcome, kind = self._outcome, found.difference.reason
        named = (e for e in self._known if e.matches(found.case, outcome.check, kind))
        entry = next(named, None)
        if entry is not None:
            outcome.known.add(entry)
            if kind == "slow":
                self._slow.append(entry)
        elif kind == "slow":
            raise CutShortError(found)
        elif kind == "unsteady":
            outcome.counterexample = outcome.counterexample or found
        elif len(outcome.failures) < _KEPT_FAILURES:
            outcome.failures.append(found.case)


def _fallbacks(backend: object) -> int:
    """How many calls the backend's slower code has answered; 0 of one that does not count them."""
    counts = getattr(backend, "fallbacks", None)
    return sum(counts.values()) if isinstance(counts, Counter) else 0
