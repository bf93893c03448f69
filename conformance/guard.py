"""A backend that cannot hold the judge up, nor change how it rounds: a limit for each call."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn

import numpy as np

from .float_mode import changed_mode, restore_mode

__all__ = [
    *("CASE_TIMEOUT", "ChangedModeError", "TooSlowError"),
    *("guarded", "load_guarded", "staying", "time_limit"),
    "unguarded",
]

CASE_TIMEOUT = 20.0
_AGAIN = 1.0
NEVER = float("inf")
_LEAVE = os._exit


class TooSlowError(Exception):
    """A call took longer than it may."""


class ChangedModeError(Exception):
    """A call left the thread rounding in another way, the answers of the reference included."""


class _Alarm(BaseException):
    """Not an ``Exception``, so that few backends catch it."""


class Guarded:
    """A backend whose functions are stopped after ``seconds``; see ``guarded``."""

    def __init__(self, backend: object, seconds: float | None, deadline: Any = None) -> None:  # noqa: ANN401 - of ctypes
        self.backend, self.seconds, self.deadline = backend, seconds, deadline

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the backend has
        if name in ("backend", "seconds", "deadline"):
            raise AttributeError(name)
        value = getattr(self.backend, name)
        if not callable(value):
            return value

        @wraps(value)
        def call(*args: object, **kwargs: object) -> object:
            try:
                with np.errstate(), self._noted(), staying(), time_limit(self.seconds):
                    return value(*args, **kwargs)
            finally:
                _check_mode(name)

        return call

    @contextmanager
    def _noted(self) -> Iterator[None]:
        if self.deadline is None or self.seconds is None:
            yield
            return
        self.deadline.value = time.monotonic() + self.seconds
        try:
            yield
        finally:
            self.deadline.value = NEVER


def guarded(backend: object, seconds: float | None, deadline: Any = None) -> Guarded:  # noqa: ANN401 - of ctypes
    """A backend with a time limit.

    Args:
        backend: a module or object.
        seconds: a call that takes longer raises ``TooSlowError``; None: no limit. It is stopped
            between two Python instructions, in the main thread of a POSIX system; elsewhere it is
            not stopped.
        deadline: a number shared with a process that ends this one if a call cannot be stopped.

    Returns:
        An object with all that the backend has. What a call does to ``np.seterr`` is undone, and
        it does not end the process by ``os._exit``; see ``staying``. One that leaves this thread
        rounding otherwise raises ``ChangedModeError``.
    """
    return Guarded(backend, seconds, deadline)


def _check_mode(name: str) -> None:
    mode = changed_mode()
    if mode is not None:
        restore_mode()
        raise ChangedModeError(f"{name} left a thread that {mode}, in all that runs after it")


def load_guarded(load: Callable[[], object], seconds: float | None) -> Guarded:
    """``guarded``, of a backend that is yet to be loaded."""
    return guarded(load(), seconds)


def _ring(*_: object) -> None:
    raise _Alarm


def unguarded(backend: object) -> object:
    """The backend itself."""
    return backend.backend if isinstance(backend, Guarded) else backend


@contextmanager
def staying() -> Iterator[None]:
    """In the body ``os._exit`` raises ``SystemExit``; in a process forked there it ends that one.

    What ends a process outside of Python is not held up.
    """
    if os._exit is not _LEAVE:
        yield
        return
    process = os.getpid()

    def stay(status: int) -> NoReturn:
        if os.getpid() != process:
            _LEAVE(status)
        raise SystemExit(f"os._exit({status})")

    os._exit = stay
    try:
        yield
    finally:
        os._exit = _LEAVE


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise ``TooSlowError`` in the body after so many seconds; a timer that ran goes on after."""
    alone = threading.current_thread() is threading.main_thread()
    if seconds is None or not alone or not hasattr(signal, "setitimer"):
        yield
        return

    start, handler = time.monotonic(), signal.signal(signal.SIGALRM, _ring)
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    except _Alarm:
        raise TooSlowError(f"took longer than {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        if left:
            rest = max(left - (time.monotonic() - start), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, rest, every)
