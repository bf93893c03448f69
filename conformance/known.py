"""Known failures of a backend: what differs, why, and a witness that proves it still does."""

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any

from qparity.reference import PRESET_SCHEMES, preset_name_to_scheme

from .case import Case, DeclaredDifferenceError, UnsupportedError, run_case
from .case_file import load_case
from .compare import KINDS
from .known_failure import KnownFailure
from .operations import all_checks, public_operations, scheme_checks
from .outcome import Outcome
from .probes import SUBNORMALS_KEPT
from .sweeps import chosen_sweeps

__all__ = ["known_to_toml", "load_known", "load_witness", "replay_witness"]

# a probe of the bridge, by a case of this operation
_OF_SUBNORMALS = ("dequantize", SUBNORMALS_KEPT)
_FIELDS = ("operation", "check", "case", "reason", "witness", "kind")


def load_known(path: Path) -> tuple[KnownFailure, ...]:
    """Read a file of known failures: ``[[known]]`` tables with the fields of ``KnownFailure``.

    ``check`` and ``case`` may be left out and mean ``"*"``, ``kind`` means ``"bits"``; the others
    are mandatory.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not TOML, or an entry lacks a field or has an unknown one.
    """
    try:
        data = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not TOML ({error})") from error
    surplus = [key for key in data if key != "known"]
    entries = data.get("known", [])
    if surplus or not isinstance(entries, list):
        raise ValueError(f"{path}: unknown key {surplus or 'known'}; allowed: [[known]] tables")
    return tuple(_entry(path, number, entry) for number, entry in enumerate(entries, 1))


def known_to_toml(entries: Iterable[KnownFailure]) -> str:
    """The entries as ``load_known`` reads them."""
    lines: list[str] = []
    for entry in entries:
        lines.append("[[known]]")
        # a JSON string is a TOML basic string
        lines += [f"{name} = {json.dumps(getattr(entry, name))}" for name in _FIELDS]
        lines.append("")
    return "\n".join(lines)


def load_witness(entry: KnownFailure) -> Case:
    """The case of an entry's witness.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no case, or one of another operation.
    """
    path = entry.folder / entry.witness
    case = load_case(path)
    if case.op != entry.operation:
        raise ValueError(f"{path}: a case of {case.op}; allowed: {entry.operation}")
    return case


def selected(
    known: Sequence[KnownFailure], operations: Collection[str]
) -> tuple[KnownFailure, ...]:
    """The entries of the operations that are run; empty: all."""
    return tuple(entry for entry in known if not operations or entry.operation in operations)


def replay_witness(entry: KnownFailure, case: Case, backend: object) -> Outcome:
    """Replay a witness: KNOWN if it still differs, FIXED, which is an error, if it does not.

    FAIL if it differs in another way than the entry says;
    UNSUPPORTED if the backend lacks the operation, or declines the call: then nobody knows.
    """
    outcome = Outcome(entry.operation, entry.name, "KNOWN", evidence="fixed")
    outcome.cases, outcome.detail = 1, entry.reason
    try:
        difference = run_case(case, backend)[2]
    except DeclaredDifferenceError:
        difference = None
    except UnsupportedError as error:
        outcome.status, outcome.cases = "UNSUPPORTED", 0
        outcome.detail = f"{error}, so the entry was not run: {entry.reason}"
        return outcome
    if difference is None:
        outcome.status = "FIXED"
        outcome.detail = f"no longer differs, so remove the entry: {entry.reason}"
    elif difference.reason != entry.kind:
        outcome.status = "FAIL"
        found = repr(difference.reason) + (f" ({difference.detail})" if difference.detail else "")
        outcome.detail = f"kind: {entry.kind!r}, but the witness differs in {found}: {entry.reason}"
    return outcome


def unmatched(
    known: Sequence[KnownFailure], outcomes: Sequence[Outcome], *, whole: bool = True
) -> list[Outcome]:
    """An error for every entry that no failing case matched, where one would have.

    An entry whose witness is FIXED, FAIL or UNSUPPORTED has its outcome already. Where none of its
    checks was run, or they were not run as a whole, it may well match something, unless there are
    no such checks.

    Args:
        known: the entries of the operations that were run.
        outcomes: all that was run, the witnesses too.
        whole: whether every check of these operations was run that is not of a higher level, and
            with as many examples as it has at ``"quick"``.
    """
    settled = ("FIXED", "FAIL", "UNSUPPORTED")
    told = {(found.op, found.check) for found in outcomes if found.status in settled}
    met = {entry for outcome in outcomes for entry in outcome.known}
    left = [
        entry for entry in known if entry not in met and (entry.operation, entry.name) not in told
    ]
    ran = [(outcome.op, outcome.check) for outcome in outcomes if outcome.evidence != "fixed"]
    ran += [_OF_SUBNORMALS for outcome in outcomes if outcome.check == SUBNORMALS_KEPT]
    existing = _existing_checks() if left else []
    return [
        Outcome(
            entry.operation,
            f"known {entry.check} {entry.case}",
            "ERROR",
            evidence="fixed",
            detail=f"the entry matches nothing that differs: {entry.reason}",
        )
        for entry in left
        if (whole and _names(entry, ran)) or not _names(entry, existing)
    ]


def _names(entry: KnownFailure, checks: Iterable[tuple[str, str]]) -> bool:
    """Whether an entry names one of the checks, each an operation and a name."""
    return any(op == entry.operation and fnmatchcase(name, entry.check) for op, name in checks)


def _existing_checks() -> list[tuple[str, str]]:
    """The checks of every level, and of every preset."""
    presets = ((name, preset_name_to_scheme(name)) for name in PRESET_SCHEMES)
    checks = [*all_checks(), *chain.from_iterable(scheme_checks(*preset) for preset in presets)]
    names = [(check.op, check.name) for check in checks]
    names += [(sweep.op, sweep.name) for sweep in chosen_sweeps("exhaustive")]
    return [*names, _OF_SUBNORMALS]


def still_known(known: Sequence[KnownFailure], outcomes: Iterable[Outcome]) -> list[KnownFailure]:
    """The entries whose witness still differs, or was not run."""
    fixed = {(o.op, o.check) for o in outcomes if o.status == "FIXED"}
    return [entry for entry in known if (entry.operation, entry.name) not in fixed]


def _entry(path: Path, number: int, entry: object) -> KnownFailure:
    where = f"{path}: entry {number}"
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: not a table; allowed: a table of {list(_FIELDS)}")
    unknown = [key for key in entry if key not in _FIELDS]
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; allowed: {list(_FIELDS)}")
    values: dict[str, Any] = {"check": "*", "case": "*", "kind": "bits", **entry}
    for name in _FIELDS:
        if not isinstance(values.get(name), str) or not values[name].strip():
            raise ValueError(f"{where}: {name}: {values.get(name)!r}; allowed: a string, not empty")
    if values["operation"] not in public_operations():
        raise ValueError(
            f"{where}: operation: {values['operation']!r}; allowed: {public_operations()}"
        )
    if values["kind"] not in KINDS:
        raise ValueError(f"{where}: kind: {values['kind']!r}; allowed: {list(KINDS)}")
    return KnownFailure(**values, folder=path.parent)
