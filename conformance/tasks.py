"""The steps of a verification, as values that another process can be sent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qparity.reference import FormatArgs, QuantizationScheme

from .bits import Array
from .known import load_witness, replay_witness
from .known_failure import KnownFailure
from .operations import Check
from .outcome import Outcome
from .run import run_cases, run_check
from .weights import fits, matrices, weight_presets, weights_cases

__all__ = ["Task", "check_tasks", "weight_tasks", "witness_tasks"]


@dataclass(frozen=True)
class Task:
    """One outcome to be had: its operation, its check, and what makes it of a backend."""

    op: str
    check: str
    run: Callable[[object], Outcome]

    def failed(self, detail: str) -> Outcome:
        """An ERROR in place of the outcome."""
        return Outcome(self.op, self.check, "ERROR", evidence="fixed", detail=detail)


def check_tasks(
    checks: Sequence[tuple[Check, int]],
    seed: int,
    folder: Path | None,
    known: Sequence[KnownFailure],
) -> list[Task]:
    """Checks, each with its number of examples; the rest as for ``run_check``."""
    return [
        Task(
            check.op,
            check.name,
            partial(
                run_check, check, seed=seed, examples=examples, cases_folder=folder, known=known
            ),
        )
        for check, examples in checks
    ]


def witness_tasks(known: Sequence[KnownFailure]) -> list[Task]:
    """The replay of every witness.

    Raises:
        OSError: if a witness cannot be read.
        ValueError: if a witness is no case, or one of another operation.
    """
    return [
        Task(entry.operation, entry.name, partial(replay_witness, entry, load_witness(entry)))
        for entry in known
    ]


def weight_tasks(
    weights: Mapping[str, Array],
    schemes: Mapping[str, QuantizationScheme] | None,
    operations: Sequence[str],
    folder: Path | None,
    notes: list[str],
) -> list[Task]:
    """Every scheme (None: every weight preset) over every matrix; ``notes`` gets what is not."""
    presets = weight_presets() if schemes is None else schemes
    tasks: list[Task] = []
    for tensor_name, weight in matrices(weights).items():
        for preset, scheme in presets.items():
            if not fits(weight, scheme):
                columns = f"{weight.shape[1]} columns of {tensor_name}"
                notes.append(f"{preset}: {columns} are not whole groups")
                continue
            name = f"{preset} {tensor_name}"
            for op in _operations_of(scheme, operations):
                run = partial(_run_weight, op, name, weight, scheme, folder)
                tasks.append(Task(op, name, run))
    return tasks


def _operations_of(scheme: QuantizationScheme, operations: Sequence[str]) -> list[str]:
    if scheme.weights is None:
        return []
    stored = ["quantize"] if isinstance(scheme.weights, FormatArgs) else ["compress", "decompress"]
    ops = ["minmax", "calculate_qparams", *stored, "fake_quantize"]
    if scheme.weights.strategy == "tensor_group":
        ops.insert(1, "generate_gparam")
    return [op for op in ops if not operations or op in operations]


def _run_weight(
    op: str,
    name: str,
    weight: Array,
    scheme: QuantizationScheme,
    folder: Path | None,
    backend: object,
) -> Outcome:
    cases = (case for case in weights_cases(weight, scheme) if case.op == op)
    return run_cases(op, name, cases, backend, folder)
