"""One line of the proof: what was compared, how much of it differs, and who computed it."""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np
import torch

from qparity.backends import load_backend
from qparity.backends.torch_eager import TorchBackend

from .same import unequal

_NAMED = 4


@dataclass(frozen=True, slots=True)
class Line:
    """What one comparison came to.

    Attributes:
        step: of which step.
        what: was compared.
        compared: elements.
        differ: of them, in their bits.
        calls: of the Triton backend.
        eager: of these calls, how many eager torch answered.
        seconds: of it all.
        problem: what differs first, or an error; else empty.
    """

    step: str
    what: str
    compared: int
    differ: int
    calls: int
    eager: int
    seconds: float
    problem: str

    @property
    def passed(self) -> bool:
        """Whether something was compared, and nothing differs or failed."""
        return self.compared > 0 and self.differ == 0 and not self.problem

    def text(self) -> str:
        """The line for a reader."""
        eager = f" ({self.eager:,} of {self.calls:,} calls by eager torch)" if self.eager else ""
        problem = f": {self.problem}" if self.problem else ""
        return (
            f"{self.what}: {self.compared:,} compared, {self.differ:,} differ{eager}, "
            f"{self.seconds:.1f} s{problem}"
        )


@dataclass(slots=True)
class Proof:
    """The backends that are compared, and the lines so far.

    Attributes:
        device: ``cuda``, or ``cpu`` in Triton's interpreter.
        tiny: a small part of each set, to try the steps themselves.
        step: name of the step at work.
        lines: so far.
    """

    device: str
    tiny: bool = False
    step: str = ""
    lines: list[Line] = field(default_factory=list)
    ours: Any = None
    eager: Any = None

    def __post_init__(self) -> None:
        self.ours = load_backend(f"triton:{self.device}")
        self.eager = load_backend(f"torch:{self.device}")

    def line(self, what: str) -> "Tally":
        """Where to add what is compared; an error ends the line, and is one of it."""
        return Tally(self, what)

    def in_kernels(self, verb: str) -> bool:
        """Whether the Triton backend has a function of its own."""
        mine = getattr(self.ours, verb, None)
        return mine is not None and mine is not getattr(TorchBackend, verb, None)


class Tally(AbstractContextManager["Tally"]):
    """Counts of one line, kept on the device until its end."""

    def __init__(self, proof: Proof, what: str) -> None:
        self._proof, self._what = proof, what
        self._compared = self._calls = self._eager = 0
        self._differ: dict[str, torch.Tensor] = {}
        self._start = time.perf_counter()

    def call(self, verb: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - any verb
        """What a function of the Triton backend returns; counts who answered."""
        before = sum(self._proof.ours.fallbacks.values())
        result = getattr(self._proof.ours, verb)(*args, **options)
        after = sum(self._proof.ours.fallbacks.values())
        self._calls += 1
        self._eager += after > before or not self._proof.in_kernels(verb)
        return result

    def same(self, expected: Any, actual: Any, label: str = "") -> None:  # noqa: ANN401 - nested
        """Compare tensors, numpy arrays, or dicts and tuples of them."""
        if isinstance(expected, dict):
            if set(expected) != set(actual):
                raise AssertionError(f"{label} {sorted(actual)} and not {sorted(expected)}")
            for name, value in expected.items():
                self.same(value, actual[name], f"{label} {name}".strip())
        elif isinstance(expected, tuple):
            for i, pair in enumerate(zip(expected, actual, strict=True)):
                self.same(*pair, f"{label} {i}".strip())
        else:
            expected, actual = (
                self._proof.eager.from_numpy(value) if isinstance(value, np.ndarray) else value
                for value in (expected, actual)
            )
            self._compared += expected.numel()
            count = unequal(expected, actual)
            self._differ[label] = self._differ[label] + count if label in self._differ else count

    def same_error(self, expected: str, actual: str, label: str) -> None:
        """Compare the names of two errors."""
        self._compared += 1
        if expected != actual:
            raise AssertionError(f"{label}: {actual} and not {expected}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """End the line; an exception is told and counts as a failure."""
        problem = "" if error is None else f"{type(error).__name__}: {str(error)[:300]}"
        differ = 0
        try:
            counts = {label: int(count) for label, count in self._differ.items()}
            differ = sum(counts.values())
            wrong = [f"{label} {n:,}".strip() for label, n in counts.items() if n]
            problem = problem or ", ".join(wrong[:_NAMED])
        except RuntimeError as broken:  # the device itself has failed
            problem = problem or f"{type(broken).__name__}: {str(broken)[:300]}"
        if not problem and not self._compared:
            problem = "nothing was compared"
        seconds = time.perf_counter() - self._start
        made = Line(
            self._proof.step,
            self._what,
            self._compared,
            differ,
            self._calls,
            self._eager,
            seconds,
            " ".join(problem.split()),
        )
        self._proof.lines.append(made)
        print(f"{made.step}: {made.text()}", flush=True)
        return isinstance(error, Exception) or error is None
