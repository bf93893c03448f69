"""One call of the kernel that applies scales; None for what it does not cover."""

from math import prod

import torch
import triton

from qparity.reference import QuantizationArgs

from ..torch_eager.quantize import dtype_of_s
from .arithmetic import EXACT
from .elementwise_kernels import (
    ANY_UNIT,
    PACKED_CODES,
    ROW_UNIT,
    SAME_UNIT,
    VALUES,
    apply_scales,
)
from .memory_order import raw
from .plan import (
    JOINED_BITS,
    PIECES,
    STORED_DTYPES,
    TRITON_DTYPES,
    division_by_given,
    piece_bits,
    value_constants,
)
from .units import units_of

_TILE = 4096
_NARROWEST, _WIDEST = 32, 1024
_FEWEST_TOGETHER, _MOST_TOGETHER = 8, 128
_CODED_SCALES = (torch.uint8, torch.float8_e4m3fn)


def launch(
    op: object,
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    out: torch.dtype,
    global_scale: torch.Tensor | None,
    *,
    in_float32: bool = False,
    packed: tuple[int, ...] | None = None,
    loaded_scale: torch.Tensor | None = None,
) -> torch.Tensor | None:
    """The elements of ``x`` with their scales applied.

    Args:
        op: QUANTIZE, DEQUANTIZE or FAKE_QUANTIZE.
        x: what it is of; int32 words, if ``packed`` is the shape of the codes in them.
        scale: floats; or e4m3, or E8M0 codes in uint8, both of which are bfloat16 once loaded.
        zero_point: shaped like the scale, or None.
        args: format and strategy.
        out: dtype of the result.
        global_scale: one float, or None.
        in_float32: whether x / s + zero_point is evaluated in float32.
        packed: shape of the codes in words.
        loaded_scale: bfloat16, of the shape of ``scale``, to be filled with it.
    """
    shape = tuple(x.shape if x.ndim else (1,)) if packed is None else packed
    if prod(shape) == 0 or scale.numel() == 0:
        return None
    if global_scale is not None and global_scale.numel() != 1:
        return None
    units = units_of(shape, scale, zero_point, args)
    if units is None:
        return None
    cols = shape[-1]
    rows = prod(shape) // cols
    offset = 0
    if packed is not None and args.num_bits == 8 and cols % 4 == 0:
        # words of four codes are bytes, each 128 above its code
        x, packed, offset = x.view(torch.uint8), None, 128
    if packed is None:
        x = x.reshape(rows, cols)
        x = x if x.stride(1) == 1 else x.contiguous()
    loaded = torch.bfloat16 if scale.dtype in _CODED_SCALES else scale.dtype
    s = dtype_of_s(loaded, global_scale)
    # integers are exact in any working dtype
    working = s if x.dtype not in TRITON_DTYPES else torch.promote_types(x.dtype, s)
    zero_point_or_scale = scale if zero_point is None else zero_point
    result = torch.empty(shape, dtype=out, device=x.device)
    # few small ones, so that few kernels are compiled
    width = min(max(triton.next_power_of_2(cols), _NARROWEST), _WIDEST)
    unit, same = ROW_UNIT, width
    if units.col_block < cols:
        power = min(units.col_block & -units.col_block, width, _MOST_TOGETHER)
        same = power if power >= _FEWEST_TOGETHER else 1
        unit = SAME_UNIT if same == units.col_block else ANY_UNIT
    piece = 8
    if packed is not None:
        if same < _FEWEST_TOGETHER:
            return None
        joined = args.num_bits in JOINED_BITS and same >= _NARROWEST
        piece = 32 if joined else piece_bits(args.num_bits)
        x = x.view(PIECES[piece])
    height = max(1, _TILE // width)
    grid = (triton.cdiv(rows, height) * triton.cdiv(cols, width),)
    apply_scales[grid](
        raw(x),
        raw(scale.contiguous()),
        raw(zero_point_or_scale.contiguous()),
        scale if global_scale is None else global_scale,
        scale if loaded_scale is None else loaded_scale,
        raw(result),
        rows,
        cols,
        x.stride(0) if packed is None else 0,
        0 if packed is None else x.shape[-1],
        *units.strides,
        units.row_block,
        units.col_block,
        OP=op,
        IN=VALUES if packed is None else PACKED_CODES,
        X=None if packed is not None else STORED_DTYPES[x.dtype],
        SCALE=STORED_DTYPES[scale.dtype],
        ZP=STORED_DTYPES[zero_point_or_scale.dtype],
        S=TRITON_DTYPES[s],
        WORKING=TRITON_DTYPES[torch.float32 if in_float32 else working],
        OUT=STORED_DTYPES[out],
        HAS_ZP=zero_point is not None,
        STORE_SCALE=loaded_scale is not None,
        HAS_GLOBAL=global_scale is not None,
        IN_FLOAT32=in_float32,
        DIVISION=int(EXACT.value) if in_float32 else division_by_given(x.dtype, s),
        BITS=args.code_format.bits,
        **value_constants(args),
        ROWS=height,
        COLS=width,
        SAME=same,
        IN_BLOCKS=units.row_block > 1,
        UNIT=unit,
        PIECE=piece,
        OFFSET=offset,
        num_warps=4,
        enable_fp_fusion=False,
    )
    return result
