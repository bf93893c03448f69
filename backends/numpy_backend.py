"""The reference itself, as a backend: the first thing that a judge must find equal."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qparity.reference import (
    calculate_qparams,
    calculate_range,
    compress,
    compute_dynamic_scales_and_zp,
    decompress,
    dequantize,
    fake_quantize,
    generate_gparam,
    memoryless_minmax,
    minmax,
    pack_fp4_to_uint8,
    pack_fp6_to_uint8,
    pack_to_int32,
    quantize,
    round_to_quantized_type_args,
    round_to_quantized_type_dtype,
    static_minmax,
    unpack_fp4_from_uint8,
    unpack_fp6_from_uint8,
    unpack_from_int32,
)

from .memory import copy_memory

__all__ = [
    "calculate_qparams",
    "calculate_range",
    "compress",
    "compute_dynamic_scales_and_zp",
    "decompress",
    "dequantize",
    "fake_quantize",
    "from_numpy",
    "generate_gparam",
    "memoryless_minmax",
    "minmax",
    "pack_fp4_to_uint8",
    "pack_fp6_to_uint8",
    "pack_to_int32",
    "quantize",
    "round_to_quantized_type_args",
    "round_to_quantized_type_dtype",
    "static_minmax",
    "to_numpy",
    "unpack_fp4_from_uint8",
    "unpack_fp6_from_uint8",
    "unpack_from_int32",
]


def from_numpy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy with the same bits, shape, dtype and strides."""
    memory, strides = copy_memory(array)
    in_bytes = tuple(step * array.itemsize for step in strides)
    return np.lib.stride_tricks.as_strided(memory, array.shape, in_bytes).view(array.dtype)


def to_numpy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A contiguous copy with the same bits, shape and dtype."""
    return np.array(array, order="C", copy=True)
