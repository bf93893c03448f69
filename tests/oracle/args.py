"""What a quantization is: the fields of QuantizationArgs that the numbers depend on."""

from dataclasses import dataclass

from .formats import FLOAT4_E2M1FN, FLOAT6_E2M3FN, FLOAT8_E4M3FN, Format
from .number import Number, exactly, negate
from .rows import Row

GROUPS = ("group", "tensor_group")


@dataclass(frozen=True, slots=True)
class Args:
    """dtypes are names; `scale_dtype` None means: not rounded.

    `row`, `scale_row` and `scale_rule` are formats and a rule of one's own; where `scale_row` is
    given, `scale_dtype` is not used.
    """

    num_bits: int = 8
    type: str = "int"
    symmetric: bool = True
    strategy: str = "tensor"
    group_size: int | None = None
    block_structure: tuple[int, int] | None = None
    scale_dtype: str | None = None
    zp_dtype: str = "int8"
    row: Row | None = None
    scale_row: Row | None = None
    scale_rule: str = "nearest"

    @property
    def format(self) -> Format:
        """The format of a float type. KeyError for bits that have none."""
        return {4: FLOAT4_E2M1FN, 6: FLOAT6_E2M3FN, 8: FLOAT8_E4M3FN}[self.num_bits]

    @property
    def is_mx(self) -> bool:
        """Whether scales are powers of two: a float type, groups of 32, uint8 scales."""
        own = self.row is not None
        mx = self.type == "float" and self.group_size == 32 and self.scale_dtype == "uint8"
        return mx and not own

    @property
    def resolved_scale_dtype(self) -> str | None:
        """fp4 in tensor groups computes with e4m3 scales where none are named."""
        fp4 = self.type == "float" and self.num_bits == 4 and self.row is None
        if self.scale_dtype is None and fp4 and self.strategy == "tensor_group":
            return "float8_e4m3fn"
        return self.scale_dtype


def calculate_range(args: Args) -> tuple[Number, Number]:
    """(q_min, q_max): -2^(b-1) .. 2^(b-1) - 1, or the range of the format."""
    if args.row is not None:
        return args.row.low, args.row.high
    if args.type == "int":
        half = 1 << (args.num_bits - 1)
        return exactly(-half), exactly(half - 1)
    return negate(args.format.max), args.format.max
