"""MX scales: powers of two, stored as E8M0 codes in uint8 (SPEC section 6)."""

import numpy as np

from .arithmetic import cast, quiet
from .dtypes import BFLOAT16, FLOAT64, UINT8, Array
from .formats import float_format
from .tables import tabulated

_E8M0_BIAS = 127
_E8M0_MAX = 254
_E8M0_SPECIAL = 255


def mx_scale(amax: Array, num_bits: int) -> Array:
    """The power-of-two scale of a range, in the dtype of ``amax``; an underflow gives 0."""
    return tabulated(_mx_scale, amax, num_bits)


def _mx_scale(amax: Array, num_bits: int) -> Array:
    """field = (bits + 2^(M-m-1)) >> M, code = clip(127 + field - B - offset, 0, 254).

    scale = 2^(code-127); zero and subnormal amax: code 0; inf: code 255; NaN: NaN.
    """
    working = float_format(amax.dtype.name)
    element_mantissa = 3 if num_bits == 6 else 1
    offset = 8 if num_bits == 8 else 2
    bits = amax.view(f"u{amax.dtype.itemsize}").astype(np.int64)
    half_way = 1 << (working.mantissa_bits - element_mantissa - 1)
    # up to the next power of two from 2^e * (2 - 2^-(m+1)) on
    field = (bits + half_way) >> working.mantissa_bits
    code = np.clip(_E8M0_BIAS + field - working.bias - offset, 0, _E8M0_MAX)
    code = np.where(field == 0, 0, np.where(np.isinf(amax), _E8M0_SPECIAL, code))
    # to the working dtype
    scale = cast(_power_of_two(code), amax.dtype)
    return np.where(np.isnan(amax), amax, scale)


@quiet
def mx_code(scale: Array) -> Array:
    """The stored code of a scale: its exponent + 127, at least 0; inf and NaN are 255.

    Raises:
        ValueError: if a scale is negative.
    """
    if (scale < scale.dtype.type(0)).any():
        raise ValueError(f"scale: {float(scale.min())} is not allowed in MX; allowed: >= 0")
    return tabulated(_mx_code, scale)


def _mx_code(scale: Array) -> Array:
    wide = scale.astype(FLOAT64)
    _, exponent = np.frexp(wide)
    code = np.where(wide == 0, 0, np.clip(exponent - 1 + _E8M0_BIAS, 0, _E8M0_MAX))
    return np.where(np.isfinite(wide), code, _E8M0_SPECIAL).astype(UINT8)


@quiet
def scale_of_mx_code(code: Array) -> Array:
    """The scale of a stored code in bfloat16, where all are exact; 255 is inf."""
    return cast(_power_of_two(code.astype(np.int64)), BFLOAT16)


def _power_of_two(code: Array) -> Array:
    exact = np.ldexp(FLOAT64.type(1), code - _E8M0_BIAS)
    return np.where(code == _E8M0_SPECIAL, FLOAT64.type(np.inf), exact)
