"""Scale, zero-point and global scale of a range in steps that a fault can replace."""

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.reference import FloatFormat, FormatArgs, IntFormat, QuantizationArgs

from ..bits import Array
from .arithmetic import F32, F64, Arithmetic, cast, number, wide

Pair = tuple[Array, Array]
_OF_NVFP4 = 448.0 * 6.0
_SAFE = {"float8_e4m3fn": 0.125, "uint8": 1.0}


class QparamSteps(Arithmetic):
    """SPEC sections 5 and 6, one step a method."""

    def including_zero(self, lo: Array, hi: Array) -> Pair:
        """Zero is always representable."""
        zero = lo.dtype.type(0)
        return np.where(lo >= 0, zero, lo), np.where(hi <= 0, zero, hi)

    def linear_scale(self, lo: Array, hi: Array, args: QuantizationArgs) -> Array:
        """The scale of a range."""
        low, high = reference.calculate_range(args)
        if args.symmetric:
            amax = np.maximum(np.abs(lo), np.abs(hi))
            return self.divide(amax, number((high - low) / 2, lo.dtype))
        return self.divide(self.subtract(hi, lo), number(high - low, lo.dtype))

    def zero_point_of(self, lo: Array, hi: Array, scale: Array, args: QuantizationArgs) -> Array:
        """q_min - lo / scale, clamped; 0 where symmetric."""
        if args.symmetric:
            return np.zeros_like(lo)
        low, high = (number(bound, lo.dtype) for bound in reference.calculate_range(args))
        z = self.subtract(low, self.divide(lo, scale))
        return np.where(z < low, low, np.where(z > high, high, z))

    def with_global(
        self, scale: Array, global_scale: Array | None, args: QuantizationArgs
    ) -> Array:
        """The scale times the global scale."""
        return scale if global_scale is None else self.multiply(global_scale.reshape(1), scale)

    def rounded_scale(self, scale: Array, args: QuantizationArgs) -> Array:
        """The scale rounded to its dtype."""
        dtype = args.resolved_scale_dtype
        return scale if dtype is None else reference.round_to_quantized_type_dtype(scale, dtype)

    def smallest_scale(self, args: QuantizationArgs, working: np.dtype) -> Array:
        """What replaces a zero."""
        dtype = args.resolved_scale_dtype or working
        eps = _SAFE.get(dtype.name)
        found = number(float(ml_dtypes.finfo(dtype).eps) if eps is None else eps, working)
        return found if found[0] else number(float(ml_dtypes.finfo(working).eps), working)

    def stored_zero_point(self, zero_point: Array, args: QuantizationArgs) -> Array:
        """The zero-point in its dtype."""
        assert args.zp_dtype is not None
        return reference.round_to_quantized_type_dtype(zero_point, args.zp_dtype, False)

    def mx_exponent(self, amax: Array, args: QuantizationArgs) -> Array:
        """The exponent of a normal number, up from 2^e * (2 - 2^-(m+1)) on; amax is float64."""
        mantissa, exponent = np.frexp(amax)
        width = 3 if args.num_bits == 6 else 1
        return np.asarray(exponent - 1 + (mantissa >= 1 - 2.0 ** -(width + 2)))

    def mx_code(self, amax: Array, args: QuantizationArgs) -> Array:
        """The exponent code of a range: 0 for what is below the normal numbers, 255 for inf."""
        exact = amax.astype(F64)
        tiny = float(ml_dtypes.finfo(amax.dtype).smallest_normal)
        almost = 1 - 2.0 ** -(4 if args.num_bits == 6 else 2)
        normal = (exact >= tiny * almost) & np.isfinite(exact)
        plain = np.where(normal, np.maximum(exact, tiny), 1.0)
        offset = 8 if args.num_bits == 8 else 2
        code = self.mx_clip(self.mx_exponent(plain, args) + 127 - offset)
        return np.where(normal, code, np.where(np.isinf(exact), 255, 0))

    def mx_clip(self, code: Array) -> Array:
        """The codes that there are."""
        return np.clip(code, 0, 254)

    def mx_scale(self, amax: Array, args: QuantizationArgs) -> Array:
        """2^(code - 127)."""
        code = self.mx_code(amax, args)
        scale = np.where(code == 255, np.inf, np.ldexp(1.0, code - 127))
        return np.where(np.isnan(amax), amax, cast(scale, amax.dtype))

    def calculate_qparams(
        self,
        min_vals: Array,
        max_vals: Array,
        args: QuantizationArgs,
        global_scale: Array | None = None,
    ) -> Pair:
        """The scale and the zero-point of ranges; the reference's own where formats are given."""
        if isinstance(args, FormatArgs):
            return reference.calculate_qparams(min_vals, max_vals, args, global_scale)
        with np.errstate(all="ignore"):
            lo, hi = self.including_zero(np.atleast_1d(min_vals), np.atleast_1d(max_vals))
            if args.is_mx:
                scale = self.mx_scale(np.maximum(np.abs(lo), np.abs(hi)), args)
                zero_point = np.zeros_like(lo)
            else:
                scale = self.linear_scale(lo, hi, args)
                zero_point = self.zero_point_of(lo, hi, scale, args)
                scale = self.rounded_scale(self.with_global(scale, global_scale, args), args)
            scale = np.where(scale == 0, self.smallest_scale(args, scale.dtype), scale)
            return scale, self.stored_zero_point(zero_point, args)

    def gparam_quotient(self, steps: float, amax: Array) -> Array:
        """steps / amax: the rounded reciprocal times the steps."""
        reciprocal = cast(wide(amax).type(1) / amax.astype(wide(amax)), amax.dtype)
        return self.times_number(reciprocal, steps)

    def gparam_amax(self, lo: Array, hi: Array) -> Array:
        """The largest magnitude, at least the smallest normal number."""
        amax = np.maximum(np.abs(lo), np.abs(hi)).reshape(1)
        tiny = ml_dtypes.finfo(amax.dtype).smallest_normal
        return np.where(amax < tiny, tiny, amax)

    def gparam_finite(self, quotient: Array) -> Array:
        """What is no number becomes 1."""
        return np.where(np.isfinite(quotient), quotient, quotient.dtype.type(1))

    def generate_gparam(
        self,
        min_val: Array,
        max_val: Array,
        *,
        scale_data: FloatFormat | IntFormat = reference.FLOAT8_E4M3FN,
        quant_data: FloatFormat | IntFormat = reference.FLOAT4_E2M1FN,
    ) -> Array:
        """The global scale of a tensor."""
        with np.errstate(all="ignore"):
            lo, hi = self.including_zero(np.atleast_1d(min_val), np.atleast_1d(max_val))
            steps = scale_data.max * quant_data.max
            return cast(
                self.gparam_finite(self.gparam_quotient(steps, self.gparam_amax(lo, hi))), F32
            )
