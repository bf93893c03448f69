"""Laws checked on a backend: what holds, what does not, and the smallest witness."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qparity.reference import QuantizationArgs

from .ask import Ask, LackingError
from .codes import CODES
from .exact import EXACT
from .independence import INDEPENDENCE
from .law import Law, Sample, Violation
from .parameters import PARAMETERS
from .shrink import shrink
from .storage import STORAGE

__all__ = ["LAWS", "Verdict", "check_law", "check_laws"]

LAWS: tuple[Law, ...] = (*PARAMETERS, *CODES, *EXACT, *INDEPENDENCE, *STORAGE)
HOLDS, VIOLATED, NOT_APPLICABLE = "holds", "violated", "not applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a law came to for some args.

    Attributes:
        law: the law.
        verdict: ``"holds"``, ``"violated"`` or ``"not applicable"``.
        cases: how many samples were checked.
        dtypes: names of the dtypes that are inside of the domain.
        reasons: why the other dtypes are outside, by name.
        witness: the smallest sample found that breaks it.
        violation: how it does.
        asked: whether the backend answered anything; a law of the args alone asks it nothing.
    """

    law: Law
    verdict: str
    cases: int
    dtypes: tuple[str, ...]
    reasons: dict[str, str]
    witness: Sample | None = None
    violation: Violation | None = None
    asked: bool = False


def check_laws(
    args: QuantizationArgs,
    backend: object,
    *,
    laws: Sequence[Law] = LAWS,
    seed: int = 0,
    cases: int = 8,
) -> list[Verdict]:
    """Check every law; see ``check_law``."""
    return [check_law(law, args, backend, seed=seed, cases=cases) for law in laws]


def check_law(
    law: Law, args: QuantizationArgs, backend: object, *, seed: int = 0, cases: int = 8
) -> Verdict:
    """Check one law on samples of every dtype inside of its domain.

    Args:
        law: one of ``LAWS``, or your own.
        args: the scheme's.
        backend: a module or object with ``from_numpy``, ``to_numpy`` and any functions of
            ``qparity.reference``; no other one is asked.
        seed: the same seed gives the same samples.
        cases: how many samples for each dtype.

    Returns:
        The verdict. A backend that raises breaks the law; what it lacks makes it not applicable.
    """
    ask, tried = Ask(backend), 0
    outside = {dtype.name: law.outside_of(args, dtype) for dtype in law.dtypes}
    reasons = {name: reason for name, reason in outside.items() if reason}
    inside = tuple(name for name in outside if name not in reasons)
    for dtype in law.dtypes:
        if dtype.name in reasons:
            continue
        for i in range(cases):
            rng = np.random.default_rng(zlib.crc32(f"{law.name}:{dtype.name}:{seed}:{i}".encode()))
            with np.errstate(all="ignore"):
                sample = law.sample(rng, args, dtype)
                try:
                    found = violation_of(law, ask, sample)
                except LackingError as error:
                    return Verdict(law, NOT_APPLICABLE, tried, (), {"": str(error)})
                tried += 1
                if found is not None:
                    small, how = _smallest(law, ask, sample, found)
                    return Verdict(law, VIOLATED, tried, inside, reasons, small, how, asked=True)
    said = HOLDS if tried else NOT_APPLICABLE
    return Verdict(law, said, tried, inside, reasons, asked=ask.answered > 0)


def violation_of(law: Law, ask: Ask, sample: Sample) -> Violation | None:
    """How a sample breaks a law, if it does; a backend that raises breaks it.

    Raises:
        LackingError: if the backend lacks what the law needs.
    """
    try:
        return law.check(ask, sample)
    except LackingError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is its answer
        message = " ".join(str(error).split())
        return Violation(f"raised {type(error).__name__}: {message}", raised=True)


def _smallest(law: Law, ask: Ask, sample: Sample, found: Violation) -> tuple[Sample, Violation]:
    kept = [found]

    def breaks(candidate: Sample) -> bool:
        try:
            violation = violation_of(law, ask, candidate)
        except LackingError:
            return False
        if violation is None or violation.raised != found.raised:
            return False
        kept.append(violation)
        return True

    return shrink(sample, breaks), kept[-1]
