"""Backends that do their worst: the reference, but for ``pack_fp4_to_uint8``."""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from qparity import reference
from tests.conformance import planted

OP = "pack_fp4_to_uint8"


def exits(*_: object, **__: object) -> None:
    """Ends the interpreter, as far as it can."""
    sys.exit(3)


def sleeps(*_: object, **__: object) -> None:
    """Takes a minute."""
    time.sleep(60)


def cannot_be_stopped(*_: object, **__: object) -> None:
    """Takes a minute, whatever is raised meanwhile."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(BaseException):
            time.sleep(0.1)


def crashes(*_: object, **__: object) -> None:
    """Dies as of a wild pointer."""
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves(*_: object, **__: object) -> None:
    """Ends the process without a word, past Python."""
    ctypes.CDLL(None)._exit(7)


def leaves_python(*_: object, **__: object) -> None:
    """Ends the process without a word, as if all were well."""
    os._exit(0)


def prints(*a: Any, **k: Any) -> Any:  # noqa: ANN401 - as the reference's
    """The right answer, and words on every road to standard output."""
    print("by print")  # noqa: T201 - the point
    sys.__stdout__.write("by the stream\n")  # type: ignore[union-attr]
    os.write(1, b"by the descriptor\n")
    ctypes.CDLL(None).puts(b"by C")
    return reference.pack_fp4_to_uint8(*a, **k)


def raises_flags(*a: Any, **k: Any) -> Any:  # noqa: ANN401 - as the reference's
    """The right answer; but numpy raises on overflow from now on."""
    result = reference.pack_fp4_to_uint8(*a, **k)
    np.seterr(all="raise")
    return result


def backend(name: str, op: str = OP) -> SimpleNamespace:
    """The reference, with one function, or the bridge, replaced by one of this module."""
    return planted.backend(**{op: globals()[name]})


def loader(name: str, op: str = OP) -> Any:  # noqa: ANN401 - a partial
    """What makes the backend in another process."""
    return partial(backend, name, op)


printing = backend("prints")
