"""MXFP6 with three exponent bits, which upstream has no name for: values up to 28, by floor."""

from qparity.reference import FLOAT8_E8M0FNU, FloatFormat, FormatArgs

E3M2 = FloatFormat(exponent_bits=3, mantissa_bits=2)

ARGS = FormatArgs(code_format=E3M2, scale_format=FLOAT8_E8M0FNU, scale_rule="floor", group_size=32)
