"""The same work in this process, in several, or on the workers of a dask scheduler."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from socket import create_connection
from typing import TypeVar

from .orphans import leave_with_parent

__all__ = ["spread"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_SECONDS_TO_CONNECT = 10


def spread(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """The results of a function, in the order of its items.

    Args:
        function: pure, and to be pickled, as its items and results are.
        items: one call for each.
        jobs: how many processes of this machine.
        scheduler: the address of a dask scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers
            see the same files by the same names; ``jobs`` does not count then. The calls of a
            worker that dies are made again by another.

    Raises:
        ValueError: if a process dies, dask is not installed, or the scheduler is not there or has
            no worker that lives.
        Exception: whatever the function raises.
    """
    if scheduler is not None:
        yield from _by_dask(function, items, scheduler)
    elif jobs == 1:
        yield from map(function, items)
    else:
        yield from _by_processes(function, items, jobs)


def _by_processes(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[Result]:
    with ProcessPoolExecutor(jobs, get_context("spawn"), leave_with_parent) as pool:
        try:
            yield from pool.map(function, items)
        except BrokenProcessPool as error:
            raise ValueError("a process died; fewer --jobs need less memory") from error


def _by_dask(
    function: Callable[[Item], Result], items: Sequence[Item], address: str
) -> Iterator[Result]:
    try:
        from distributed import Client, Future, KilledWorker
        from distributed.comm.addressing import get_address_host_port
        from distributed.comm.core import CommClosedError
    except ModuleNotFoundError as error:
        message = "scheduler: needs dask.distributed; pip install 'qparity[dask]'"
        raise ValueError(message) from error

    def result_of(future: "Future[Result]") -> Result:
        while True:
            try:
                return future.result(timeout=_SECONDS_TO_CONNECT)
            except TimeoutError as error:
                if future.done():
                    raise
                if not client.nthreads():
                    raise ValueError(f"scheduler: no worker of {address!r} is left") from error

    for name in ("asyncio", "distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        create_connection(get_address_host_port(address), _SECONDS_TO_CONNECT).close()
        client = Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"scheduler: no dask scheduler at {address!r} ({error})") from error
    with client:
        if not client.nthreads():
            raise ValueError(f"scheduler: {address!r} has no workers; allowed: one at least")
        try:
            for future in client.map(function, items, pure=False):
                yield result_of(future)
        except KilledWorker as error:
            raise ValueError(f"scheduler: every worker that tried it died ({error})") from error
        except (CommClosedError, CancelledError) as error:
            raise ValueError(f"scheduler: {address!r} went away") from error
