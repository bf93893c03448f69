"""Packed codes and stored scales to a weight, in one kernel; None for what it does not cover."""

from collections.abc import Mapping

import torch

from qparity.reference import QuantizationArgs, QuantizationScheme, infer_format

from ..torch_eager.compress import PACKED_FLOATS
from ..torch_eager.layout import GROUPS
from ..torch_eager.packing import sizes_of
from ..torch_eager.state_dict import zero_point_shape
from .apply import dequantize_stored
from .plan import TRITON_DTYPES
from .unpack import unpack_from_int32

_PLAIN = ("naive-quantized", "int-quantized", "float-quantized", "mxfp8-quantized")
_CODES = (torch.int8, torch.float8_e4m3fn)
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def decompress(
    state_dict: Mapping[str, torch.Tensor], scheme: QuantizationScheme, format: str | None = None
) -> dict[str, torch.Tensor] | None:
    """As ``torch_eager.decompress``."""
    args = scheme.weights
    if args is None or type(args) is not QuantizationArgs or "weight_g_idx" in state_dict:
        return None
    name = format or scheme.format or infer_format(scheme)
    stored, whole = state_dict.get("weight_scale"), state_dict.get("weight_global_scale")
    bits = PACKED_FLOATS.get(name)
    codes = state_dict.get("weight" if name in _PLAIN else "weight_packed")
    if codes is None or stored is None or codes.ndim < 2 or stored.ndim == 0:
        return None
    if whole is not None and (bits != 4 or whole.dtype not in TRITON_DTYPES):
        return None
    scale = _empty_or_given_scale(stored, args, name)
    if scale is None:
        return None
    loaded = None if scale is stored else scale
    result = {key: value for key, value in state_dict.items() if key != "weight_packed"}
    zero_point = state_dict.get("weight_zero_point")
    packed: tuple[int, ...] | None = None
    if bits is not None:
        zero_point = None
        found = (args.type, args.num_bits, codes.dtype, codes.ndim)
        if found != ("float", bits, torch.uint8, 2):
            return None
        packed = (codes.shape[0], codes.shape[1] * 8 // bits)
        codes = _as_words(codes)
    elif name == "pack-quantized":
        packed = _shape_of_codes(state_dict.get("weight_shape"), codes, stored, args)
        if packed is None or codes.dtype != torch.int32:
            return None
        codes = codes.contiguous()
        if not args.symmetric and args.strategy in ("group", "channel"):
            if zero_point is None:
                return None
            shape = zero_point_shape(packed, stored, args)
            zero_point = unpack_from_int32(zero_point, args.num_bits, shape, 0)
            if zero_point is None:
                return None
            result["weight_zero_point"] = zero_point
    elif name not in _PLAIN or codes.dtype not in _CODES:
        return None
    if codes is None:
        return None
    out = scale.dtype
    if args.strategy not in GROUPS and whole is not None:
        out = torch.promote_types(out, whole.dtype)
    weight = dequantize_stored(
        codes, stored, zero_point, args, out, whole, packed=packed, loaded_scale=loaded
    )
    return None if weight is None else result | {"weight": weight, "weight_scale": scale}


def _empty_or_given_scale(
    stored: torch.Tensor, args: QuantizationArgs, name: str
) -> torch.Tensor | None:
    """The scale as it is returned: the stored one, or in bfloat16, to be filled by the kernel."""
    if stored.dtype == (torch.uint8 if args.is_mx else torch.float8_e4m3fn):
        return torch.empty(stored.shape, dtype=torch.bfloat16, device=stored.device)
    keeps = stored.dtype in TRITON_DTYPES and not name.startswith("mx") and not args.is_mx
    return (
        stored if keeps and (name not in PACKED_FLOATS or stored.dtype == torch.bfloat16) else None
    )


def _shape_of_codes(
    shape: torch.Tensor | None, words: torch.Tensor, scale: torch.Tensor, args: QuantizationArgs
) -> tuple[int, ...] | None:
    """The shape of packed codes; of groups by the scales, without waiting for ``shape``.

    What ``shape`` tells is read, and has to be the same, where it is on the CPU. On a device it is
    not, but where one scale in a row may be of several groups, as there are words of so many.
    """
    if shape is None or shape.shape != (words.ndim,) or args.type != "int":
        return None
    if shape.dtype not in _INTEGERS:
        return None
    size = (args.group_size or 0) if args.strategy in GROUPS and scale.ndim == words.ndim else 0
    if size > 0 and (scale.shape[-1] > 1 or 2 * size * args.num_bits > 32 * words.shape[-1]):
        sizes = (*words.shape[:-1], scale.shape[-1] * size)
        if shape.is_cpu and tuple(shape.tolist()) != sizes:
            return None
    else:
        sizes = sizes_of(shape, "weight_shape")
    fits = words.shape == (*sizes[:-1], -(-sizes[-1] * args.num_bits // 32))
    return sizes if fits else None


def _as_words(packed: torch.Tensor) -> torch.Tensor | None:
    """Bytes whose rows are whole words, as int32 (rows, words); None of others, or if none."""
    if packed.numel() == 0 or packed.shape[1] % 4:
        return None
    packed = packed.contiguous()
    if packed.data_ptr() % 4:
        packed = packed.clone()
    return packed.view(torch.int32)
