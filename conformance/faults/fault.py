"""A fault: a name, what it does, where it shows, and the steps it replaces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .variant import Variant

__all__ = ["Fault"]


@dataclass(frozen=True)
class Fault:
    """A plausible mistake, as a small variation of the reference.

    Attributes:
        name: identifies it in reports.
        description: one line.
        operations: where it shows; the first is where it is blamed.
        steps: methods of ``Variant`` or operations, by name, that it replaces; each takes the
            variant first.
    """

    name: str
    description: str
    operations: tuple[str, ...]
    steps: Mapping[str, Callable[..., Any]]

    def backend(self) -> Variant:
        """A backend with this fault and no other."""
        made: Variant = type(self.name, (Variant,), dict(self.steps))()
        return made
