"""Proofs by exhaustion: every bit pattern through an operation, in chunks, resumable.

A ``Sweep`` is data: an operation, how many inputs there are, and the function that makes a chunk
of them, an ordinary ``Case``. What differs is shrunk, written and reported as any other case.
"""

from .catalog import all_sweeps, chosen_sweeps
from .options import Sweeping, proofs
from .run import prove, run_sweeps
from .state import STATE_FOLDER
from .sweep import Sweep

__all__ = [
    "STATE_FOLDER",
    "Sweep",
    "Sweeping",
    "all_sweeps",
    "chosen_sweeps",
    "proofs",
    "prove",
    "run_sweeps",
]
