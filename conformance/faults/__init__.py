"""Plausible faults, each a small variation of the reference: what the judge must find."""

from .fault import Fault
from .packing import PACKING
from .parameters import PARAMETERS
from .quantizing import QUANTIZING
from .variant import Variant

__all__ = ["FAULTS", "Fault", "Variant"]

FAULTS: tuple[Fault, ...] = (*QUANTIZING, *PARAMETERS, *PACKING)
