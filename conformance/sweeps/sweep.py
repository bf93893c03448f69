"""A sweep: every input of a finite set, numbered from 0 and cut into chunks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..bits import Array
from ..case import Case, Outputs

__all__ = ["Sweep", "inputs_of", "patterns"]

_COUNTED = ("x", "x_q", "value")


@dataclass(frozen=True)
class Sweep:
    """An operation over all of its inputs of one kind.

    Attributes:
        op: name of the operation.
        name: what is swept, unique within the operation.
        total: how many inputs there are.
        per_chunk: how many of them a chunk has; the last one may have fewer.
        make: the case of the inputs from ``start`` up to, not with, ``stop``.
        code_format: ``"int4"``, ``"fp8"`` and so on where the operation takes args, else empty.
        compute_dtype: name of the ``compute_dtype`` that is asked for, else empty.
    """

    op: str
    name: str
    total: int
    per_chunk: int
    make: Callable[[int, int], Case]
    code_format: str = ""
    compute_dtype: str = ""

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.total // self.per_chunk)

    def bounds(self, index: int) -> tuple[int, int]:
        """The first input of a chunk, and the one after its last."""
        start = index * self.per_chunk
        return start, min(start + self.per_chunk, self.total)

    def inputs_in(self, index: int) -> int:
        """How many inputs a chunk has."""
        start, stop = self.bounds(index)
        return stop - start

    def make_chunk(self, index: int) -> Case:
        """The case of one chunk.

        Raises:
            IndexError: if there is no such chunk.
        """
        if not 0 <= index < self.chunks:
            raise IndexError(f"index: {index} is not allowed; allowed: 0 to {self.chunks - 1}")
        return self.make(*self.bounds(index))


def patterns(dtype: np.dtype, start: int, stop: int) -> Array:
    """The numbers of ``dtype`` whose bits are ``start`` up to, not with, ``stop``; 1-D."""
    uint = np.dtype(f"u{dtype.itemsize}")
    bits: Array = np.arange(stop - start, dtype=uint) + uint.type(start)
    return bits.view(dtype)


def inputs_of(case: Case, expected: Outputs) -> int:
    """How many inputs of its sweep a case holds: elements quantized, packed or unpacked."""
    for name in _COUNTED:
        if name in case.inputs:
            return int(case.inputs[name].size)
    return sum(int(array.size) for array in expected.values())
