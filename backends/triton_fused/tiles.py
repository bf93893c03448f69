"""How a matrix is cut into units, and units into programs and threads."""

from dataclasses import dataclass

import torch
import triton

from qparity.reference import QuantizationArgs

from ..torch_eager.layout import GROUPS
from .plan import piece_bits

_LONGEST_UNIT = 1 << 15
_LONGEST_TILE = 1 << 13
_ONE_UNIT = 1024


@dataclass(frozen=True, slots=True)
class Tiles:
    """The units of a matrix, and what a program has of them.

    Attributes:
        x: the matrix, rows of elements that follow each other.
        length: elements of a unit; of a tensor with one scale, of a part of it.
        block: the power of two that holds a unit.
        units_per_row: how many units are in a row.
        one_unit: whether all have one scale.
        flat: whether rows follow each other without a gap, in the tensor as in its codes.
        joined: whether a thread has 32 codes, which fill whole words.
        piece: bits of what packed codes are stored in.
        zp_rows: rows whose zero-points are a word, which a program packs; or 0.
        units: units of a program.
        lanes: threads that share a unit.
        warps: warps of a program.
    """

    x: torch.Tensor
    length: int
    block: int
    units_per_row: int
    one_unit: bool
    flat: bool
    joined: bool
    piece: int
    zp_rows: int
    units: int
    lanes: int
    warps: int

    @property
    def n_units(self) -> int:
        """How many units there are."""
        return self.units_per_row * (1 if self.one_unit else self.x.shape[0])

    @property
    def grid(self) -> int:
        """How many programs there are."""
        if self.zp_rows == 0:
            return -(-self.n_units // self.units)
        beside = self.units // self.zp_rows
        return -(-self.x.shape[0] // self.zp_rows) * -(-self.units_per_row // beside)

    @property
    def scale_shape(self) -> tuple[int, ...]:
        """The shape of the scales."""
        return (1,) if self.one_unit else (self.x.shape[0], self.units_per_row)

    @property
    def whole(self) -> bool:
        """Whether each unit fills its block."""
        return self.block == self.length and not (self.one_unit and self.x.numel() % self.length)


def tiles_of(
    x: torch.Tensor,
    args: QuantizationArgs,
    *,
    packed: bool,
    contiguous: bool = False,
    packs_zero_points: bool = False,
) -> Tiles | None:
    """The tiles of a 2-D ``x``; None if a unit is too long, or its codes end within a piece.

    Args:
        x: (rows, columns).
        args: strategy ``group``, ``tensor_group``, ``channel``, ``token`` or ``tensor``.
        packed: whether codes are packed into words.
        contiguous: whether ``x`` must be so.
        packs_zero_points: whether zero-points of groups are packed along the rows.
    """
    one_unit = args.strategy == "tensor"
    if contiguous or one_unit or x.stride(-1) != 1:
        x = x.contiguous()
    cols = x.shape[1]
    if args.strategy in GROUPS:
        length = int(args.group_size or 0)
        if length <= 0 or cols % length:
            return None
    elif args.strategy in ("channel", "token", "tensor"):
        length = _ONE_UNIT if one_unit else cols
    else:
        return None
    bits = args.code_format.bits
    flat = one_unit or (x.is_contiguous() and not (packed and cols * bits % 32))
    block = max(triton.next_power_of_2(length), 8 if flat else 32)
    if block > _LONGEST_UNIT or (packed and not _aligned(args, cols, length)):
        return None
    joined = packed and _fills_words(args, length, block)
    tile, warps, lanes = shape_of_tile(block, bits, joined, x.dtype == torch.bfloat16)
    zp_rows = 0
    if packs_zero_points and 32 % bits == 0 and block * (32 // bits) <= _LONGEST_TILE:
        zp_rows = 32 // bits
        tile = max(tile, block * zp_rows)
        warps = max(warps, block * zp_rows // 1024)
    return Tiles(
        x,
        length,
        block,
        units_per_row=-(-x.numel() // length) if one_unit else cols // length,
        one_unit=one_unit,
        flat=flat and zp_rows == 0,
        joined=joined,
        piece=32 if joined else piece_bits(bits),
        zp_rows=zp_rows,
        units=max(1, tile // block),
        lanes=lanes,
        warps=warps,
    )


def shape_of_tile(block: int, bits: int, joined: bool, in_pairs: bool) -> tuple[int, int, int]:
    """Elements of a program, its warps, and threads that share a unit; measured on an H200.

    More elements a thread: what is computed once a unit is computed by fewer threads.
    """
    if joined:
        # in pairs 64 elements of few bits are few registers
        tile = 2048 if in_pairs and bits <= 4 else 1024
        return max(block, tile), min(16, max(1, block // 1024)), block // 32
    if block > 512:
        return max(block, 2048), min(16, max(4, block // 1024)), block // 8
    if bits == 8:
        return 1024, 1, max(1, block // 16)
    if block == 16 and bits == 4:
        return 2048, 1, 1
    return 2048, 2, max(1, block // 32)


def _fills_words(args: QuantizationArgs, length: int, block: int) -> bool:
    """Whether a unit begins with a word, and a lane of 32 codes is no more than a unit."""
    bits = args.code_format.bits
    if block < 32 or not 1 < bits < 8 or (args.type == "float" and bits == 4):
        return False
    return args.strategy in ("channel", "token") or length * bits % 32 == 0


def _aligned(args: QuantizationArgs, cols: int, length: int) -> bool:
    """Whether no piece of packed codes has codes of two units, but for the rest of a row."""
    rest = cols * args.code_format.bits % 32 > 0
    if args.strategy in ("channel", "token"):
        return args.type == "int" or not rest
    if args.strategy == "tensor":
        return not rest
    # the rest of a row is written only by a unit that is a row
    return length % 8 == 0 and (not rest or (args.type == "int" and length == cols))
