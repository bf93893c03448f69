"""Processes that end with the one that started them, however that one ended."""

import os
from multiprocessing import parent_process
from threading import Thread

__all__ = ["leave_with_parent"]


def leave_with_parent() -> None:
    """End this process when its parent ends, killed or not: for a worker's first instruction."""
    parent = parent_process()
    if parent is None:
        return

    leave = os._exit

    def wait() -> None:
        parent.join()
        leave(1)

    Thread(target=wait, daemon=True).start()
