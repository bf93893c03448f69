"""A law: what every scheme obeys, whoever computes it; and what one is checked on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from qparity.reference import FormatArgs, IntFormat, QuantizationArgs

from ..bits import Array
from ..quantized import WORKING
from .ask import Ask

__all__ = ["Law", "Sample", "Violation"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Inputs of one check, small enough to be shrunk.

    Attributes:
        args: the scheme's args.
        arrays: by name. The first of ``x``, ``min_vals`` and ``codes`` is cut and zeroed when
            shrunk; ``scale``, ``zero_point`` and ``max_vals`` are cut along with it.
        seed: of the choices that a check makes, such as permutations.
        power: the exponent of the power of two that a check scales by.
    """

    args: QuantizationArgs
    arrays: Mapping[str, Array]
    seed: int = 0
    power: int = 0

    def having(self, **arrays: Array) -> "Sample":
        """The same sample with some arrays changed."""
        return replace(self, arrays={**self.arrays, **arrays})

    @property
    def rng(self) -> np.random.Generator:
        """The same choices at every call."""
        return np.random.default_rng(self.seed)

    @property
    def whole(self) -> dict[str, Array]:
        """``global_scale``, as an argument, if there is one."""
        return {key: self.arrays[key] for key in ("global_scale",) if key in self.arrays}

    @property
    def scales(self) -> dict[str, Array | None]:
        """``scale``, ``zero_point`` and ``global_scale`` as arguments."""
        zero_point = self.arrays.get("zero_point")
        return {"scale": self.arrays["scale"], "zero_point": zero_point, **self.whole}


@dataclass(frozen=True, slots=True)
class Violation:
    """How a law is broken.

    Attributes:
        detail: one line.
        numbers: what was found, by name; shown with bits.
        raised: whether the backend raised.
        slow: whether it took too long.
    """

    detail: str
    numbers: Mapping[str, Array] = field(default_factory=dict)
    raised: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Law:
    """A law that needs no oracle.

    Attributes:
        name: identifies it.
        statement: one sentence.
        inputs: the inputs it is stated for; the sampler makes no others.
        outside: why args and a dtype are outside of its domain; empty if they are inside.
        sample: makes inputs.
        check: the violation, or None.
        dtypes: of the tensors that it is checked on; one alone where the law has no tensors.
    """

    name: str
    statement: str
    inputs: str
    outside: Callable[[QuantizationArgs, np.dtype], str]
    sample: Callable[[np.random.Generator, QuantizationArgs, np.dtype], Sample]
    check: Callable[[Ask, Sample], Violation | None]
    dtypes: tuple[np.dtype, ...] = WORKING

    def outside_of(self, args: QuantizationArgs, dtype: np.dtype) -> str:
        """Why args and a dtype are outside of the domain of this law, or of every law."""
        return _too_wide(args, dtype) or self.outside(args, dtype)


def _too_wide(args: QuantizationArgs, dtype: np.dtype) -> str:
    """Formats of one's own whose values, at the scales of samples, float16 has no normals for."""
    row = args.code_format
    smallest = 1.0 if isinstance(row, IntFormat) else row.smallest
    beyond = row.max > 2.0**11 or smallest < 2.0**-10
    if isinstance(args, FormatArgs) and dtype == np.dtype(np.float16) and beyond:
        return f"the codes of {row.name}, scaled, are beyond the normal numbers of float16"
    return ""


def everywhere(args: QuantizationArgs, dtype: np.dtype) -> str:
    """The domain of a law that holds for all args."""
    del args, dtype
    return ""
