"""A checkpoint against its config, and against dense weights (SPEC section 12)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..bits import Array, bits_of
from ..checkpoint import Checkpoint, Entry, open_checkpoint
from ..checkpoint.dtypes import DTYPES
from ..checkpoint.read import read_entry, read_rows
from ..probes import environment
from ..spread import spread
from .config import Config, read_config
from .expected import WORKING
from .finding import NOTE, VIOLATION, Finding, Tally
from .module import ModuleReport, inspect_module
from .plan import Plan, Planned, make_plan
from .values import check_scale, pieces

__all__ = ["Inspection", "inspect_checkpoint"]


@dataclass
class Inspection:
    """What an inspection came to.

    Attributes:
        checkpoint: what was inspected.
        against: the dense checkpoint, or None.
        environment: versions and the machine.
        modules: those that are quantized.
        findings: all of them, those of modules too.
        others: how many tensors belong to no quantized module.
    """

    checkpoint: str
    against: str | None
    environment: dict[str, str]
    modules: list[ModuleReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    others: int = 0

    @property
    def violations(self) -> int:
        """How many findings are violations."""
        return sum(finding.severity == VIOLATION for finding in self.findings)

    @property
    def not_compared(self) -> int:
        """How many modules were not compared with their dense weights; 0 if there are none."""
        return 0 if self.against is None else sum(not module.compared for module in self.modules)

    @property
    def exit_code(self) -> int:
        """0 all fine, 1 a violation, 5 nothing was inspected, or nothing compared."""
        if self.violations:
            return 1
        return 0 if len(self.modules) > self.not_compared else 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor that is not quantized, and its dense original."""

    stored: Entry
    dense: Entry

    @property
    def nbytes(self) -> int:
        """The bytes that are read."""
        return self.stored.nbytes + self.dense.nbytes


def inspect_checkpoint(
    path: Path | str,
    against: Path | str | None = None,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Inspect a checkpoint.

    Args:
        path: a safetensors file, or a folder with one or with an index, and a ``config.json``.
        against: the dense checkpoint that it was made of.
        jobs: how many processes; the memory of each is bounded by the largest tensor.
        scheduler: the address of a dask scheduler, in place of ``jobs``.
        watch: is told the bytes that are done, and all of them.

    Raises:
        ValueError: if a file cannot be read, is damaged, or has no config; one line.
    """
    checkpoint = _opened(path, scheduler)
    dense = None if against is None else _opened(against, scheduler)
    result = Inspection(str(path), None if against is None else str(against), environment())
    config = read_config(checkpoint.config, str(path))
    planned = make_plan(checkpoint, config, dense)
    result.findings = [*config.findings, *planned.findings, *_kv_cache(planned, config)]
    result.others = len(planned.others)
    tasks: list[Plan | Pair] = [*planned.plans]
    if dense is not None:
        result.findings += _absent(planned, checkpoint, dense)
        tasks += _pairs(planned, dense, result.findings)
    total, done = sum(task.nbytes for task in tasks), 0
    largest_first = sorted(tasks, key=lambda task: -task.nbytes)
    for nbytes, found in spread(_run, largest_first, jobs=jobs, scheduler=scheduler):
        if isinstance(found, ModuleReport):
            result.modules.append(found)
            result.findings += found.findings
        else:
            result.findings += found
        done += nbytes
        if watch is not None:
            watch(done, total)
    result.modules.sort(key=lambda module: module.module)
    result.findings.sort(key=lambda finding: (finding.severity != VIOLATION, finding.place))
    return result


def _opened(path: Path | str, scheduler: str | None) -> Checkpoint:
    """A checkpoint whose files a worker in another folder finds as well."""
    return open_checkpoint(path if scheduler is None else Path(path).absolute())


def _run(task: Plan | Pair) -> tuple[int, ModuleReport | list[Finding]]:
    found = inspect_module(task) if isinstance(task, Plan) else _compare(task)
    return task.nbytes, found


def _kv_cache(planned: Planned, config: Config) -> list[Finding]:
    """Scales of keys and values: positive, complete, and called for."""
    found: list[Finding] = []
    args = config.kv_cache
    attention = any(scheme.weights is None for scheme in config.schemes.values())
    for entry in planned.kv:
        module, _, local = entry.name.rpartition(".")
        if args is None and not attention:
            expected = "none: there is no kv_cache_scheme"
            found.append(Finding("tensor-surplus", expected, module, entry.name, bits=entry.dtype))
        if not local.endswith("_scale"):
            continue
        if entry.dtype in ("BF16", "F16", "F32", "F64", "F8_E4M3"):
            found += check_scale(module, entry)
        else:
            expected = "BF16, F16 or F32"
            found.append(Finding("dtype-wrong", expected, module, entry.name, bits=entry.dtype))
        if args is not None and args.strategy == "tensor" and entry.shape not in ((1,), ()):
            bits = str(list(entry.shape))
            found.append(Finding("shape-wrong", "[1]", module, entry.name, bits=bits))
    names = {entry.name for entry in planned.kv}
    old = any("output_scale" in plan.entries for plan in planned.plans)
    if args is not None and args.dynamic is False and not old:
        for module in sorted({name.rpartition(".")[0] for name in names}) or [""]:
            for local in ("k_scale", "v_scale"):
                if f"{module}.{local}" not in names:
                    expected = "one, as kv_cache_scheme is static"
                    name = f"{module}.{local}".removeprefix(".")
                    found.append(Finding("tensor-missing", expected, module, name))
    return found


def _absent(planned: Planned, checkpoint: Checkpoint, dense: Checkpoint) -> list[Finding]:
    """The dense tensors that are lost; the weight of a quantized module is in its codes."""
    coded = {plan.module for plan in planned.plans if plan.scheme.weights is not None}
    coded |= planned.stray
    found = []
    for name in dense.names:
        module, _, local = name.rpartition(".")
        if name not in checkpoint.entries and (module not in coded or local != "weight"):
            expected = "what the dense checkpoint has"
            found.append(Finding("tensor-missing", expected, module, name))
    return found


def _pairs(planned: Planned, dense: Checkpoint, findings: list[Finding]) -> list[Pair]:
    """The tensors that are not quantized, with their originals."""
    pairs = []
    stored = [*planned.others]
    for plan in planned.plans:
        stored += [entry for local, entry in plan.entries.items() if local in plan.passing]
    for entry in stored:
        module = entry.name.rpartition(".")[0]
        original = dense.entries.get(entry.name)
        if original is None:
            if module not in planned.stray:
                expected = "only what is in the dense checkpoint"
                findings.append(Finding("tensor-surplus", expected, module, entry.name))
        elif original.shape != entry.shape:
            bits, expected = str(list(entry.shape)), str(list(original.shape))
            findings.append(Finding("shape-wrong", expected, module, entry.name, bits=bits))
        elif entry.dtype not in _castable(original.dtype):
            expected = " or ".join(_castable(original.dtype))
            findings.append(Finding("dtype-wrong", expected, module, entry.name, bits=entry.dtype))
        elif entry.dtype in DTYPES:
            pairs.append(Pair(entry, original))
        else:
            note = Finding("not-compared", "a dtype of whole bytes", module, entry.name)
            findings.append(replace(note, bits=entry.dtype, severity=NOTE))
    return pairs


def _castable(dtype: str) -> tuple[str, ...]:
    """The dtypes that a dense tensor may be stored in: its own, or of a float another float."""
    return (dtype, *(tag for tag in WORKING if tag != dtype and dtype in WORKING))


def _compare(pair: Pair) -> list[Finding]:
    """A tensor that passes through has the bits of its original, cast to its dtype."""
    entry, tally = pair.stored, Tally()
    for start, stop in pieces(entry, 1) if entry.shape else [(0, 1)]:
        stored, dense = (_rows(side, start, stop) for side in (entry, pair.dense))
        with np.errstate(all="ignore"):
            dense = dense.astype(stored.dtype)
        tally.add(bits_of(stored) != bits_of(dense), stored, dense, start)
    if not tally.count:
        return []
    module, first = entry.name.rpartition(".")[0], tally.first if entry.shape else None
    facts = (first, tally.bits, tally.count, tally.total)
    return [Finding("tensor-differs", tally.expected, module, entry.name, *facts)]


def _rows(entry: Entry, start: int, stop: int) -> Array:
    """Rows of a tensor; the number of one without axes is a row."""
    return read_rows(entry, start, stop) if entry.shape else np.atleast_1d(read_entry(entry))
