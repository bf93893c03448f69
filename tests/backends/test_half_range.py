"""The scales of bfloat16 ranges, which the kernels make by a product."""

import ml_dtypes
import numpy as np


def test_half_range_by_its_reciprocal() -> None:
    """Each bfloat16 times the reciprocal of half a range of 9 bits has the quotient's bits."""
    amax = np.arange(0x7F81, dtype=np.uint16).view(ml_dtypes.bfloat16).astype(np.float32)
    for half in (power * (1 + i / 256) for power in (0.5, 8.0, 256.0) for i in range(256)):
        with np.errstate(all="ignore"):
            quotient = (amax / np.float32(half)).astype(ml_dtypes.bfloat16)
            product = (amax * np.float32(1 / half)).astype(ml_dtypes.bfloat16)
        assert np.array_equal(quotient.view(np.uint16), product.view(np.uint16)), half
