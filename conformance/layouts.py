"""The same values at other addresses: strides, offsets, orders (SPEC section 4)."""

import numpy as np

from .bits import Array

LAYOUTS = ("contiguous", "transposed", "every_second", "offset", "reversed", "broadcast")


def with_layout(array: Array, layout: str) -> Array:
    """An array equal in shape, dtype and bits, laid out in memory in another way.

    Args:
        array: any array; 0-D and empty ones come back contiguous.
        layout: one of ``LAYOUTS``. ``broadcast`` has stride 0 along the first axis, which needs
            equal rows: it applies to arrays whose first axis is 1, others come back contiguous.

    Raises:
        ValueError: if the layout is unknown.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: {layout!r} is not allowed; allowed: {list(LAYOUTS)}")
    if array.ndim == 0 or array.size == 0 or layout == "contiguous":
        return np.ascontiguousarray(array).reshape(array.shape)
    if layout == "transposed":
        return np.ascontiguousarray(array.T).T
    if layout == "every_second":
        spread = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        spread[..., ::2] = array
        return spread[..., ::2]
    if layout == "offset":
        padded = np.zeros((*array.shape[:-1], array.shape[-1] + 3), array.dtype)
        padded[..., 3:] = array
        return padded[..., 3:]
    if layout == "reversed":
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    return np.broadcast_to(array[0], array.shape) if array.shape[0] == 1 else array.copy()


def with_strides(array: Array, strides: tuple[int, ...]) -> Array:
    """An array of the same bits with the given strides in bytes, which may be negative.

    Strides that make elements overlap, or that are no multiples of the item, cannot be written:
    then the array comes back contiguous.
    """
    steps = [abs(stride) for stride in strides]
    whole = len(steps) == array.ndim and all(s % array.itemsize == 0 for s in steps)
    reach = 0
    for n, stride in sorted(zip(array.shape, steps, strict=False), key=lambda pair: pair[1]):
        whole = whole and (n == 1 or stride > reach)
        reach += (n - 1) * stride
    if array.size == 0 or not whole:
        return np.ascontiguousarray(array).reshape(array.shape)
    memory = np.zeros(reach // array.itemsize + 1, f"u{array.itemsize}")
    flip = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in strides)
    written = np.lib.stride_tricks.as_strided(memory, array.shape, steps)[flip]
    written[...] = array.view(f"u{array.itemsize}") if array.ndim else array
    return np.asarray(written.view(array.dtype))
