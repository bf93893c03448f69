"""The scales of bfloat16 ranges, which the kernels make by a product."""

import ml_dtypes
import numpy as np

from qparity.reference import FORMATS


def test_half_range_by_its_reciprocal() -> None:
    """Each bfloat16 times the reciprocal of half a range is the quotient, for every format."""
    amax = np.arange(0x7F81, dtype=np.uint16).view(ml_dtypes.bfloat16).astype(np.float32)
    for row in FORMATS.values():
        by_division = (amax / np.float32((row.max - row.min) / 2)).astype(ml_dtypes.bfloat16)
        with np.errstate(over="ignore"):
            product = amax * np.float32(2 / (row.max - row.min))
        by_product = product.astype(ml_dtypes.bfloat16)
        same = by_division.view(np.uint16) == by_product.view(np.uint16)
        assert same[:-1].all(), row.name
        assert np.isinf(by_product[-2]) or row.max > 1
