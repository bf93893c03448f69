"""Laws checked on a backend: what holds, what does not, and the smallest witness."""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from qparity.reference import QuantizationArgs

from ..case import message_of
from ..guard import CASE_TIMEOUT, TooSlowError, guarded
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
        dtypes: names of the dtypes that are inside of the domain, and that the backend answers.
        reasons: why the other dtypes are outside, or what the backend lacks for them, by name.
        witness: the smallest sample found that breaks it.
        violation: how it does.
        asked: whether the backend answered anything; a law of the args alone asks it nothing.
        declined: how many samples the backend declined.
    """

    law: Law
    verdict: str
    cases: int
    dtypes: tuple[str, ...]
    reasons: dict[str, str]
    witness: Sample | None = None
    violation: Violation | None = None
    asked: bool = False
    declined: int = 0


def check_laws(
    args: QuantizationArgs,
    backend: object,
    *,
    laws: Sequence[Law] = LAWS,
    seed: int = 0,
    cases: int = 8,
    case_timeout: float | None = CASE_TIMEOUT,
) -> list[Verdict]:
    """Check every law; see ``check_law``."""
    return [
        check_law(law, args, backend, seed=seed, cases=cases, case_timeout=case_timeout)
        for law in laws
    ]


def check_law(
    law: Law,
    args: QuantizationArgs,
    backend: object,
    *,
    seed: int = 0,
    cases: int = 8,
    case_timeout: float | None = CASE_TIMEOUT,
) -> Verdict:
    """Check one law on samples of every dtype inside of its domain.

    Args:
        law: one of ``LAWS``, or your own.
        args: the scheme's.
        backend: a module or object with ``from_numpy``, ``to_numpy`` and any functions of
            ``qparity.reference``; no other one is asked.
        seed: the same seed gives the same samples.
        cases: how many samples for each dtype.
        case_timeout: seconds that a call of the backend may take; None: any time.

    Returns:
        The verdict. A backend that raises (``SystemExit`` too) or is too slow breaks the law. A
        sample that it declines is passed by; where it declines all of them, or lacks an operation,
        the law is not applicable.
    """
    ask, tried, declined = Ask(guarded(backend, case_timeout)), Counter[str](), 0
    outside = {dtype.name: law.outside_of(args, dtype) for dtype in law.dtypes}
    reasons = {name: reason for name, reason in outside.items() if reason}
    inside = [dtype for dtype in law.dtypes if dtype.name not in reasons]
    lacking: dict[str, str] = {}
    broken: tuple[Sample, Violation] | None = None
    for dtype, i in product(inside, range(cases)):
        rng = np.random.default_rng(zlib.crc32(f"{law.name}:{dtype.name}:{seed}:{i}".encode()))
        with np.errstate(all="ignore"):
            sample = law.sample(rng, args, dtype)
            try:
                found = violation_of(law, ask, sample)
            except LackingError as error:
                lacking[dtype.name] = str(error)
                declined += 1
                continue
            tried[dtype.name] += 1
            if found is not None:
                broken = _smallest(law, ask, sample, found)
                break
    reasons |= {name: why for name, why in lacking.items() if not tried[name]}
    names = tuple(dtype.name for dtype in inside if dtype.name not in reasons)
    said = VIOLATED if broken else HOLDS if tried else NOT_APPLICABLE
    asked = broken is not None or ask.answered > 0
    witness, how = broken or (None, None)
    return Verdict(law, said, tried.total(), names, reasons, witness, how, asked, declined)


def violation_of(law: Law, ask: Ask, sample: Sample) -> Violation | None:
    """How a sample breaks a law, if it does; a backend that raises or is too slow breaks it.

    Raises:
        LackingError: if the backend lacks what the law needs.
    """
    try:
        return law.check(ask, sample)
    except (LackingError, KeyboardInterrupt):
        raise
    except TooSlowError as error:
        return Violation(str(error), raised=True, slow=True)
    except BaseException as error:  # noqa: BLE001 - whatever a backend raises is its answer
        return Violation(f"raised {type(error).__name__}: {message_of(error)}", raised=True)


def _smallest(law: Law, ask: Ask, sample: Sample, found: Violation) -> tuple[Sample, Violation]:
    """The smallest sample found that breaks a law alike; of a call that is slow, the first."""
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

    return sample if found.slow else shrink(sample, breaks), kept[-1]
