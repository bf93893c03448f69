"""FP4 in groups of 32 with scales in bfloat16: one level, 4.5 bits a weight."""

from qparity.reference import FLOAT4_E2M1FN, FormatArgs

ARGS = FormatArgs(code_format=FLOAT4_E2M1FN, scale_dtype="bfloat16", group_size=32)
