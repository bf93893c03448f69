"""Workers do not outlive the process that started them."""

import os
import subprocess
import sys
import time

from qparity.conformance.orphans import leave_with_parent

PARENT = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from qparity.conformance.orphans import leave_with_parent
pool = ProcessPoolExecutor(1, get_context("spawn"), leave_with_parent)
print(pool.submit(os.getpid).result(), flush=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_leave_when_their_parent_is_killed() -> None:
    """An idle worker of a parent that SIGKILL ends is gone within seconds."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert is_running(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(worker)


def test_a_process_without_a_parent_of_ours_stays() -> None:
    """Called in the first process it does nothing."""
    leave_with_parent()
