"""The float formats that libraries have a dtype for: rows of data (SPEC section 2)."""

from collections.abc import Mapping
from types import MappingProxyType

import ml_dtypes
import numpy as np

__all__ = ["FLOAT_ROWS", "FloatRow"]

FloatRow = tuple[int, int, int, float, bool, bool]

_BFLOAT16_MAX, _FLOAT32_MAX, _FLOAT64_MAX = (
    float(ml_dtypes.finfo(dtype).max) for dtype in (ml_dtypes.bfloat16, np.float32, np.float64)
)
FLOAT_ROWS: Mapping[str, FloatRow] = MappingProxyType(
    {
        # name            e   m   bias  max           inf    nan
        "float4_e2m1fn": (2, 1, 1, 6.0, False, False),
        "float6_e2m3fn": (2, 3, 1, 7.5, False, False),
        "float6_e3m2fn": (3, 2, 3, 28.0, False, False),
        "float8_e4m3fn": (4, 3, 7, 448.0, False, True),
        "float8_e5m2": (5, 2, 15, 57344.0, True, True),
        "float16": (5, 10, 15, 65504.0, True, True),
        "bfloat16": (8, 7, 127, _BFLOAT16_MAX, True, True),
        "float32": (8, 23, 127, _FLOAT32_MAX, True, True),
        "float64": (11, 52, 1023, _FLOAT64_MAX, True, True),
    }
)
