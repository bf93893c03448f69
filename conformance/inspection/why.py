"""What may explain codes that differ."""

import numpy as np

from ..bits import Array, bits_of, is_float

__all__ = ["why_codes"]


def why_codes(stored: Array, expected: Array, num_bits: int) -> str:
    """The one rule that makes all the stored codes of the expected ones, in words, or "".

    Args:
        stored: rows of codes: int8, float8, or the values of packed floats.
        expected: what they should be.
        num_bits: of the codes.
    """
    ours, theirs = bits_of(stored), bits_of(expected)
    rows, columns = ours.shape
    if columns % 2 == 0:
        swapped = theirs.reshape(rows, -1, 2)[:, :, ::-1].reshape(rows, columns)
        if np.array_equal(ours, swapped):
            return "each pair of columns is swapped, as of nibbles"
    if rows == columns and np.array_equal(ours, theirs.T):
        return "the codes are transposed"
    if np.array_equal(ours, theirs[::-1]):
        return "the rows are in reverse order"
    if is_float(stored.dtype):
        return ""
    distance = stored.astype(np.int16) - expected
    half = 1 << (num_bits - 1)
    if np.array_equal(stored, ((expected.astype(np.int16) & (2 * half - 1)) - half)):
        return "two's complement in place of an offset"
    return "all by one step: rounded otherwise" if np.abs(distance).max() == 1 else ""
