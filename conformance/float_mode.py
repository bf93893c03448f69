"""How this thread's processor rounds: what a library may change for all that runs after it."""

import ctypes
import sys

import numpy as np

__all__ = ["changed_mode", "restore_mode"]

_ONE = np.ones(64, np.float32)
_TINY = np.full(64, 1e-40, np.float32)
_HALF_ULP = np.full(64, 2.0**-24, np.float32)
_DEFAULT = -1


def changed_mode() -> str | None:
    """What differs from the default of IEEE 754 here; None if nothing does."""
    if not (_TINY * _ONE != 0).all():
        return "flushes subnormals to zero"
    nearest = (_ONE + _HALF_ULP == 1) & (_ONE + np.float32(1.5) * _HALF_ULP > 1)
    return None if nearest.all() else "does not round to nearest"


def restore_mode() -> None:
    """Set the default mode again, where the C library of this system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).fesetenv(ctypes.c_void_p(_DEFAULT))
