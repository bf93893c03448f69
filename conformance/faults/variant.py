"""A second, naive way to every operation, in steps that a fault can replace one at a time.

Without a replacement it returns the bits of the reference, which the self-test checks first.
"""

from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs, QuantizationScheme

from ..bits import Array

F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)
GROUPED = ("group", "tensor_group")
_PACKED_BITS = {"nvfp4-pack-quantized": 4, "mxfp4-pack-quantized": 4, "mxfp6-pack-quantized": 6}


def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """The working dtype of two."""
    if a == b:
        return a
    return F32 if a.itemsize == b.itemsize == 2 else max(a, b, key=lambda d: d.itemsize)


def wide(a: Array, b: Array) -> np.dtype:
    """The dtype an operation on two arrays is evaluated in."""
    return F64 if F64 in (a.dtype, b.dtype) else F32


def cast(x: Array, dtype: np.dtype) -> Array:
    """One rounding; float64 reaches 8 and 16 bits by way of float32."""
    if x.dtype == F64 and dtype.itemsize < 4:
        x = x.astype(F32)
    return np.asarray(x.astype(dtype))


class Variant:
    """A backend of numpy arrays; operations that are not here are the reference's own."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any operation
        """The reference's operation."""
        if name not in reference.__all__:
            raise AttributeError(name)
        return getattr(reference, name)

    def from_numpy(self, array: Array) -> Array:
        """A copy."""
        return np.array(array, copy=True, order="K")

    def to_numpy(self, array: Array) -> Array:
        """The array itself."""
        return array

    # Elementary operations

    def divide(self, a: Array, b: Array) -> Array:
        """One rounding to the working dtype."""
        dtype = wide(a, b)
        return cast(a.astype(dtype) / b.astype(dtype), promote(a.dtype, b.dtype))

    def add(self, a: Array, b: Array) -> Array:
        """One rounding to the working dtype."""
        dtype = wide(a, b)
        return cast(a.astype(dtype) + b.astype(dtype), promote(a.dtype, b.dtype))

    def multiply(self, a: Array, b: Array) -> Array:
        """One rounding to the working dtype."""
        dtype = wide(a, b)
        return cast(a.astype(dtype) * b.astype(dtype), promote(a.dtype, b.dtype))

    # Quantize

    def effective_scale(self, scale: Array, global_scale: Array | None) -> Array:
        """The scale over the global scale."""
        return scale if global_scale is None else self.divide(scale, np.atleast_1d(global_scale))

    def scaled(self, x: Array, s: Array, zero_point: Array | None) -> Array:
        """What is rounded to a code: x / s + zero_point."""
        y = self.divide(x, s)
        return y if zero_point is None else self.add(y, self.offset(zero_point, x.dtype))

    def offset(self, zero_point: Array, dtype: np.dtype) -> Array:
        """The zero-point as an operand."""
        return cast(zero_point, dtype)

    def to_codes(self, y: Array, args: QuantizationArgs) -> Array:
        """Clamped and rounded, as floats."""
        return reference.round_to_quantized_type_args(y, args, *reference.calculate_range(args))

    def spread(self, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None) -> Array:
        """The value of every element of x."""
        value = np.atleast_1d(value)
        if args.strategy == "block" and args.block_structure is not None:
            rows, cols = args.block_structure
            return value.repeat(rows, 0).repeat(cols, 1)[: x.shape[0], : x.shape[1]]
        if args.strategy not in GROUPED:
            while value.ndim > x.ndim:
                value = value[0]
            return np.broadcast_to(value, x.shape)
        size = args.group_size or 1
        if x.ndim == 1:
            value = value.reshape(-1)
        elif value.ndim == 1:
            value = value[:, None]
        groups = np.broadcast_to(value, (*x.shape[:-1], x.shape[-1] // size))
        if g_idx is not None and not (g_idx < 0).any():
            return self.of_groups(value, g_idx, x)
        return groups.repeat(size, -1)

    def of_groups(self, value: Array, g_idx: Array, x: Array) -> Array:
        """The value of every element where columns name their group."""
        return np.broadcast_to(np.take(value, g_idx, axis=-1), x.shape)

    def quantize(
        self,
        x: Array,
        scale: Array,
        zero_point: Array | None,
        args: QuantizationArgs,
        *,
        dtype: np.dtype | None = None,
        g_idx: Array | None = None,
        global_scale: Array | None = None,
        compute_dtype: np.dtype | None = None,
    ) -> Array:
        """The codes of x."""
        x = np.atleast_1d(x)
        codes, working = self.codes(x, scale, zero_point, args, g_idx, global_scale, compute_dtype)
        if dtype is not None:
            return self.stored(codes, dtype)
        return cast(codes, x.dtype if args.strategy in GROUPED else working)

    def stored(self, codes: Array, dtype: np.dtype) -> Array:
        """Codes in the dtype they are stored in."""
        return cast(codes, dtype)

    def codes(
        self,
        x: Array,
        scale: Array,
        zero_point: Array | None,
        args: QuantizationArgs,
        g_idx: Array | None,
        global_scale: Array | None,
        compute_dtype: np.dtype | None,
    ) -> tuple[Array, np.dtype]:
        """The codes as floats, and the working dtype."""
        working = promote(x.dtype, scale.dtype)
        if global_scale is not None:
            working = promote(x.dtype, promote(scale.dtype, global_scale.dtype))
        if compute_dtype is not None:
            x, scale = cast(x, F32), cast(scale, F32)
            zero_point = None if zero_point is None else cast(zero_point, F32)
            global_scale = None if global_scale is None else cast(global_scale, F32)
        s = self.spread(self.effective_scale(np.atleast_1d(scale), global_scale), x, args, g_idx)
        zp = None if zero_point is None else self.spread(zero_point, x, args, g_idx)
        return self.to_codes(self.scaled(x, s, zp), args), working

    def values(self, codes: Array, s: Array, zero_point: Array | None) -> Array:
        """(codes - zero_point) * s, in the dtype of s."""
        values = cast(codes, s.dtype)
        if zero_point is not None:
            offset = cast(zero_point, s.dtype).astype(wide(s, s))
            values = cast(values.astype(wide(s, s)) - offset, s.dtype)
        return self.multiply(values, s)

    def dequantize(
        self,
        x_q: Array,
        scale: Array,
        zero_point: Array | None = None,
        args: QuantizationArgs | None = None,
        *,
        dtype: np.dtype | None = None,
        g_idx: Array | None = None,
        global_scale: Array | None = None,
    ) -> Array:
        """The values of codes."""
        assert args is not None
        x_q = np.atleast_1d(x_q)
        s = self.spread(self.effective_scale(np.atleast_1d(scale), global_scale), x_q, args, g_idx)
        zp = None if zero_point is None else self.spread(zero_point, x_q, args, g_idx)
        values = self.values(x_q, s, zp)
        grouped = args.strategy in GROUPED
        return cast(values, dtype or scale.dtype) if grouped else values

    def fake_quantize(
        self,
        x: Array,
        scale: Array,
        zero_point: Array | None,
        args: QuantizationArgs,
        *,
        g_idx: Array | None = None,
        global_scale: Array | None = None,
        compute_dtype: np.dtype | None = None,
    ) -> Array:
        """Both."""
        x = np.atleast_1d(x)
        codes, working = self.codes(x, scale, zero_point, args, g_idx, global_scale, compute_dtype)
        s = self.spread(self.effective_scale(np.atleast_1d(scale), global_scale), x, args, g_idx)
        zp = None if zero_point is None else self.spread(zero_point, x, args, g_idx)
        values = self.values(cast(codes, working), s, zp)
        return cast(values, x.dtype) if args.strategy in GROUPED else values

    # Compress

    def compress(
        self, state_dict: dict[str, Array], scheme: QuantizationScheme, format: str | None = None
    ) -> dict[str, Array]:
        """The reference's dict, with the codes and the scale made here."""
        written: dict[str, Array] = dict(reference.compress(state_dict, scheme, format))
        args = scheme.weights
        if args is None:
            return written
        name = reference.infer_format(scheme)
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
        elif name == "pack-quantized":
            written["weight_packed"] = self.pack_to_int32(codes, args.num_bits)
        else:
            written["weight"] = codes
        written["weight_scale"] = self.stored_scale(written["weight_scale"], args)
        return written

    def stored_scale(self, scale: Array, args: QuantizationArgs) -> Array:
        """The scale that the reference stores."""
        del args
        return scale
