"""The fused kernels against a device copy of as many bytes, and peers, in one run on one GPU.

``python benchmarks/cuda.py --json benchmarks/results/cuda.json``. A row counts every input byte
once (twice where a scale is of the whole tensor, so that it is read before it is used) and every
output byte once. Its time is the median of replays of a CUDA graph of calls that rotate among
inputs, so many that none is in the cache; the copy of as many bytes is measured next to it alike.
Peers are timed as they are called. `docs/performance.py` makes the page of the JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import torch
from machine import PACKAGES, command, environment
from speed import ours
from speed.peer_torchao import COMPILED
from speed.peers import PEERS, time_of, torchao_compiled
from speed.rows import MAIN, PRESETS, SHAPES, Row, Task, all_tasks

from qparity.backends import load_backend

LIBRARIES = ("compressed-tensors", "torchao")
_MOST_COMPILED = 1 << 28


@dataclass(slots=True)
class Run:
    """The rows so far, and how long the rest may take.

    Attributes:
        options: of the command.
        tasks: all that is to be measured.
        start: by the clock.
        rows: so far.
        skipped: what was not measured, with the reason.
    """

    options: argparse.Namespace
    tasks: list[Task]
    start: float
    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def late(self, what: str) -> bool:
        """Whether the time is over; what is then not measured is told."""
        over = time.perf_counter() - self.start > self.options.limit
        if over:
            self.skipped.append(f"{what}: the limit of {self.options.limit:.0f} s")
        return over

    def write(self) -> None:
        """The JSON file."""
        if not self.options.json:
            return
        made = {
            "environment": environment(self.options.device, (*PACKAGES, *LIBRARIES)),
            "command": command("benchmarks/cuda.py", sys.argv[1:]),
            "seconds": round(time.perf_counter() - self.start, 1),
            "skipped": self.skipped,
        }
        rows = ",\n".join(json.dumps(_rounded(row)) for row in self.rows)
        head = json.dumps(made, indent=1).removesuffix("\n}")
        self.options.json.write_text(f'{head},\n "rows": [\n{rows}\n]}}\n')


def main() -> None:
    """Compile, measure, print, write."""
    options = _options()
    tasks = all_tasks(options.presets, options.sizes, options.dtypes)
    if options.tiny:
        tasks = [Task(t.verb, t.preset, t.dtype, (128, 128)) for t in tasks]
    if options.compile is not None:
        compiled(tasks, options)
        return
    run = Run(options, tasks, time.perf_counter())
    if options.jobs and options.device == "cuda":
        _compile_all(options)
    print(f"compiled in {time.perf_counter() - run.start:.0f} s", flush=True)
    backend: Any = load_backend(f"triton:{options.device}")
    peers_at = sum(1 for task in tasks if task.shape == tasks[0].shape and _main_dtype(task, tasks))
    for i, task in enumerate(tasks):
        if i == peers_at and options.peers:
            _peers(run)
        if not run.late(_name(task)):
            _measure(run, backend, task)
    if peers_at == len(tasks) and options.peers:
        _peers(run)
    run.write()
    for what in run.skipped:
        print(f"not measured: {what}")
    print(f"{len(run.rows)} rows, {time.perf_counter() - run.start:.0f} s")


def _measure(run: Run, backend: Any, task: Task) -> None:  # noqa: ANN401 - a backend
    try:
        row = ours.measured(backend, task, run.options.device, run.options.ms)
    except Exception as error:  # noqa: BLE001 - told, and the others are measured
        run.skipped.append(f"{_name(task)}: {type(error).__name__}: {str(error)[:200]}")
        _free(run.options.device)
        return
    run.rows.append(row)
    print(line(row), flush=True)
    _free(run.options.device)
    run.write()


def _peers(run: Run) -> None:
    """The peers of the rows so far."""
    device = run.options.device
    for row in list(run.rows):
        task = Task(row.verb, row.preset, row.dtype, row.shape)
        for name in PEERS:
            if not run.late(f"{name}, {_name(task)}"):
                row.peers[name] = time_of(name, task, device)
                _free(device)
        told = (f"{name} {_told(answer)}" for name, answer in row.peers.items())
        print(f"{_name(task)}: {'; '.join(told)}", flush=True)
    run.write()


def compiled(tasks: list[Task], options: argparse.Namespace) -> None:
    """Call a part of the tasks once, so that what they compile is in the caches of the disk."""
    part, parts = options.compile
    backend: Any = load_backend(f"triton:{options.device}")
    calls: list[Callable[[], object]] = []
    for task in tasks:
        if prod(task.shape) > _MOST_COMPILED:
            continue
        calls.append(lambda t=task: _called(backend, t, options.device))
        first = task.shape == tasks[0].shape and _main_dtype(task, tasks)
        if options.peers and first and task.preset in COMPILED.get(task.verb, ()):
            calls.append(lambda t=task: torchao_compiled(t, options.device)())
    for call in calls[part::parts]:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the measurement will tell
            print(f"compiling: {type(error).__name__}: {str(error)[:100]}", flush=True)
        _free(options.device)


def _called(backend: Any, task: Task, device: str) -> None:  # noqa: ANN401 - a backend
    ours.prepared(backend, task, ours.weight_of(task, device)).call()


def _compile_all(options: argparse.Namespace) -> None:
    """The same command in processes that only compile, each a part."""
    arguments = [sys.executable, __file__, *sys.argv[1:]]
    alone = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
    running = [
        subprocess.Popen([*arguments, "--compile", str(part), str(options.jobs)], env=alone)
        for part in range(options.jobs)
    ]
    for process in running:
        process.wait()


def line(row: Row) -> str:
    """A row for a reader."""
    rows, cols = row.shape
    more = " BY EAGER TORCH" if row.eager else ""
    if row.host_microseconds is not None:
        more += f", {row.launches} launches, {row.host_microseconds:.1f} us from the host"
    return (
        f"{row.verb} {row.preset} {row.dtype} {rows} x {cols}: {row.moved / 1e6:.1f} MB, "
        f"{row.microseconds:.1f} us, {row.rate:.0f} GB/s, {row.of_copy:.2f} of copy, "
        f"{row.sets} sets{more}"
    )


def _rounded(row: Row) -> dict[str, Any]:
    saved = asdict(row)
    for name in ("microseconds", "copy_microseconds", "host_microseconds"):
        if saved[name] is not None:
            saved[name] = round(saved[name], 3)
    numbers = {k: v if isinstance(v, str) else round(v, 1) for k, v in row.peers.items()}
    return saved | {"peers": numbers}


def _told(answer: float | str) -> str:
    return answer if isinstance(answer, str) else f"{answer:.0f} us"


def _name(task: Task) -> str:
    return f"{task.verb} {task.preset} {task.dtype} {task.shape[0]} x {task.shape[1]}"


def _main_dtype(task: Task, tasks: list[Task]) -> bool:
    return task.dtype == tasks[0].dtype


def _free(device: str) -> None:
    if device == "cuda":
        torch.cuda.empty_cache()


def _options() -> Any:  # noqa: ANN401 - argparse's own
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--presets", nargs="*", choices=PRESETS, default=list(PRESETS))
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="*",
        choices=SHAPES,
        default=[MAIN, *(size for size in SHAPES if size != MAIN)],
        help="MB of weight in bfloat16; all presets at 128 (8192 x 8192), few at the others",
    )
    parser.add_argument("--dtypes", nargs="*", default=["bfloat16", "float16", "float32"])
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=float, default=230, help="seconds; the rest is skipped")
    parser.add_argument("--ms", type=float, default=25, help="of replays for each measurement")
    parser.add_argument("--jobs", type=int, default=8, help="processes that compile first")
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: interpreter"
    )
    parser.add_argument("--tiny", action="store_true", help="128 x 128, to try the command")
    parser.add_argument("--compile", type=int, nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
