"""What a check varies: a format, a dtype, and whether NaN is among the values."""

from dataclasses import dataclass

import numpy as np

from qparity.reference import QuantizationArgs

FORMATS_OF_CODES = (
    *(("int", bits) for bits in range(1, 9)),
    *(("float", bits) for bits in (4, 6, 8)),
)


@dataclass(frozen=True, slots=True)
class Spec:
    """The fixed part of a check; the rest is drawn.

    Attributes:
        type: ``"int"`` or ``"float"``.
        num_bits: of the codes.
        dtype: of the tensors.
        args: the only args to use; None: all that have this type and these bits.
        compute_dtype: float32 or None, as in ``quantize``.
        nan: whether NaN is among the values.
    """

    type: str
    num_bits: int
    dtype: np.dtype
    args: QuantizationArgs | None = None
    compute_dtype: np.dtype | None = None
    nan: bool = False

    @property
    def may_be_asymmetric(self) -> bool:
        """Whether the format allows a zero-point."""
        return self.type == "int" or self.num_bits == 8

    @property
    def format_name(self) -> str:
        """``int4`` or ``fp8``."""
        return f"{'int' if self.type == 'int' else 'fp'}{self.num_bits}"

    def make_args(self, **fields: object) -> QuantizationArgs:
        """Args of this format with other fields given."""
        return QuantizationArgs(num_bits=self.num_bits, type=self.type, **fields)  # type: ignore[arg-type]
