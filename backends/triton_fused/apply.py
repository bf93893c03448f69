"""Quantize and dequantize with given scales, by one kernel; None for what it does not cover."""

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
import torch
import triton

from qparity.reference import QuantizationArgs

from ..torch_eager.layout import GROUPS
from .elementwise_kernels import (
    DEQUANTIZE,
    E4M3_CODES,
    FAKE_QUANTIZE,
    PACKED_CODES,
    QUANTIZE,
    VALUES,
    apply_scales,
)
from .plan import PIECES, TRITON_DTYPES, format_constants, piece_bits

_TILE = 4096
_VALUE_DTYPES = (*TRITON_DTYPES, torch.int8, torch.uint8)


@dataclass(frozen=True, slots=True)
class Units:
    """Which scale an element has: that of its row and column, divided by these, and strides."""

    row_block: int
    col_block: int
    strides: tuple[tuple[int, int], ...]


def quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    dtype: npt.DTypeLike | None = None,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
    compute_dtype: npt.DTypeLike | None = None,
) -> torch.Tensor | None:
    """As ``torch_eager.quantize``."""
    if g_idx is not None or not _floats(x, scale, global_scale):
        return None
    working = torch.promote_types(x.dtype, _dtype_of_s(scale, global_scale))
    natural = x.dtype if args.strategy in GROUPS else working
    wanted = None if dtype is None else np.dtype(dtype).name
    if wanted == "int8" and args.type == "int":
        out = torch.int8
    elif wanted == "float8_e4m3fn" and (args.type, args.num_bits) == ("float", 8):
        out = torch.float8_e4m3fn
    elif wanted is None:
        out = natural
    else:
        return None
    return _apply(QUANTIZE, x, scale, zero_point, args, out, global_scale, compute_dtype)


def dequantize(
    x_q: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    dtype: npt.DTypeLike | None = None,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
) -> torch.Tensor | None:
    """As ``torch_eager.dequantize``."""
    if g_idx is not None or not _floats(scale, global_scale):
        return None
    out = _dtype_of_s(scale, global_scale)
    if args.strategy in GROUPS:
        names = {str(d).removeprefix("torch."): d for d in TRITON_DTYPES}
        wanted = scale.dtype if dtype is None else names.get(np.dtype(dtype).name)
        if wanted is None:
            return None
        out = wanted
    return _apply(DEQUANTIZE, x_q, scale, zero_point, args, out, global_scale, None)


def fake_quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    *,
    g_idx: torch.Tensor | None = None,
    global_scale: torch.Tensor | None = None,
    compute_dtype: npt.DTypeLike | None = None,
) -> torch.Tensor | None:
    """As ``torch_eager.fake_quantize``."""
    if g_idx is not None or not _floats(x, scale, global_scale):
        return None
    out = x.dtype if args.strategy in GROUPS else _dtype_of_s(scale, global_scale)
    return _apply(FAKE_QUANTIZE, x, scale, zero_point, args, out, global_scale, compute_dtype)


def dequantize_stored(
    codes: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    out: torch.dtype,
    global_scale: torch.Tensor | None,
    *,
    packed: tuple[int, int] | None,
    loaded_scale: torch.Tensor | None,
) -> torch.Tensor | None:
    """``dequantize`` of codes and scales as they are stored.

    Args:
        codes: one an element; or int32 words, if ``packed`` is the shape of the codes.
        scale: in its own dtype, e4m3, or E8M0 codes in uint8.
        zero_point: int8, or None.
        args: format and strategy.
        out: dtype of the result.
        global_scale: one float, or None.
        packed: shape of the codes in words.
        loaded_scale: bfloat16, of the shape of ``scale``, to be filled with it.
    """
    return _apply(
        DEQUANTIZE,
        codes,
        scale,
        zero_point,
        args,
        out,
        global_scale,
        None,
        packed=packed,
        loaded_scale=loaded_scale,
    )


def _apply(
    op: object,
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
    out: torch.dtype,
    global_scale: torch.Tensor | None,
    compute_dtype: npt.DTypeLike | None,
    packed: tuple[int, int] | None = None,
    loaded_scale: torch.Tensor | None = None,
) -> torch.Tensor | None:
    constants = format_constants(args)
    shape = (x.shape if x.ndim else (1,)) if packed is None else packed
    if constants is None or prod(shape) == 0 or scale.numel() == 0:
        return None
    if compute_dtype is not None and np.dtype(compute_dtype) != np.float32:
        return None
    if global_scale is not None and global_scale.numel() != 1:
        return None
    units = _units(tuple(shape), scale, zero_point, args)
    if units is None:
        return None
    cols = shape[-1]
    rows = prod(shape) // cols
    coded = x.dtype == torch.float8_e4m3fn
    if not coded and packed is None and x.dtype not in _VALUE_DTYPES:
        return None
    offset = 0
    if packed is not None and args.num_bits == 8 and cols % 4 == 0:
        # words of four codes are bytes, each 128 above its code
        x, packed, offset = x.view(torch.uint8), None, 128
    if packed is None:
        x = x.reshape(rows, cols)
        x = x if x.stride(1) == 1 and x.stride(0) >= 0 else x.contiguous()
    zp_coded = zero_point is not None and zero_point.dtype == torch.float8_e4m3fn
    if zero_point is not None and not zp_coded and zero_point.dtype not in _VALUE_DTYPES:
        return None
    bytes_of_scale = {torch.uint8: "SCALE_E8M0", torch.float8_e4m3fn: "SCALE_E4M3"}
    kinds = {name: scale.dtype == dtype for dtype, name in bytes_of_scale.items()}
    loaded = torch.bfloat16 if any(kinds.values()) else scale.dtype
    s = loaded if global_scale is None else torch.promote_types(loaded, global_scale.dtype)
    in_float32 = compute_dtype is not None
    floats = x.dtype if x.dtype in TRITON_DTYPES else torch.float32
    working = torch.float32 if in_float32 else torch.promote_types(floats, s)
    result = torch.empty(tuple(shape), dtype=out, device=x.device)
    width = min(triton.next_power_of_2(cols), 1024)
    same = min(width, units.col_block & -units.col_block if units.col_block < cols else width)
    piece = 8
    if packed is not None:
        piece = piece_bits(args.num_bits)
        width = max(width, 8)
        same = width if units.col_block >= cols else same
        if same < 8:
            return None
        x = x.view(PIECES[piece])
    height = max(1, _TILE // width)
    (scale_row, scale_col), (zp_row, zp_col) = units.strides
    grid = (triton.cdiv(rows, height) * triton.cdiv(cols, width),)
    apply_scales[grid](
        _raw(x),
        _raw(scale.contiguous()),
        _raw((scale if zero_point is None else zero_point).contiguous()),
        scale if global_scale is None else global_scale,
        scale if loaded_scale is None else loaded_scale,
        _raw(result),
        rows,
        cols,
        x.stride(0) if packed is None else 0,
        0 if packed is None else x.shape[-1],
        scale_row,
        scale_col,
        zp_row,
        zp_col,
        OP=op,
        X=TRITON_DTYPES[floats],
        S=TRITON_DTYPES[s],
        WORKING=TRITON_DTYPES[working],
        OUT=_out(out),
        IN=PACKED_CODES if packed is not None else E4M3_CODES if coded else VALUES,
        HAS_ZP=zero_point is not None,
        ZP_E4M3=zp_coded,
        STORE_SCALE=loaded_scale is not None,
        HAS_GLOBAL=global_scale is not None,
        IN_FLOAT32=in_float32,
        **kinds,
        **constants,
        ROWS=height,
        COLS=width,
        SAME=same,
        ROW_BLOCK=units.row_block,
        COL_BLOCK=units.col_block if units.col_block < cols else 0,
        PIECE=piece,
        OFFSET=offset,
        OUT_E4M3=out == torch.float8_e4m3fn,
        num_warps=4,
        enable_fp_fusion=False,
    )
    return result


def _units(
    shape: tuple[int, ...],
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    args: QuantizationArgs,
) -> Units | None:
    cols = shape[-1]
    rows = prod(shape) // cols
    row_block, col_block = 1, cols
    groups = 1
    if args.strategy in GROUPS:
        if not args.group_size or cols % args.group_size:
            return None
        col_block = int(args.group_size)
        groups = cols // col_block
    elif args.strategy == "block":
        if len(shape) != 2 or args.block_structure is None:
            return None
        row_block, col_block = args.block_structure
        blocks = (-(-rows // row_block), -(-cols // col_block))
    strides = []
    for value in (scale, scale if zero_point is None else zero_point):
        if value.numel() == 1:
            strides.append((0, 0))
        elif args.strategy == "block":
            if tuple(value.shape) != blocks:
                return None
            strides.append((blocks[1], 1))
        elif tuple(value.shape) == (*shape[:-1], groups):
            strides.append((groups, 1))
        elif args.strategy != "tensor" and tuple(value.shape) == (*shape[:-1], 1):
            strides.append((1, 0))
        else:
            return None
    if zero_point is not None and zero_point.shape != scale.shape:
        return None
    return Units(row_block, col_block, tuple(strides))


def _floats(*tensors: torch.Tensor | None) -> bool:
    return all(tensor is None or tensor.dtype in TRITON_DTYPES for tensor in tensors)


def _dtype_of_s(scale: torch.Tensor, global_scale: torch.Tensor | None) -> torch.dtype:
    return (
        scale.dtype
        if global_scale is None
        else torch.promote_types(scale.dtype, global_scale.dtype)
    )


def _raw(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(torch.uint8) if tensor.dtype == torch.float8_e4m3fn else tensor


def _out(dtype: torch.dtype) -> object:
    import triton.language as tl

    return tl.int8 if dtype == torch.int8 else TRITON_DTYPES.get(dtype, tl.float32)
