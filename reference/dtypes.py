"""Names of dtypes, and which dtypes each field may have (SPEC sections 2 and 3)."""

from collections.abc import Collection
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

UINT8 = np.dtype(np.uint8)
INT8 = np.dtype(np.int8)
INT32 = np.dtype(np.int32)
FLOAT16 = np.dtype(np.float16)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
E4M3 = np.dtype(ml_dtypes.float8_e4m3fn)
E5M2 = np.dtype(ml_dtypes.float8_e5m2)
E2M1 = np.dtype(ml_dtypes.float4_e2m1fn)
E2M3 = np.dtype(ml_dtypes.float6_e2m3fn)
E3M2 = np.dtype(ml_dtypes.float6_e3m2fn)

WORKING_DTYPES = (FLOAT16, BFLOAT16, FLOAT32, FLOAT64)
SCALE_DTYPES = (*WORKING_DTYPES, E4M3, E5M2, UINT8)
ZP_DTYPES = (INT8, *SCALE_DTYPES)
CODE_DTYPES = (INT8, E4M3, E5M2, *WORKING_DTYPES)
ROUNDING_DTYPES = (*ZP_DTYPES, E2M1, E2M3, E3M2)


def as_dtype(value: object, field: str, allowed: Collection[np.dtype]) -> np.dtype:
    """A numpy or ml_dtypes dtype from a dtype or its name.

    Args:
        value: ``"bfloat16"``, ``"torch.bfloat16"``, a numpy dtype or scalar type, or a torch dtype.
        field: the name to blame in an error.
        allowed: the dtypes that the field may have.

    Raises:
        TypeError: if the value is no dtype and no string.
        ValueError: if the dtype is unknown or not allowed.
    """
    names = [d.name for d in allowed]
    if type(value).__module__ == "torch":
        value = str(value)
    if isinstance(value, str):
        by_name = {d.name: d for d in allowed}
        name = value.removeprefix("torch.")
        if name not in by_name:
            raise ValueError(f"{field}: {value!r} is not a dtype for it; allowed: {names}")
        return by_name[name]
    if not isinstance(value, (np.dtype, type)):
        raise TypeError(f"{field}: {value!r} is not a dtype; allowed: {names}")
    try:
        dtype = np.dtype(value)
    except TypeError:
        raise TypeError(f"{field}: {value!r} is not a dtype; allowed: {names}") from None
    if dtype not in allowed:
        raise ValueError(f"{field}: {_shown(dtype)!r} is not a dtype for it; allowed: {names}")
    return dtype


def as_array(value: object, field: str, allowed: Collection[np.dtype] = WORKING_DTYPES) -> Array:
    """A plain array of at least one dimension, of an allowed dtype; the data are not copied.

    Raises:
        TypeError: if the value is no array, or has a mask, or its dtype is not allowed.
    """
    masked = isinstance(value, np.ma.MaskedArray)
    if masked or not isinstance(value, (np.ndarray, np.generic)):
        raise TypeError(
            f"{field}: {type(value).__name__} is not a numpy array{' without a mask' * masked}; "
            f"allowed: an array of {[d.name for d in allowed]}"
        )
    if value.dtype not in allowed:
        raise TypeError(
            f"{field}: dtype {_shown(value.dtype)} is not allowed; "
            f"allowed: {[d.name for d in allowed]}"
        )
    return np.atleast_1d(np.asarray(value))


def promote(*dtypes: np.dtype) -> np.dtype:
    """The working dtype of an operation: the promotion that numpy and torch share.

    float16 with bfloat16 is float32; otherwise the wider of the two.
    """
    wide = max(dtypes, key=lambda d: d.itemsize)
    return FLOAT32 if wide.itemsize == 2 and len(set(dtypes)) > 1 else wide


def _shown(dtype: np.dtype) -> str:
    """The name of a dtype, which does not tell the byte order, and the order if it is not ours."""
    return dtype.name if dtype.isnative else f"{dtype.name} of foreign byte order"
