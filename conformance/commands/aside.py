"""Standard output belongs to the report: what a backend prints goes to standard error."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress

_OUT, _ERR = 1, 2


@contextmanager
def speaking_aside() -> Iterator[None]:
    """In the body, and in processes that it starts, standard output is standard error.

    It holds for ``print``, for what writes to the descriptor, and for C's ``printf``.
    """
    _flush()
    with redirect_stdout(sys.stderr):
        try:
            kept = os.dup(_OUT)
            os.dup2(_ERR, _OUT)
        except OSError:
            yield
            return
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, _OUT)
            os.close(kept)


def _flush() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None:
            stream.flush()
    # the buffers of C, which would reach the descriptor later
    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).fflush(None)
