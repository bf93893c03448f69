"""Plausible faults, each a small variation of the reference: what the judge must find."""

from collections.abc import Mapping

from .casting import CASTING
from .codes import CODES
from .division import DIVISION
from .extents import EXTENTS
from .fault import Fault
from .global_scales import GLOBAL_SCALES
from .hostile import HOSTILE
from .layout import LAYOUT
from .mx import MX
from .observing import OBSERVING
from .on_disk import ON_DISK
from .packing import PACKING
from .qparam_zero_points import QPARAM_ZERO_POINTS
from .rounding import ROUNDING
from .scales import SCALES
from .unpacking import UNPACKING
from .unsteady import UNSTEADY
from .variant import Variant
from .zero_points import ZERO_POINTS

__all__ = ["FAULTS", "TOPICS", "Fault", "Variant"]

TOPICS: Mapping[str, tuple[Fault, ...]] = {
    "Division": DIVISION,
    "Rounding to a code": ROUNDING,
    "Edges of the codes": CODES,
    "Zero-points in use": ZERO_POINTS,
    "Which elements share a scale": LAYOUT,
    "Global scales": GLOBAL_SCALES,
    "Scales of ranges": SCALES,
    "Zero-points of ranges": QPARAM_ZERO_POINTS,
    "MX scales": MX,
    "Ranges of tensors": OBSERVING,
    "Rounding to a dtype": CASTING,
    "Packing": PACKING,
    "Unpacking": UNPACKING,
    "Checkpoints": ON_DISK,
    "Size, position and time": UNSTEADY,
    "Beyond the first tile": EXTENTS,
    "Manners": HOSTILE,
}
FAULTS: tuple[Fault, ...] = tuple(fault for topic in TOPICS.values() for fault in topic)
