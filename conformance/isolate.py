"""Run checks in processes that may die: the check is an ERROR, and the rest goes on."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from .guard import NEVER, guarded
from .outcome import Outcome
from .sending import send_strides
from .tasks import Task

__all__ = ["Isolated"]

_CONTEXT = get_context("spawn")
_LOOK_EVERY = 0.2
_GRACE = 2.0


class Isolated:
    """Processes for a backend; ``close`` ends them.

    Args:
        load: returns the backend; a function that can be pickled.
        seconds: the time limit of a call; a process that does not keep it is ended.
        jobs: how many processes.
    """

    def __init__(self, load: Callable[[], object], seconds: float | None, jobs: int) -> None:
        self._load, self._seconds, self._jobs = load, seconds, jobs
        self._closed = False
        self._workers: SimpleQueue[_Worker | None] = SimpleQueue()
        for _ in range(jobs):
            self._workers.put(None)

    def run(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """One outcome for each task, in their order."""
        threads = ThreadPoolExecutor(self._jobs)
        try:
            yield from threads.map(self._ask, tasks)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End the processes."""
        self._closed = True
        for _ in range(self._jobs):
            worker = self._workers.get()
            if worker is not None:
                worker.end(_GRACE)

    def _ask(self, task: Task) -> Outcome:
        worker = self._workers.get()
        try:
            if self._closed:
                return task.failed("not run")
            worker = worker or _Worker(self._load, self._seconds)
            answer = worker.ask(task)
            if isinstance(answer, Outcome):
                return answer
            worker.end()
            worker = None
            return task.failed(answer)
        finally:
            self._workers.put(worker)


class _Worker:
    """One process."""

    def __init__(self, load: Callable[[], object], seconds: float | None) -> None:
        self._deadline = _CONTEXT.RawValue("d", NEVER)
        self._seconds = seconds
        self._connection, theirs = _CONTEXT.Pipe()
        arguments = (theirs, load, seconds, self._deadline)
        self._process = _CONTEXT.Process(target=_serve, args=arguments)
        self._process.start()
        theirs.close()

    def ask(self, task: Task) -> Outcome | str:
        """The outcome, or how the process died."""
        try:
            self._connection.send(task)
            while not self._connection.poll(_LOOK_EVERY):
                if time.monotonic() > self._deadline.value + _GRACE:
                    return f"took longer than {self._seconds:g} s, and the process had to be ended"
            outcome: Outcome = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            return f"the process died ({how})"
        return outcome

    def end(self, wait: float = 0.0) -> None:
        """End the process, whatever it does; first let it end itself for so many seconds."""
        self._connection.close()
        self._process.join(wait)
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, load: Callable[[], object], seconds: float, due: Any) -> None:  # noqa: ANN401 - of ctypes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    send_strides()
    backend: object = None
    with suppress(EOFError):
        while True:
            task: Task = connection.recv()
            try:
                backend = backend or guarded(load(), seconds, due)
                outcome = task.run(backend)
            except Exception as error:  # noqa: BLE001 - a broken check is reported, not hidden
                outcome = task.failed(f"the check broke: {type(error).__name__}: {error}")
            connection.send(outcome)
