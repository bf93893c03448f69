"""What a check came to, and how much evidence there is for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .case import Case
from .diagnose import Diagnosis
from .explain_case import Counterexample
from .known_failure import KnownFailure

__all__ = ["Outcome", "proof_of"]


@dataclass
class Outcome:
    """What a check came to.

    Attributes:
        op: the operation.
        check: the name of the check.
        status: PASS, FAIL, KNOWN, FIXED, UNSUPPORTED, BLOCKED or ERROR.
        cases: calls made and compared.
        elements: numbers compared.
        differing: numbers that differ.
        unsupported: calls that the backend declined.
        fallbacks: cases in which the backend's ``fallbacks`` counted a call of its slower code.
        inputs: of a sweep: inputs compared.
        planned: of a sweep: how many inputs there are.
        evidence: ``"sampled"``, ``"fixed"``, or ``"exhaustive"`` if all inputs were compared.
        detail: one line on what is not PASS or FAIL.
        counterexample: the shrunk case, where one differs.
        case_file: where it was written, if it was.
        diagnosis: the planted fault that explains most of what differs, if one does.
        known: the known failures that were met.
        declared: numbers that differ as the backend declares, by row; not among ``differing``.
    """

    op: str
    check: str
    status: str = "PASS"
    cases: int = 0
    elements: int = 0
    differing: int = 0
    unsupported: int = 0
    fallbacks: int = 0
    inputs: int = 0
    planned: int = 0
    evidence: str = "sampled"
    detail: str = ""
    counterexample: Counterexample | None = None
    case_file: Path | None = None
    diagnosis: Diagnosis | None = None
    known: set[KnownFailure] = field(default_factory=set)
    declared: dict[str, int] = field(default_factory=dict)
    failures: list[Case] = field(default_factory=list, repr=False)

    def add_declared(self, counts: Mapping[str, int]) -> None:
        """Count numbers that differ as the backend declares."""
        for name, count in counts.items():
            self.declared[name] = self.declared.get(name, 0) + count

    @property
    def proof(self) -> str:
        """The evidence in numbers: ``exhaustive 65536/65536`` or ``sampled 12800``."""
        return proof_of([self])


def proof_of(outcomes: Sequence[Outcome]) -> str:
    """The evidence of outcomes of one kind, added up; of exhaustive ones, of how many inputs."""
    kind = outcomes[0].evidence
    if kind == "exhaustive":
        return f"{kind} {sum(o.inputs for o in outcomes)}/{sum(o.planned for o in outcomes)}"
    return f"{kind} {sum(o.elements for o in outcomes)}"
