"""A failure of a backend that is known, and accepted."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .case import Case

__all__ = ["KnownFailure"]


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One entry of a file of known failures.

    Attributes:
        operation: the operation that differs.
        check: a glob over the names of checks, such as ``"int8 *"``.
        case: a glob over the labels of cases, such as ``"* asymmetric *"``.
        reason: why it is accepted.
        witness: path of a case file that differs, relative to the file of the entry.
        folder: the folder that ``witness`` is relative to.
        kind: how it differs, one of ``KINDS``; ``"bits"`` are wrong numbers.
    """

    operation: str
    check: str
    case: str
    reason: str
    witness: str
    folder: Path
    kind: str = "bits"

    @property
    def name(self) -> str:
        """The name of the check that replays the witness."""
        return f"witness {self.witness}"

    def names(self, case: Case, check: str) -> bool:
        """Whether the entry is about a case of a check, however it differs."""
        same = case.op == self.operation and fnmatchcase(check, self.check)
        return same and fnmatchcase(case.label, self.case)

    def matches(self, case: Case, check: str, kind: str = "bits") -> bool:
        """Whether a case of a check that differs in this way is this failure."""
        return kind == self.kind and self.names(case, check)
