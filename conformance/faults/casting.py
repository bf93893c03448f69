"""Faults of the rounding to a dtype."""

from collections.abc import Callable

import ml_dtypes
import numpy as np

from qparity import reference

from ..bits import Array
from .arithmetic import BF16, F16, F32, F64, cast
from .fault import Fault
from .variant import Variant

_OPERATION = "round_to_quantized_type_dtype"
Change = Callable[[Array, np.dtype, Array], Array]


def _highest(dtype: np.dtype) -> float:
    return float(np.iinfo(dtype).max if dtype.kind in "iu" else ml_dtypes.finfo(dtype).max)


def _through(first: np.dtype) -> Change:
    def change(x: Array, dtype: np.dtype, rounded: Array) -> Array:
        if x.dtype == first or _highest(dtype) > _highest(first):
            return rounded
        through = cast(np.clip(x, -_highest(dtype), _highest(dtype)), first)
        return _rounded(through, dtype)

    return change


def _rounded(x: Array, dtype: np.dtype) -> Array:
    return reference.round_to_quantized_type_dtype(x, dtype, False)


def _not_saturated(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    if dtype.kind in "iu":
        return rounded
    over = np.abs(x.astype(F64)) > _highest(dtype)
    return np.where(over, dtype.type(np.nan), rounded)


def _wraps(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    if dtype.kind not in "iu":
        return rounded
    high = 2.0**30
    whole = np.rint(np.nan_to_num(np.clip(x.astype(F64), -high, high))).astype(np.int64)
    return whole.astype(dtype)


def _directly(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    """float64 to a narrow float with one rounding: by way of float32, rounded to odd."""
    if x.dtype != F64 or dtype.kind in "iu" or dtype.itemsize > 2:
        return rounded
    bounded = np.clip(x, -_highest(dtype), _highest(dtype))
    near = bounded.astype(F32)
    bits = near.view(np.uint32)
    inexact = near.astype(F64) != bounded
    above = np.abs(near.astype(F64)) > np.abs(bounded)
    odd = np.where(inexact, (bits - (inexact & above)) | 1, bits).astype(np.uint32)
    return np.where(np.isnan(x), rounded, odd.view(F32).astype(dtype))


def _half_away(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    if dtype.kind not in "iu":
        return rounded
    info = np.iinfo(dtype)
    z = np.clip(np.nan_to_num(x.astype(F64)), info.min, info.max)
    return np.asarray((np.sign(z) * np.floor(np.abs(z) + 0.5)).astype(dtype))


def _truncated(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    """Towards zero."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.trunc(np.clip(np.nan_to_num(x.astype(F64)), info.min, info.max)).astype(dtype)
    if dtype.itemsize > 2:
        return rounded
    raw = rounded.view(f"u{dtype.itemsize}")
    over = np.abs(rounded.astype(F64)) > np.abs(x.astype(F64))
    return np.asarray((raw - over.astype(raw.dtype)).view(dtype))


def _nan_is_one(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    return rounded if dtype.kind in "iu" else np.where(np.isnan(rounded), dtype.type(1), rounded)


def _nan_is_largest_integer(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    if dtype.kind not in "iu":
        return rounded
    return np.where(np.isnan(x), dtype.type(np.iinfo(dtype).max), rounded)


def _nan_payload(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    """float32 to bfloat16 on the bits, which carries a payload of ones into the sign."""
    if (x.dtype, dtype) != (F32, BF16):
        return rounded
    bits = x.view(np.uint32).astype(np.uint64)
    carried = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).view(BF16)
    return np.where(np.isnan(x), carried, rounded)


def _unsigned_zero(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    return np.where(rounded.astype(F32) == 0, dtype.type(0), rounded)


def _flushed(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    if dtype.kind in "iu":
        return rounded
    tiny = float(ml_dtypes.finfo(dtype).smallest_normal)
    return np.where(np.abs(rounded.astype(F64)) < tiny, dtype.type(0), rounded)


def _fnuz(x: Array, dtype: np.dtype, rounded: Array) -> Array:
    """e4m3 saturates at 240."""
    if dtype.name != "float8_e4m3fn":
        return rounded
    bounded = np.clip(x.astype(F32), -240, 240)
    return np.where(np.abs(x.astype(F64)) > 240, bounded.astype(dtype), rounded)


def _fault(name: str, description: str, change: Change) -> Fault:
    """Given x, the dtype and the rounded values in it, other values in it."""

    def operation(
        v: Variant, x: Array, dtype: np.dtype, cast_to_original_dtype: bool = True
    ) -> Array:
        x = np.ascontiguousarray(np.atleast_1d(x))
        found = change(x, dtype, _rounded(x, dtype))
        return cast(found, x.dtype) if cast_to_original_dtype else found

    return Fault(name, description, (_OPERATION,), {_OPERATION: operation})


def _never_cast_back(
    v: Variant, x: Array, dtype: np.dtype, cast_to_original_dtype: bool = True
) -> Array:
    return _rounded(x, dtype)


CASTING = (
    _fault("dtype_through_bfloat16", "rounded to bfloat16 first", _through(BF16)),
    _fault("dtype_through_float16", "rounded to float16 first", _through(F16)),
    _fault("dtype_directly", "float64 rounded once", _directly),
    _fault("dtype_not_saturated", "out of range is NaN", _not_saturated),
    _fault("dtype_wraps", "integers wrap", _wraps),
    _fault("dtype_fnuz", "e4m3 saturates at 240", _fnuz),
    _fault("dtype_half_away", "integer ties away from zero", _half_away),
    _fault("dtype_truncated", "towards zero", _truncated),
    _fault("dtype_flushed", "subnormal values are 0", _flushed),
    _fault("dtype_unsigned_zero", "-0 becomes +0", _unsigned_zero),
    _fault("dtype_nan_is_one", "NaN becomes 1", _nan_is_one),
    _fault("dtype_nan_is_largest", "NaN becomes the largest integer", _nan_is_largest_integer),
    _fault("dtype_nan_payload", "the payload of NaN is carried into the sign", _nan_payload),
    Fault(
        "dtype_not_cast_back",
        "always returned in the new dtype",
        (_OPERATION,),
        {_OPERATION: _never_cast_back},
    ),
)
