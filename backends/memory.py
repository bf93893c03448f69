"""The memory under an array, copied: its bits as they are, and the strides to read it with."""

from typing import Any

import numpy as np
import numpy.typing as npt

_RAW = {1: np.uint8, 2: np.int16, 4: np.int32, 8: np.int64}


def copy_memory(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[int, ...]]:
    """The elements from the first to the last of ``array``, gaps included, and its strides.

    Args:
        array: any shape and strides; items of 1, 2, 4 or 8 bytes.

    Returns:
        A new 1-D array of uint8, int16, int32 or int64, and strides counted in items, such that
        reading the one with the other gives the bits of ``array``. Strides are those of ``array``,
        unless they are negative or no multiple of the item, or the data are misaligned: then those
        of a contiguous copy.

    Raises:
        TypeError: if the items have another size, or are not in the machine's byte order.
    """
    raw = _RAW.get(array.itemsize)
    if raw is None or array.dtype.hasobject or not array.dtype.isnative:
        raise TypeError(
            f"array: dtype {array.dtype} is not allowed; "
            f"allowed: items of {list(_RAW)} bytes in the machine's byte order"
        )
    steps = [divmod(stride, array.itemsize) for stride in array.strides]
    whole = all(step >= 0 and rest == 0 for step, rest in steps)
    if not array.flags.aligned or not whole:
        # the elements alone, in C order
        array = np.array(array, order="C", copy=True)
        steps = [divmod(stride, array.itemsize) for stride in array.strides]
    strides = tuple(step for step, _ in steps)
    if array.size == 0:
        return np.empty(0, raw), strides
    length = 1 + sum((n - 1) * step for n, step in zip(array.shape, strides, strict=True))
    span = np.lib.stride_tricks.as_strided(
        array.view(raw), (length,), (array.itemsize,), writeable=False
    )
    return span.copy(), strides
