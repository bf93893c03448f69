"""Checkpoints inspected: what is stored against what the config says, and what dense weights give.

The config is read (``config``), modules are matched with schemes (``matching``, ``plan``), the
tensors of each are compared with those expected (``expected``, ``module``), their numbers checked
(``values``) and recomputed (``against``), and all of it told (``report``, ``page``).
"""

from .finding import NOTE, VIOLATION, Finding
from .inspect import Inspection, inspect_checkpoint
from .module import ModuleReport

__all__ = [
    "NOTE",
    "VIOLATION",
    "Finding",
    "Inspection",
    "ModuleReport",
    "inspect_checkpoint",
]
