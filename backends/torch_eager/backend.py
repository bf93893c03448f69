"""The torch backend: the functions of this folder, and a device to bring arrays to."""

from .compress import compress, decompress
from .device import TorchDevice
from .observe import compute_dynamic_scales_and_zp, memoryless_minmax, minmax, static_minmax
from .packing import (
    pack_fp4_to_uint8,
    pack_fp6_to_uint8,
    pack_to_int32,
    unpack_fp4_from_uint8,
    unpack_fp6_from_uint8,
    unpack_from_int32,
)
from .qparams import calculate_qparams, calculate_range, generate_gparam
from .quantize import dequantize, fake_quantize, quantize
from .rounding import round_to_quantized_type_args, round_to_quantized_type_dtype


class TorchBackend(TorchDevice):
    """All functions of ``qparity.reference`` on eager torch tensors.

    The functions follow their tensors' device; the backend's own is where ``from_numpy`` brings
    arrays. They run without autograd, and do not change their arguments.

    Args:
        device: ``"cpu"`` or ``"cuda"``, or such a ``torch.device``, with or without an index.

    Raises:
        ValueError: if the device is of another kind, or there is none.

    >>> import numpy as np
    >>> backend = TorchBackend("cpu")
    >>> backend.to_numpy(backend.round_to_quantized_type_dtype(
    ...     backend.from_numpy(np.float32([0.3, 500.0])), "float8_e4m3fn"))
    array([3.125e-01, 4.480e+02], dtype=float32)
    """

    calculate_qparams = staticmethod(calculate_qparams)
    calculate_range = staticmethod(calculate_range)
    compress = staticmethod(compress)
    compute_dynamic_scales_and_zp = staticmethod(compute_dynamic_scales_and_zp)
    decompress = staticmethod(decompress)
    dequantize = staticmethod(dequantize)
    fake_quantize = staticmethod(fake_quantize)
    generate_gparam = staticmethod(generate_gparam)
    memoryless_minmax = staticmethod(memoryless_minmax)
    minmax = staticmethod(minmax)
    pack_fp4_to_uint8 = staticmethod(pack_fp4_to_uint8)
    pack_fp6_to_uint8 = staticmethod(pack_fp6_to_uint8)
    pack_to_int32 = staticmethod(pack_to_int32)
    quantize = staticmethod(quantize)
    round_to_quantized_type_args = staticmethod(round_to_quantized_type_args)
    round_to_quantized_type_dtype = staticmethod(round_to_quantized_type_dtype)
    static_minmax = staticmethod(static_minmax)
    unpack_fp4_from_uint8 = staticmethod(unpack_fp4_from_uint8)
    unpack_fp6_from_uint8 = staticmethod(unpack_fp6_from_uint8)
    unpack_from_int32 = staticmethod(unpack_from_int32)
