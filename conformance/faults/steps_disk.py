"""Compress and decompress in steps that a fault can replace."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs, QuantizationScheme

from ..bits import Array
from .arithmetic import BF16
from .steps_quantize import QuantizeSteps

_PACKED_BITS = {"nvfp4-pack-quantized": 4, "mxfp4-pack-quantized": 4, "mxfp6-pack-quantized": 6}
_WORDS = "pack-quantized"
Tensors = dict[str, Array]


class DiskSteps(QuantizeSteps):
    """SPEC section 8 around the reference's own dict, one step a method."""

    pack_to_int32: Any
    unpack_from_int32: Any
    pack_fp4_to_uint8: Any
    unpack_fp4_from_uint8: Any
    pack_fp6_to_uint8: Any
    unpack_fp6_from_uint8: Any

    def compress(
        self,
        state_dict: Mapping[str, Array],
        scheme: QuantizationScheme,
        format: str | None = None,
    ) -> Tensors:
        """What a checkpoint holds, with the codes and the scale made here."""
        written: Tensors = dict(reference.compress(state_dict, scheme, format))
        args = scheme.weights
        if args is None:
            return written
        name = format or reference.infer_format(scheme)
        bits = _PACKED_BITS.get(name)
        codes = self.quantize(
            state_dict["weight"],
            state_dict["weight_scale"],
            None if bits else state_dict.get("weight_zero_point"),
            args,
            dtype=None if bits else args.code_format.dtype,
            g_idx=state_dict.get("weight_g_idx"),
            global_scale=state_dict.get("weight_global_scale"),
        )
        if bits == 4:
            written["weight_packed"] = self.pack_fp4_to_uint8(codes)
        elif bits == 6:
            written["weight_packed"] = self.pack_fp6_to_uint8(codes)
        elif name == _WORDS:
            written["weight_packed"] = self.pack_to_int32(codes, args.num_bits)
            if "weight_zero_point" in written and args.strategy in ("group", "channel"):
                zero_point = state_dict["weight_zero_point"]
                written["weight_zero_point"] = self.pack_to_int32(zero_point, args.num_bits, 0)
        else:
            written["weight"] = codes
        written["weight_scale"] = self.stored_scale(written["weight_scale"], args)
        return written

    def stored_scale(self, scale: Array, args: QuantizationArgs) -> Array:
        """The scale that the reference stores."""
        return scale

    def loaded_scale(self, scale: Array, args: QuantizationArgs) -> Array:
        """A stored scale as a number; what has 8 bits is read as bfloat16."""
        if not args.is_mx:
            return scale.astype(BF16) if scale.dtype.itemsize == 1 else scale
        return self.of_mx_code(scale.astype(np.int64))

    def of_mx_code(self, code: Array) -> Array:
        """2^(code - 127); 255 is inf."""
        return np.where(code == 255, np.inf, np.ldexp(1.0, code - 127)).astype(BF16)

    def decompress(
        self,
        state_dict: Mapping[str, Array],
        scheme: QuantizationScheme,
        format: str | None = None,
    ) -> Tensors:
        """Weights from a checkpoint, with the values and the scale made here."""
        made: Tensors = dict(reference.decompress(state_dict, scheme, format))
        args = scheme.weights
        if args is None:
            return made
        name = format or reference.infer_format(scheme)
        bits = _PACKED_BITS.get(name)
        scale = self.loaded_scale(state_dict["weight_scale"], args)
        if bits is not None:
            scale = scale.astype(BF16)
        zero_point = state_dict.get("weight_zero_point")
        if name == _WORDS:
            shape = tuple(int(n) for n in state_dict["weight_shape"])
            codes = self.unpack_from_int32(state_dict["weight_packed"], args.num_bits, shape)
            if zero_point is not None and zero_point.dtype == np.int32:
                rows = scale.shape if scale.ndim > 1 else (*shape[:-1], scale.shape[-1])
                zero_point = self.unpack_from_int32(zero_point, args.num_bits, rows, 0)
                made["weight_zero_point"] = zero_point
        elif bits is not None:
            packed, zero_point = state_dict["weight_packed"], None
            unpack = self.unpack_fp4_from_uint8 if bits == 4 else self.unpack_fp6_from_uint8
            codes = unpack(packed, packed.shape[0], packed.shape[-1] * 8 // bits)
        else:
            codes = state_dict["weight"]
        fp4 = "weight_global_scale" if bits == 4 else ""
        made["weight"] = self.dequantize(
            codes,
            scale,
            zero_point,
            args,
            g_idx=state_dict.get("weight_g_idx"),
            global_scale=state_dict.get(fp4),
        )
        made["weight_scale"] = scale
        return made
