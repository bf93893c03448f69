"""A fault: a name, what it does, where it shows, and the steps it replaces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .variant import Variant, exact

__all__ = ["Fault", "changing"]

Step = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """A plausible mistake, as a small variation of the reference.

    Attributes:
        name: identifies it in reports.
        description: one line.
        operations: where it shows.
        steps: methods of ``Variant`` or operations, by name, that it replaces; each takes the
            variant first.
    """

    name: str
    description: str
    operations: tuple[str, ...]
    steps: Mapping[str, Step]

    def backend(self) -> Variant:
        """A new backend with this fault and no other."""
        made: Variant = type(self.name, (Variant,), dict(self.steps))()
        return made


def changing(change: Callable[[Any], Any], *names: str) -> dict[str, Step]:
    """Operations whose result is changed."""

    def changed(name: str) -> Step:
        return lambda v, *a, **k: change(exact(v, name)(*a, **k))

    return {name: changed(name) for name in names}
