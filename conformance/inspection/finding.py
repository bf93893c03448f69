"""What an inspection says of one place in a checkpoint."""

from dataclasses import dataclass

import numpy as np

from ..bits import Array, bits_of, decimal

__all__ = ["NOTE", "VIOLATION", "Finding", "Tally", "at_first", "value_text"]

VIOLATION, NOTE = "VIOLATION", "NOTE"
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault by its name, and where it is.

    Attributes:
        id: the name of the kind of fault, such as ``"scale-nan"``.
        expected: what should have been there.
        module: the module, or "" for the config and the files.
        tensor: the full name of the tensor, or "".
        position: indices of the first element concerned, or None if all of it is.
        bits: what is there: the bits of that element and its value, a dtype, a shape, a text.
        count: how many elements are concerned; 0: it is not about elements.
        total: out of how many.
        hint: what may explain it, or "".
        severity: ``VIOLATION``, or ``NOTE`` for what is worth knowing and not wrong.
    """

    id: str
    expected: str
    module: str = ""
    tensor: str = ""
    position: tuple[int, ...] | None = None
    bits: str = ""
    count: int = 0
    total: int = 0
    hint: str = ""
    severity: str = VIOLATION

    @property
    def place(self) -> str:
        """The tensor with the position, else the module, else the config."""
        where = self.tensor or self.module or "config"
        return where if self.position is None else f"{where}{list(self.position)}".replace(" ", "")

    @property
    def line(self) -> str:
        """All of it in one line."""
        parts = [f"{self.severity} {self.id} {shown(self.place)}"]
        if self.bits:
            parts.append(f"is {shown(self.bits)}")
        parts.append(f"expected {shown(self.expected)}")
        if self.count:
            parts.append(f"{self.count:,} of {self.total:,} elements")
        if self.hint:
            parts.append(shown(self.hint))
        return "; ".join(parts)


@dataclass
class Tally:
    """What a tensor differs in: how often, and where first."""

    total: int = 0
    count: int = 0
    first: tuple[int, ...] | None = None
    bits: str = ""
    expected: str = ""

    def add(self, wrong: Array, stored: Array, expected: Array, start: int) -> None:
        """Count the wrong ones in a piece that begins at a row."""
        self.total += int(wrong.size)
        if not wrong.any():
            return
        self.count += int(wrong.sum())
        if self.first is None:
            place = at_first(wrong)
            self.first = (place[0] + start, *place[1:])
            self.bits, self.expected = value_text(stored[place]), value_text(expected[place])


def shown(text: str) -> str:
    """A text of a file of unknown origin: on one line, printable, of bounded length."""
    printable = text if text.isprintable() else ascii(text)[1:-1]
    half = _LONGEST // 2
    return printable if len(printable) <= _LONGEST else f"{printable[:half]}...{printable[-half:]}"


def value_text(value: np.generic) -> str:
    """One element: its bits in hexadecimal, and its value."""
    raw = int(bits_of(np.atleast_1d(np.asarray(value)))[0])
    return f"0x{raw:0{2 * value.dtype.itemsize}x} {decimal(value)}"


def at_first(wrong: Array) -> tuple[int, ...]:
    """The indices of the first true element."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
