"""MXINT8: the OCP specification's integers have a step of 2^-6, those of int8 a step of 1.

So the scale is 2^-6 of the specification's, for the same stored byte: its bias is 127 + 6.
"""

from qparity.reference import FloatFormat, FormatArgs

E8M0 = FloatFormat(
    exponent_bits=8, bias=127 + 6, has_nan=True, signed=False, has_zero=False, has_subnormals=False
)

ARGS = FormatArgs(code_format="int8", scale_format=E8M0, scale_rule="floor", group_size=32)
