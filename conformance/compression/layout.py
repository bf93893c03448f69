"""The tensors of a compressed module, before there is any of their data."""

from dataclasses import dataclass
from math import prod

from qparity.reference import QuantizationArgs

from ..bits import Array
from ..checkpoint.dtypes import BITS, DTYPES

__all__ = ["Tensor", "stored_tensors", "tag_of"]

_TAGS = {dtype: tag for tag, dtype in DTYPES.items() if tag != "F8_E8M0"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to be written.

    Attributes:
        name: its local name, or its full one.
        dtype: the tag of the safetensors format.
        shape: its sizes.
        rows: ``(n, m)``: m rows of the weight give n of it; (0, 1): it belongs to the whole.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    rows: tuple[int, int] = (0, 1)

    @property
    def nbytes(self) -> int:
        """The length of its data."""
        return prod(self.shape) * BITS[self.dtype] // 8

    def offset(self, row: int) -> int:
        """Where in its data the part begins that comes from a row of the weight."""
        n, m = self.rows
        return row * n // m * (self.nbytes // self.shape[0]) if n else 0


def tag_of(array: Array) -> str:
    """The tag of an array's dtype."""
    return str(_TAGS[array.dtype])


def stored_tensors(
    shape: tuple[int, ...], dtype: str, args: QuantizationArgs, format: str
) -> tuple[Tensor, ...]:
    """What ``compress`` makes of a weight.

    Args:
        shape: of the weight, 2-D, its columns in whole groups.
        dtype: the tag of the weight.
        args: of the weight.
        format: the compression format.
    """
    rows, columns = shape
    bits = args.num_bits
    if format == "pack-quantized":
        codes = Tensor("weight_packed", "I32", (rows, _whole(columns * bits, 32)), (1, 1))
    elif format.startswith(("nvfp4", "mxfp4", "mxfp6")):
        codes = Tensor("weight_packed", "U8", (rows, columns * bits // 8), (1, 1))
    else:
        codes = Tensor("weight", "I8" if args.type == "int" else "F8_E4M3", (rows, columns), (1, 1))
    scale = _scale(rows, columns, args, _scale_dtype(dtype, args))
    tensors = [codes, scale]
    if format == "pack-quantized":
        tensors.append(Tensor("weight_shape", "I64", (2,)))
    if args.strategy == "tensor_group":
        tensors.append(Tensor("weight_global_scale", "F32", (1,)))
    if not args.symmetric:
        tensors.append(_zero_point(rows, scale, args, format))
    return tuple(tensors)


def _scale(rows: int, columns: int, args: QuantizationArgs, dtype: str) -> Tensor:
    if args.strategy == "tensor":
        return Tensor("weight_scale", dtype, (1,))
    if args.strategy == "block":
        height, width = args.block_structure or (1, 1)
        shape = (_whole(rows, height), _whole(columns, width))
        return Tensor("weight_scale", dtype, shape, (1, height))
    size = args.group_size if args.group_size and args.group_size > 0 else columns
    return Tensor("weight_scale", dtype, (rows, columns // size), (1, 1))


def _scale_dtype(dtype: str, args: QuantizationArgs) -> str:
    resolved = args.resolved_scale_dtype
    return dtype if resolved is None else _TAGS[resolved]


def _zero_point(rows: int, scale: Tensor, args: QuantizationArgs, format: str) -> Tensor:
    if format == "pack-quantized" and args.strategy in ("group", "channel"):
        shape = (_whole(rows * args.num_bits, 32), scale.shape[1])
        return Tensor("weight_zero_point", "I32", shape, (args.num_bits, 32))
    assert args.zp_dtype is not None
    return Tensor("weight_zero_point", _TAGS[args.zp_dtype], scale.shape, scale.rows)


def _whole(size: int, unit: int) -> int:
    return -(-size // unit)
