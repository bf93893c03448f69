"""Differences that a backend declares, taken out of what is a failure and counted by row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..bits import Array
from ..compare import Difference, differing

__all__ = ["Declared", "DeclaredError", "without_declared"]

Where = bool | Array


@dataclass(frozen=True)
class Declared:
    """A way of a library to answer otherwise than the reference, by its own definition.

    Attributes:
        name: how reports name it, such as ``deviation 2``.
        says: the library's rule, in one line.
        where: of an operation, its inputs by name and what the reference answers: whether it may
            show in the whole answer, or at which elements.
        reason: the kind of difference that it is, ``""`` for any; see ``Difference``.
    """

    name: str
    says: str
    where: Callable[[str, Mapping[str, Any], Mapping[str, Array]], Where]
    reason: str = ""


class DeclaredError(Exception):
    """All that differs is declared.

    Attributes:
        counts: numbers that differ, by row.
        total: numbers compared.
    """

    def __init__(self, counts: Mapping[str, int], total: int) -> None:
        super().__init__("; ".join(counts))
        self.counts, self.total = dict(counts), total


def without_declared(
    op: str,
    inputs: Mapping[str, Any],
    expected: Mapping[str, Array],
    actual: Mapping[str, Any],
    difference: Difference,
    rows: Sequence[Declared],
) -> Difference:
    """A difference less the elements that rows declare.

    Raises:
        DeclaredError: if nothing is left.
    """
    left = _differing(expected, actual) if difference.reason in ("bits", "dtype", "shape") else None
    count, counts = difference.count, dict[str, int]()
    for row in rows:
        if row.reason and row.reason != difference.reason:
            continue
        with np.errstate(all="ignore"):
            where = row.where(op, inputs, expected)
        taken = _take(where, left, count)
        if taken:
            counts[row.name] = counts.get(row.name, 0) + taken
            count -= taken
        if not count:
            raise DeclaredError(counts, difference.total)
    return replace(difference, count=count, declared=tuple(counts.items()))


def _differing(expected: Mapping[str, Array], actual: Mapping[str, Any]) -> dict[str, Array] | None:
    """Where each output differs; None if they cannot be compared one by one."""
    found: dict[str, Array] = {}
    for name, array in expected.items():
        other = actual.get(name)
        if not isinstance(other, np.ndarray):
            return None
        if (other.dtype, other.shape) != (array.dtype, array.shape):
            return None
        found[name] = differing(array, other)
    return found


def _take(where: Where, left: dict[str, Array] | None, count: int) -> int:
    """How many of those that are left a row declares; they are left no more."""
    if isinstance(where, (bool, np.bool_)):
        return count if where else 0
    if left is None:
        return 0
    taken = 0
    for name, mask in left.items():
        if mask.shape == where.shape:
            taken += int((mask & where).sum())
            left[name] = mask & ~where
    return taken
