"""The dtypes of the safetensors format, by the tags of its headers."""

import ml_dtypes
import numpy as np

__all__ = ["BITS", "DTYPES"]

DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E8M0": np.dtype(np.uint8),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "F32": np.dtype("<f4"),
    "C64": np.dtype("<c8"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F64": np.dtype("<f8"),
}
"""Of each tag the dtype its bytes are read as; F8_E8M0 as its codes."""

BITS: dict[str, int] = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6} | {
    tag: 8 * dtype.itemsize for tag, dtype in DTYPES.items()
}
"""Of each tag the bits of an element; those of less than a byte have no dtype to be read as."""
