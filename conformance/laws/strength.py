"""Each law on trial: the fault that it alone finds, held against all laws, as a page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .check import LAWS, check_law
from .own_faults import OWN_FAULTS, REASONS, OwnFault

__all__ = ["Trial", "law_trials", "trials_to_markdown"]

_CASES = 6
_HEAD = """# Strength of the laws

The laws of `qparity laws` need no oracle. Each is held against a fault that it alone finds: no
other law does, on {cases} samples of every dtype. Where a law has no such fault, the reason for it
to stand is given. What `qparity verify` finds is in [strength.md](strength.md).

This page is written by

    {command}

**Laws with a fault of their own: {alone} of {laws}.**

| law | the fault | args | found by |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A law's own fault, and the names of all laws that find it."""

    own: OwnFault
    found_by: tuple[str, ...]

    @property
    def alone(self) -> bool:
        """Whether the law finds it, and no other."""
        return self.found_by == (self.own.law,)


def law_trials(
    own_faults: Sequence[OwnFault] = OWN_FAULTS, *, cases: int = _CASES, others: int = _CASES
) -> Iterator[Trial]:
    """Hold every law against each fault.

    Args:
        own_faults: the faults.
        cases: samples of every dtype for the law whose fault it is.
        others: likewise, for the other laws.
    """
    for own in own_faults:
        verdicts = {
            law.name: check_law(
                law, own.args, own.backend(), cases=cases if law.name == own.law else others
            ).verdict
            for law in LAWS
        }
        yield Trial(own, tuple(name for name, said in verdicts.items() if said == "violated"))


def trials_to_markdown(
    trials: Iterable[Trial], command: str, reasons: Mapping[str, str] = REASONS
) -> str:
    """The page, which names the command that writes it."""
    by_law = {trial.own.law: trial for trial in trials}
    alone = sum(trial.alone for trial in by_law.values())
    head = _HEAD.format(cases=_CASES, command=command, alone=alone, laws=len(LAWS))
    rows = [_row(law.name, by_law.get(law.name), reasons) for law in LAWS]
    return head + "\n".join(rows) + "\n"


def _row(law: str, trial: Trial | None, reasons: Mapping[str, str]) -> str:
    if trial is None:
        return f"| `{law}` | none: {reasons.get(law, '**no reason**')} | | |"
    fault, args = trial.own.fault, trial.own.args
    kind = f"{args.code_format.name} {args.strategy}" + ("" if args.symmetric else " asymmetric")
    found = ", ".join(f"`{name}`" for name in trial.found_by) or "**none**"
    planted = f"`{fault.name}`: " if fault.operations else ""
    return f"| `{law}` | {planted}{fault.description} | {kind} | {found} |"
