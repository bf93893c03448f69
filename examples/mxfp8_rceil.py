"""MXFP8 by NVIDIA's rule: the scale is amax / 448, rounded up to a power of two.

Nothing is clipped, and the largest value uses the upper half of the codes.
"""

from qparity.reference import FLOAT8_E4M3FN, FLOAT8_E8M0FNU, FormatArgs

ARGS = FormatArgs(
    code_format=FLOAT8_E4M3FN, scale_format=FLOAT8_E8M0FNU, scale_rule="rceil", group_size=32
)
