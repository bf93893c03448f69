"""A second, naive way to every operation, in steps that a fault can replace one at a time.

Without a replacement it returns the bits of the reference, which the self-test checks first.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from qparity import reference

from ..bits import Array
from ..layouts import with_strides
from .steps_disk import DiskSteps
from .steps_observe import ObserveSteps

__all__ = ["Variant", "exact"]


class Variant(DiskSteps, ObserveSteps):
    """A backend of numpy arrays; operations that have no steps are the reference's own."""

    def __getattr__(self, name: str) -> Any:
        """The reference's operation."""
        if name not in reference.__all__:
            raise AttributeError(name)
        return getattr(reference, name)

    def from_numpy(self, array: Array) -> Array:
        """A copy of the same strides."""
        return with_strides(array, array.strides) if array.ndim else array.copy()

    def to_numpy(self, array: Array) -> Array:
        """The array itself."""
        return array


def exact(v: Variant, name: str) -> Callable[..., Any]:
    """An operation, or a step, as it is without the fault."""
    without = getattr(Variant, name, None)
    return getattr(reference, name) if without is None else partial(without, v)
