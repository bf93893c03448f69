"""Work that is spread over processes, or the workers of a scheduler, is the same work."""

import math
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from qparity.conformance.spread import spread
from tests.conformance.dask_cluster import ROOT, cluster

ITEMS = tuple(range(40))
BY_DASK = """
import math, sys
from qparity.conformance.spread import spread
print(*spread(math.factorial, tuple(range(40)), scheduler=sys.argv[1]))
"""
TOLD = """
import math, sys
from qparity.conformance import spread
spread._SECONDS_TO_CONNECT = 2
try:
    list(spread.spread(math.factorial, {items}, scheduler=sys.argv[1]))
except ValueError as error:
    print(error)
"""


def run(script: str, *arguments: str) -> str:
    """What a script prints, in a process of its own: a client leaves threads behind."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order(jobs: int) -> None:
    """One process or two give the results of the items, in their order."""
    assert list(spread(math.factorial, ITEMS, jobs=jobs)) == [math.factorial(n) for n in ITEMS]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_the_functions(jobs: int) -> None:
    """What the function raises comes out as it is."""
    with pytest.raises(ValueError, match="not defined for negative"):
        list(spread(math.factorial, (1, -1), jobs=jobs))


def test_a_process_that_dies_is_told() -> None:
    """A process that the system kills ends the work with one line."""
    with pytest.raises(ValueError, match="a process died"):
        list(spread(partial(signal.raise_signal), (signal.SIGKILL,), jobs=2))


def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    """Of three workers of a scheduler one is killed mid-way; the results are those of one process.

    What the function raises on a worker comes out as it is.
    """
    with cluster(tmp_path, after=1) as made:
        results = run(BY_DASK, made.address)
        assert made.dying.wait(timeout=60) == -signal.SIGKILL
        assert results.split() == [str(math.factorial(n)) for n in ITEMS]
        assert "not defined for negative" in run(TOLD.format(items=(1, -1, 2)), made.address)


def test_workers_that_all_die_are_told(tmp_path: Path) -> None:
    """With no worker left the work ends with one line; without any it does not begin."""
    script = TOLD.format(items=(1, 2, 3))
    with cluster(tmp_path, after=1, workers=0) as made:
        assert f"no worker of {made.address!r} is left" in run(script, made.address)
        assert f"{made.address!r} has no workers" in run(script, made.address)


@pytest.mark.parametrize(
    ("address", "wrong"),
    [("tcp://127.0.0.1:{port}", "refused"), ("foo://x:1", "scheme"), ("", "missing port")],
)
def test_a_scheduler_that_is_not_there_is_told(address: str, wrong: str) -> None:
    """An address without a scheduler is named in one line, at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        given = address.format(port=taken.getsockname()[1])
        with pytest.raises(ValueError, match=rf"scheduler: no dask scheduler at .*{wrong}"):
            list(spread(math.factorial, ITEMS, scheduler=given))
