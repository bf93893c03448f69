"""NVFP4 whose local scales have no sign, and give its bit to the exponent: up to 114688.

The range of UE5M3 reaches below the scales of most tensors; the global scale is kept all the same.
"""

from qparity.reference import FLOAT4_E2M1FN, FloatFormat, FormatArgs

UE5M3 = FloatFormat(exponent_bits=5, mantissa_bits=3, has_nan=True, signed=False)

ARGS = FormatArgs(
    code_format=FLOAT4_E2M1FN, scale_format=UE5M3, strategy="tensor_group", group_size=16
)
