"""How a value becomes a code: every step of SPEC sections 5 to 8, with its bits and its rounding.

``trace`` computes the steps, ``lines_of`` and ``to_json`` show them, ``part_from`` asks a backend
where it takes another way.
"""

from .divergence import Divergence, Parting, part_from
from .render import lines_of, to_json
from .steps import Part, Rounding, Step, Trace
from .tensor import of_texts, of_weights
from .trace import trace

__all__ = [
    "Divergence",
    "Part",
    "Parting",
    "Rounding",
    "Step",
    "Trace",
    "lines_of",
    "of_texts",
    "of_weights",
    "part_from",
    "to_json",
    "trace",
]
