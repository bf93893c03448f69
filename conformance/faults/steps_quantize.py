"""Rounding, quantize, dequantize and fake_quantize in steps that a fault can replace."""

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import F32, Arithmetic, cast, promote, wide

GROUPED = ("group", "tensor_group")


class QuantizeSteps(Arithmetic):
    """SPEC section 7, one step a method."""

    def to_codes(self, y: Array, args: QuantizationArgs, low: float, high: float) -> Array:
        """Clamped and rounded, as floats."""
        return reference.round_to_quantized_type_args(y, args, low, high)

    def round_to_quantized_type_args(
        self,
        x: Array,
        args: QuantizationArgs,
        q_min: float,
        q_max: float,
        cast_to_original_dtype: bool = True,
    ) -> Array:
        """The codes of values."""
        codes = self.to_codes(np.atleast_1d(x), args, q_min, q_max)
        stays = cast_to_original_dtype or args.code_format != reference.FLOAT8_E4M3FN
        return codes if stays else cast(codes, args.code_format.dtype)

    def effective_scale(self, scale: Array, global_scale: Array | None) -> Array:
        """The scale over the global scale."""
        return scale if global_scale is None else self.divide(scale, np.atleast_1d(global_scale))

    def quotient(self, x: Array, s: Array) -> Array:
        """x / s."""
        return self.divide(x, s)

    def scaled(self, x: Array, s: Array, zero_point: Array | None) -> Array:
        """What is rounded to a code: x / s + zero_point."""
        y = self.quotient(x, s)
        return y if zero_point is None else self.add(y, cast(zero_point, x.dtype))

    def spread(self, value: Array, x: Array, args: QuantizationArgs, g_idx: Array | None) -> Array:
        """The value of every element of x."""
        value = np.atleast_1d(value)
        if args.strategy == "block" and args.block_structure is not None:
            rows, cols = args.block_structure
            counts = -(-x.shape[0] // rows), -(-x.shape[1] // cols)
            blocks = np.broadcast_to(value, counts)
            return blocks.repeat(rows, 0).repeat(cols, 1)[: x.shape[0], : x.shape[1]]
        if args.strategy not in GROUPED:
            while value.ndim > x.ndim:
                value = value[0]
            return np.broadcast_to(value, x.shape)
        size = args.group_size or 1
        if x.ndim == 1:
            value = value.reshape(-1)
        elif value.ndim == 1:
            value = value[:, None]
        if g_idx is not None and not (g_idx < 0).any():
            return self.of_groups(value, g_idx, x)
        groups = np.broadcast_to(value, (*x.shape[:-1], x.shape[-1] // size))
        return groups.repeat(size, -1)

    def of_groups(self, value: Array, g_idx: Array, x: Array) -> Array:
        """The value of every element where columns name their group."""
        return np.broadcast_to(np.take(value, g_idx, axis=-1), x.shape)

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
        y = self.scaled(x, s, zp)
        return self.to_codes(y, args, *reference.calculate_range(args)), working

    def values(self, codes: Array, s: Array, zero_point: Array | None) -> Array:
        """(codes - zero_point) * s, in the dtype of s."""
        values = cast(codes, s.dtype)
        if zero_point is not None:
            offset = cast(zero_point, s.dtype).astype(wide(s))
            values = cast(values.astype(wide(s)) - offset, s.dtype)
        return self.multiply(values, s)

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
            return cast(codes, dtype)
        return cast(codes, x.dtype if args.strategy in GROUPED else working)

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
        return cast(values, dtype or scale.dtype) if args.strategy in GROUPED else values

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
