"""A dask cluster of processes of this machine, one worker of which kills itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIES = """
import os, signal
from distributed.diagnostics.plugin import WorkerPlugin

class Dies(WorkerPlugin):
    started = 0

    def transition(self, key, start, finish, **kwargs):
        if finish == "executing":
            self.started += 1
            if self.started > {tasks}:
                os.kill(os.getpid(), signal.SIGKILL)

async def dask_setup(worker):
    await worker.plugin_add(Dies())
"""


@dataclass(frozen=True)
class Cluster:
    """Its address, and the process that kills itself."""

    address: str
    dying: subprocess.Popen[bytes]


@contextmanager
def cluster(folder: Path, after: int, workers: int = 2) -> Iterator[Cluster]:
    """Some workers that live, and one that is killed when it begins a task after so many."""
    (folder / "dies.py").write_text(DIES.format(tasks=after))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3",
    }

    def started(kind: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options]
        process = subprocess.Popen(
            command,
            cwd=elsewhere,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        assert process.stderr is not None
        stack.callback(process.stderr.close)
        return process

    def said(process: subprocess.Popen[bytes], word: str) -> str:
        assert process.stderr is not None
        for line in process.stderr:
            if word in line.decode():
                return line.decode().split()[-1]
        raise AssertionError(word)

    with ExitStack() as stack:
        scheduler = started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        address = said(scheduler, "Scheduler at:")
        common = (address, "--no-nanny", "--nthreads", "1", "--no-dashboard")
        dying = started("worker", *common, "--preload", str(folder / "dies.py"))
        living = [started("worker", *common) for _ in range(workers)]
        for process in (dying, *living):
            said(process, "Registered to:")
        yield Cluster(address, dying)
