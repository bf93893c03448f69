"""What an explanation is made of: steps, their roundings, the parts that share them."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array, decimal, hex_bits, hex_float, is_float


@dataclass(frozen=True, slots=True)
class Rounding:
    """An exact number, and what became of it.

    Attributes:
        exact: the number before.
        result: the number after; None if it is an infinity.
        below: the largest number of the target that is not above ``exact``.
        above: its neighbour above; ``below`` itself if ``exact`` is a number of the target.
        target: name of the format that it was rounded to.
        unit: one ulp, at the tie, of the dtype that it was rounded from.
        unit_of: name of that dtype.
        rule: ``"nearest"``, or the rule of a scale that goes to one side.
        tie_goes: where a tie goes by ``"nearest"``: ``"to even"``, or what else it does where
            there are no mantissa bits, or no subnormals.
    """

    exact: Fraction
    result: Fraction | None
    below: Fraction
    above: Fraction
    target: str
    unit: Fraction
    unit_of: str
    rule: str = "nearest"
    tie_goes: str = "to even"

    @property
    def is_exact(self) -> bool:
        """Whether nothing was rounded."""
        return self.exact == self.result

    @property
    def tie(self) -> Fraction:
        """The midpoint between the neighbours."""
        return (self.below + self.above) / 2

    @property
    def ulps(self) -> Fraction:
        """How far above the tie the exact number is, in ulps at the tie; negative is below."""
        return (self.exact - self.tie) / self.unit

    @property
    def nearest(self) -> bool:
        """Whether the result is the nearer neighbour; at a tie, one of the two."""
        if self.result is None or self.is_exact:
            return self.is_exact
        nearer = self.below if self.ulps < 0 else self.above
        return self.result == nearer or (self.ulps == 0 and self.result == self.below)


@dataclass(frozen=True, slots=True)
class Step:
    """One formula, evaluated.

    Attributes:
        name: of the result, as the other formulas call it.
        formula: what was evaluated.
        section: of the specification.
        value: the result.
        rounding: what was rounded; None where the result is no finite number, or nothing could be.
        note: what else happened, one line or nothing.
        code: bits of the result where they are not those of ``value``'s dtype: codes of a format.
        format: name of that format.
    """

    name: str
    formula: str
    section: int
    value: np.generic
    rounding: Rounding | None = None
    note: str = ""
    code: str = ""
    format: str = ""

    @property
    def decimal(self) -> str:
        """The shortest decimal that the dtype reads back."""
        return decimal(self.value)

    @property
    def hex_float(self) -> str:
        """As a C hexadecimal float; empty for integers."""
        return hex_float(self.value) if is_float(self.value.dtype) else ""

    @property
    def bits(self) -> str:
        """The bits in hexadecimal."""
        return self.code or hex_bits(self.value)

    @property
    def dtype(self) -> str:
        """The name of the dtype, or of the format of the code."""
        return self.format or self.value.dtype.name


@dataclass(frozen=True, slots=True)
class Part:
    """The steps of one thing: the tensor, a unit that shares a scale, or an element.

    Attributes:
        kind: ``"tensor"``, ``"unit"`` or ``"element"``.
        index: of the unit or element; empty for the tensor.
        title: what it is, for the reader.
        steps: in order.
    """

    kind: str
    index: tuple[int, ...]
    title: str
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """The step of a name.

        Raises:
            KeyError: if there is none.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Tensor:
    """The numbers to explain.

    Attributes:
        x: two-dimensional, of a working dtype.
        elements: the indices to explain.
        exact: what the elements were before they had a dtype, by index; may be empty.
        note: where the numbers are from, one line.
    """

    x: Array
    elements: tuple[tuple[int, int], ...]
    exact: tuple[Fraction | None, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The explanation of some elements of one tensor.

    Attributes:
        name: of the scheme, and of its side.
        args: of that side.
        tensor: the numbers.
        parts: the tensor, then each unit followed by its elements.
        note: what is not explained, and why; empty if nothing.
    """

    name: str
    args: QuantizationArgs
    tensor: Tensor
    parts: tuple[Part, ...]
    note: str = ""

    def part(self, kind: str, *index: int) -> Part:
        """The part of a kind and an index.

        Raises:
            KeyError: if there is none.
        """
        for part in self.parts:
            if (part.kind, part.index) == (kind, index):
                return part
        raise KeyError(kind, *index)
