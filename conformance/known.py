"""Known failures of a backend: what differs, why, and a witness that proves it still does."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .case import Case, UnsupportedError, run_case
from .case_file import load_case
from .known_failure import KnownFailure
from .operations import public_operations
from .outcome import Outcome

__all__ = ["known_to_toml", "load_known", "load_witness", "replay_witness"]

_FIELDS = ("operation", "check", "case", "reason", "witness")


def load_known(path: Path) -> tuple[KnownFailure, ...]:
    """Read a file of known failures: ``[[known]]`` tables with the fields of ``KnownFailure``.

    ``check`` and ``case`` may be left out and mean ``"*"``; the others are mandatory.

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


def replay_witness(entry: KnownFailure, case: Case, backend: object) -> Outcome:
    """Replay a witness: KNOWN if it still differs, FIXED, which is an error, if it does not."""
    outcome = Outcome(entry.operation, entry.name, "KNOWN", evidence="fixed")
    outcome.cases, outcome.detail = 1, entry.reason
    try:
        differs = run_case(case, backend)[2] is not None
    except UnsupportedError:
        differs = False
    if not differs:
        outcome.status = "FIXED"
        outcome.detail = f"no longer differs, so remove the entry: {entry.reason}"
    return outcome


def unmatched(known: Sequence[KnownFailure], outcomes: Iterable[Outcome]) -> list[Outcome]:
    """An error for every entry that no failing case matched."""
    met = {entry for outcome in outcomes for entry in outcome.known}
    return [
        Outcome(
            entry.operation,
            f"known {entry.check} {entry.case}",
            "ERROR",
            evidence="fixed",
            detail=f"the entry matches nothing that differs: {entry.reason}",
        )
        for entry in known
        if entry not in met
    ]


def still_known(known: Sequence[KnownFailure], outcomes: Iterable[Outcome]) -> list[KnownFailure]:
    """The entries whose witness still differs."""
    fixed = {(o.op, o.check) for o in outcomes if o.status == "FIXED"}
    return [entry for entry in known if (entry.operation, entry.name) not in fixed]


def _entry(path: Path, number: int, entry: object) -> KnownFailure:
    where = f"{path}: entry {number}"
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: not a table; allowed: a table of {list(_FIELDS)}")
    unknown = [key for key in entry if key not in _FIELDS]
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; allowed: {list(_FIELDS)}")
    values: dict[str, Any] = {"check": "*", "case": "*", **entry}
    for name in _FIELDS:
        if not isinstance(values.get(name), str) or not values[name].strip():
            raise ValueError(f"{where}: {name}: {values.get(name)!r}; allowed: a string, not empty")
    if values["operation"] not in public_operations():
        raise ValueError(
            f"{where}: operation: {values['operation']!r}; allowed: {public_operations()}"
        )
    return KnownFailure(**values, folder=path.parent)
