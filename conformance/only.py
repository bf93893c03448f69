"""The cases of a check that meet conditions such as ``args.type=int`` or ``x=float32``."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from qparity.reference import QuantizationArgs

from .case import Case
from .line import Fields, case_fields
from .operations import Check

_FRUITLESS_FIRST = 3
_FRUITLESS = 200
_FRESH = 16
_KNOWN = 8
Conditions = Sequence[tuple[str, str]]


def cases_meeting(conditions: Conditions, check: Check, seed: int, nan: bool) -> Iterator[Case]:
    """Cases of one check, the same for the same seed, as long as there are any.

    Args:
        conditions: names of fields, and their values or, of arrays, their dtypes.
        check: where the cases come from.
        seed: the same seed gives the same cases.
        nan: whether NaN is among the values of every second example.

    They end if the first examples never meet one of the conditions, or many in a row not all of
    them. The args that meet those of the conditions that are on args are made again, with other
    numbers, so that a rare combination does not take long to find.
    """
    if any(not _may_meet(check, pair) for pair in conditions):
        return
    of_args = [pair for pair in conditions if pair[0].startswith("args.")]
    known: list[QuantizationArgs] = []
    seen: set[tuple[str, str]] = set()
    last = 0
    for example in count():
        again = bool(known) and example % _FRESH != 0
        spec = replace(check.spec, args=known[example % len(known)]) if again else check.spec
        found = []
        for case in _example(replace(check, spec=spec), seed, example, nan):
            fields = case_fields(case)
            seen |= {pair for pair in conditions if _meets(fields, pair)}
            args = case.inputs.get("args")
            fits = bool(of_args) and all(_meets(fields, pair) for pair in of_args)
            if fits and isinstance(args, QuantizationArgs) and args not in known:
                known = [args, *known][:_KNOWN]
            if all(_meets(fields, pair) for pair in conditions):
                found.append(replace(case, rebuild=None, source=None))
        yield from found
        last = example if found else last
        never = example >= _FRUITLESS_FIRST and len(seen) < len(set(conditions))
        if never or example - last > _FRUITLESS:
            return


def _example(check: Check, seed: int, example: int, nan: bool) -> list[Case]:
    drawn = zlib.crc32(f"{seed}:{check.op}:{check.name}:{example}".encode())
    with np.errstate(all="ignore"):
        return list(check.cases(drawn, nan and example % 2 == 1))


def _may_meet(check: Check, condition: tuple[str, str]) -> bool:
    """Whether what the check fixes leaves it open; without a look at its cases."""
    name, text = condition
    spec = check.spec
    fixed = {"args.type": spec.type, "args.num_bits": str(spec.num_bits), "x": spec.dtype.name}
    return fixed.get(name, text) == text


def _meets(fields: Fields, condition: tuple[str, str]) -> bool:
    name, text = condition
    value = fields.get(name)
    return value.dtype.name == text if isinstance(value, np.ndarray) else value == text
