"""What an interrupted run has proven, in a file, for as long as the code and versions are these."""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .sweep import Sweep

__all__ = ["STATE_FOLDER", "State", "load_state"]

STATE_FOLDER = Path(".qparity") / "sweeps"
_SCHEMA = 1
_SECONDS_BETWEEN_SAVES = 1.0


@dataclass
class State:
    """How many chunks of each sweep, from the first on, were found equal.

    Attributes:
        path: of the file; None: nothing is written.
        key: versions and code that the proofs hold for.
        proven: chunks by sweep.
    """

    path: Path | None
    key: Mapping[str, str]
    proven: dict[str, int] = field(default_factory=dict)
    _saved: float = 0.0

    def chunks(self, sweep: Sweep) -> int:
        """How many chunks of a sweep are proven."""
        return min(self.proven.get(_name(sweep), 0), sweep.chunks)

    def inputs(self, sweep: Sweep) -> int:
        """How many inputs of a sweep are in its proven chunks."""
        return min(self.chunks(sweep) * sweep.per_chunk, sweep.total)

    def advance(self, sweep: Sweep, chunks: int) -> None:
        """Note that the first ``chunks`` of a sweep are proven; write it, if a second is over."""
        self.proven[_name(sweep)] = chunks
        if time.monotonic() - self._saved >= _SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Write the file, beside and renamed, so that it is whole at every moment."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = {"schema": _SCHEMA, "key": dict(self.key), "proven": self.proven}
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(data, indent=1) + "\n")
        temporary.replace(self.path)
        self._saved = time.monotonic()

    def drop(self) -> None:
        """Forget all, and remove the file: there is nothing to go on with."""
        self.proven.clear()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def load_state(
    folder: Path | None, backend: str, key: Mapping[str, str], *, fresh: bool = False
) -> State:
    """The state of a backend; empty if there is none, or it is of other versions or code.

    Args:
        folder: where the state files are; None: nothing is read or written.
        backend: name of the backend.
        key: versions and code, all of which must be what they were.
        fresh: start with nothing proven.
    """
    whole_key = {**key, "backend": backend}
    if folder is None:
        return State(None, whole_key)
    path = folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', backend)}.json"
    return State(path, whole_key, {} if fresh else _read(path, whole_key))


def _read(path: Path, key: Mapping[str, str]) -> dict[str, int]:
    """What a file says is proven; nothing if it cannot be trusted."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict) or data.get("schema") != _SCHEMA or data.get("key") != key:
        return {}
    proven = data.get("proven")
    if not isinstance(proven, dict):
        return {}
    return {name: n for name, n in proven.items() if type(n) is int and n >= 0}


def _name(sweep: Sweep) -> str:
    """A sweep and how it is cut: chunks of another size are other chunks."""
    return f"{sweep.op}: {sweep.name}; {sweep.total} in chunks of {sweep.per_chunk}"
