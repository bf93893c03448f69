"""MXFP4 by the rule of the OCP specification: the scale is 2^(floor(log2(amax)) - 2).

Values between 6 and 8 times the scale are clipped to 6.
"""

from qparity.reference import FLOAT4_E2M1FN, FLOAT8_E8M0FNU, FormatArgs

ARGS = FormatArgs(
    code_format=FLOAT4_E2M1FN, scale_format=FLOAT8_E8M0FNU, scale_rule="floor", group_size=32
)
