"""Pictures of formats and schemes, with matplotlib (the extra ``plots``), one file a picture.

Each function returns a figure; ``save`` writes it. Colours are those of Okabe and Ito, and no
picture needs them: markers, line styles and lightness say the same.
"""

from .backends import backends
from .canvas import save
from .histogram import histogram
from .number_line import number_line
from .relative_error import relative_error
from .scales import scales
from .schemes import schemes
from .staircase import staircase

__all__ = [
    "backends",
    "histogram",
    "number_line",
    "relative_error",
    "save",
    "scales",
    "schemes",
    "staircase",
]
