"""Bit equality: same dtype, same shape, same bits; any NaN equals any NaN (SPEC section 10)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .bits import Array, bits_of, nan_mask

__all__ = ["KINDS", "Difference", "differing", "equal_bits", "find_difference"]

KINDS = ("bits", "dtype", "shape", "type", "keys", "mutated", "raised", "slow")


@dataclass(frozen=True, slots=True)
class Difference:
    """How an actual result differs from the expected one.

    Attributes:
        output: name of the output, such as ``"scale"``; empty if there is only one.
        reason: one of ``KINDS``; or ``"unsteady"``, where an answer did not last, see ``Calls``.
        detail: one line for the reader, where the reason is not ``"bits"``.
        index: of the first differing element, where the reason is ``"bits"``.
        count: differing elements.
        total: compared elements.
        declared: of what differed besides, how much each row of the backend declares.
    """

    output: str
    reason: str
    detail: str
    index: tuple[int, ...]
    count: int
    total: int
    declared: tuple[tuple[str, int], ...] = ()


def differing(expected: Array, actual: Array) -> npt.NDArray[np.bool_]:
    """Where two arrays of one dtype and shape differ in bits, NaN aside."""
    unequal = np.asarray(bits_of(expected) != bits_of(actual))
    if not unequal.any():
        return unequal
    both_nan = nan_mask(expected) & nan_mask(actual)
    return np.asarray(unequal & ~both_nan)


def equal_bits(expected: Array, actual: Array) -> bool:
    """Whether two arrays are equal in dtype, shape and bits."""
    return find_difference(expected, actual) is None


def find_difference(expected: Array, actual: object, output: str = "") -> Difference | None:
    """The difference between one expected array and what a backend returned, or None."""
    total = int(expected.size)
    if not isinstance(actual, np.ndarray) or isinstance(actual, np.ma.MaskedArray):
        detail = f"expected an array, actual {type(actual).__name__}"
        return Difference(output, "type", detail, (), total, total)
    if actual.dtype != expected.dtype:
        detail = f"expected dtype {_named(expected.dtype)}, actual {_named(actual.dtype)}"
        return Difference(output, "dtype", detail, (), total, total)
    if actual.shape != expected.shape:
        detail = f"expected shape {expected.shape}, actual {actual.shape}"
        return Difference(output, "shape", detail, (), total, total)
    where = differing(expected, actual)
    count = int(where.sum())
    if count == 0:
        return None
    first = tuple(int(i) for i in np.unravel_index(int(where.argmax()), where.shape))
    return Difference(output, "bits", "", first, count, total)


def _named(dtype: np.dtype) -> str:
    """``float32``, and ``>f4 (big-endian float32)`` where the bytes are not in this order."""
    if dtype.isnative:
        return dtype.name
    order = "big" if dtype.str.startswith(">") else "little"
    return f"{dtype.str} ({order}-endian {dtype.name})"
