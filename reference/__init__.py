"""The definition: quantization parameters, codes and checkpoints in numpy and ml_dtypes.

A value goes down once: formats -> rounding -> args and schemes -> layout -> qparams -> quantize
-> packing -> compress. Nothing here imports torch, or anything else of qparity.
"""

from .args import QuantizationArgs
from .compress import compress, decompress
from .format_args import SCALE_RULES, FormatArgs
from .formats import (
    FLOAT4_E2M1FN,
    FLOAT6_E2M3FN,
    FLOAT6_E3M2FN,
    FLOAT8_E4M3FN,
    FLOAT8_E5M2,
    FLOAT8_E8M0FNU,
    FORMATS,
    FloatFormat,
    IntFormat,
)
from .infer_format import infer_format
from .observe import compute_dynamic_scales_and_zp, memoryless_minmax, minmax, static_minmax
from .packing import (
    pack_fp4_to_uint8,
    pack_fp6_to_uint8,
    pack_to_int32,
    unpack_fp4_from_uint8,
    unpack_fp6_from_uint8,
    unpack_from_int32,
)
from .presets import PRESET_SCHEMES, preset_name_to_scheme
from .qparams import calculate_qparams, calculate_range, generate_gparam
from .quantize import dequantize, fake_quantize, quantize
from .rounding import round_to_quantized_type_args, round_to_quantized_type_dtype
from .schemes import QuantizationScheme

__all__ = [
    "FLOAT4_E2M1FN",
    "FLOAT6_E2M3FN",
    "FLOAT6_E3M2FN",
    "FLOAT8_E4M3FN",
    "FLOAT8_E5M2",
    "FLOAT8_E8M0FNU",
    "FORMATS",
    "PRESET_SCHEMES",
    "SCALE_RULES",
    "FloatFormat",
    "FormatArgs",
    "IntFormat",
    "QuantizationArgs",
    "QuantizationScheme",
    "calculate_qparams",
    "calculate_range",
    "compress",
    "compute_dynamic_scales_and_zp",
    "decompress",
    "dequantize",
    "fake_quantize",
    "generate_gparam",
    "infer_format",
    "memoryless_minmax",
    "minmax",
    "pack_fp4_to_uint8",
    "pack_fp6_to_uint8",
    "pack_to_int32",
    "preset_name_to_scheme",
    "quantize",
    "round_to_quantized_type_args",
    "round_to_quantized_type_dtype",
    "static_minmax",
    "unpack_fp4_from_uint8",
    "unpack_fp6_from_uint8",
    "unpack_from_int32",
]
