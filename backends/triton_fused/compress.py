"""A weight to packed codes and stored scales, its scales made on the way."""

import numpy as np
import torch
import triton

from qparity.reference import QuantizationArgs, QuantizationScheme, infer_format

from ..torch_bridge import torch_dtype
from ..torch_eager.layout import GROUPS
from .compress_kernels import (
    BYTES,
    E4M3,
    MOST_PARTIALS,
    SCALES,
    SMALL_FLOAT,
    WORDS,
    compress_blocks,
    compress_units,
    partial_amax,
)
from .memory_order import raw
from .pack import pack_along_rows
from .plan import (
    JOINED_BITS,
    PIECES,
    TRITON_DTYPES,
    division,
    format_constants,
    global_constants,
    piece_bits,
    scale_constants,
    zero_point_dtype,
)
from .scales import E4M3_SCALE, MADE_GLOBAL, MX_SCALE, NO_GLOBAL

# what each format holds: the type and bits of its codes (0: those that fit), whether MX
_HOLDS = {
    "pack-quantized": ("int", 0, False),
    "nvfp4-pack-quantized": ("float", 4, False),
    "mxfp4-pack-quantized": ("float", 4, True),
    "mxfp6-pack-quantized": ("float", 6, True),
    "mxfp8-quantized": ("float", 8, True),
    "naive-quantized": ("", 8, False),
    "float-quantized": ("", 8, False),
    "int-quantized": ("", 8, False),
}
_PARTIALS_BLOCK = 4096
_LONGEST_UNIT = 1 << 15


def compress_weight(
    weight: torch.Tensor, scheme: QuantizationScheme, format: str | None = None
) -> dict[str, torch.Tensor] | None:
    """As ``composed.compress_weight``; None for what no kernel covers."""
    args = scheme.weights
    if args is None or type(args) is not QuantizationArgs or weight.ndim != 2:
        return None
    name = format or scheme.format or infer_format(scheme)
    packed = name.endswith("pack-quantized")
    if not _suits(name, args) or (not args.symmetric and (not packed or args.strategy == "tensor")):
        return None
    whole = args.strategy == "tensor_group"
    if args.strategy == "block":
        made = None if packed else _blocks(weight, args)
    else:
        made = fused(weight, args, packed=packed, whole=MADE_GLOBAL if whole else NO_GLOBAL)
    if made is None:
        return None
    result: dict[str, torch.Tensor] = {}
    if whole:
        result["weight_global_scale"] = made["global_scale"]
    result["weight_scale"] = made["scale"]
    codes = made["codes"]
    if not packed:
        result["weight"] = codes.view(torch.float8_e4m3fn if args.type == "float" else torch.int8)
    elif args.type == "float":
        result["weight_packed"] = codes.view(torch.uint8)
    else:
        result["weight_packed"] = codes
        result["weight_shape"] = made["shape"]
        if not args.symmetric:
            zero_point = made["zero_point"]
            if zero_point.dtype != torch.int32:
                zero_point = pack_along_rows(zero_point, args.num_bits)
            result["weight_zero_point"] = zero_point
    return result


def fused(
    x: torch.Tensor,
    args: QuantizationArgs,
    *,
    packed: bool,
    whole: object,
    global_scale: torch.Tensor | None = None,
    stored: bool = True,
    codes: bool = True,
) -> dict[str, torch.Tensor] | None:
    """Codes, scale and what else of the units of a 2-D ``x``; None where no kernel covers it.

    Args:
        x: (rows, columns), float16, bfloat16 or float32; not empty.
        args: strategy ``group``, ``tensor_group``, ``channel``, ``token`` or ``tensor``.
        packed: codes in int32 words, else one in a byte.
        whole: how the global scale comes about: NO_GLOBAL, GIVEN_GLOBAL, MADE_GLOBAL.
        global_scale: the given one.
        stored: scales as a checkpoint stores them, else in the working dtype.
        codes: whether codes are wanted.
    """
    has_global, one_unit = whole is not NO_GLOBAL, args.strategy == "tensor"
    if x.dtype not in TRITON_DTYPES or x.numel() == 0:
        return None
    working = torch.promote_types(x.dtype, torch.float32) if has_global else x.dtype
    codes_of, scale_of = format_constants(args), scale_constants(args, x.dtype, working)
    coded = stored and scale_of["SCALE_MODE"] in (E4M3_SCALE, MX_SCALE)
    dtype = _dtype_of_stored_scale(args, working) if stored and not coded else working
    if dtype is None:
        return None
    if packed and not args.symmetric and (args.type != "int" or args.zp_dtype != np.int8):
        return None
    if one_unit and not args.symmetric:
        return None
    if x.stride(1) != 1:
        x = x.contiguous()
    rows, cols = x.shape
    if args.strategy in GROUPS:
        length = int(args.group_size or 0)
        if length <= 0 or cols % length:
            return None
    elif args.strategy in ("channel", "token"):
        length = cols
    elif one_unit:
        x = x.contiguous()
        length = 1024
    else:
        return None
    bits = args.code_format.bits
    words_per_row = -(-cols * bits // 32)
    flat = one_unit or (x.is_contiguous() and (not packed or (cols * bits) % 32 == 0))
    flat_words = x.numel() * bits // 32 if flat else words_per_row
    block = max(triton.next_power_of_2(length), 8 if flat else 32)
    if block > _LONGEST_UNIT or (packed and codes and not _aligned(args, cols, bits, length)):
        return None
    joined = packed and codes and bits in JOINED_BITS and _fills_words(args, bits, length, block)
    piece = 32 if joined else piece_bits(bits)
    units_per_row = -(-x.numel() // length) if one_unit else cols // length
    n_units = units_per_row if one_unit else rows * units_per_row
    extent = x.numel() if flat else cols
    scale_shape = (1,) if one_unit else (rows, units_per_row)

    def empty(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=x.device)

    scale = empty(scale_shape, torch.uint8 if coded else dtype)
    # four codes of 8 bits are a word
    offset = 128 if packed and codes and bits == 8 and flat else 0
    out = WORDS if packed and not offset else BYTES
    if not codes:
        out, code = SCALES, scale
    elif packed:
        code = empty((rows, words_per_row), torch.int32)
    else:
        code = empty((rows, cols), torch.uint8)
    result = {"codes": code}
    tile, warps, lanes = shape_of_tile(block, bits, joined)
    units = max(1, tile // block)
    zp_rows = _rows_of_word(args, bits, units) if packed and codes else 0
    if zp_rows > 0:
        flat, flat_words = False, words_per_row
    zero_point = scale
    if zp_rows > 0:
        zero_point = empty((triton.cdiv(rows, zp_rows), units_per_row), torch.int32)
        result["zero_point"] = zero_point
    elif not args.symmetric:
        result["zero_point"] = zero_point = empty(scale_shape, zero_point_dtype(args))
    shape = scale
    with_shape = packed and codes and args.type == "int"
    if with_shape:
        result["shape"] = shape = empty((2,), torch.int64)
    partial, count = scale, 0
    if one_unit or whole is MADE_GLOBAL:
        x = x.contiguous()
        steps = triton.next_power_of_2(
            triton.cdiv(x.numel(), _PARTIALS_BLOCK * MOST_PARTIALS.value)
        )
        count = triton.cdiv(x.numel(), _PARTIALS_BLOCK * steps)
        partial = empty((count,), torch.int32)
        partial_amax[(count,)](
            x, partial, x.numel(), BLOCK=_PARTIALS_BLOCK, STEPS=steps, num_warps=8
        )
    if whole is MADE_GLOBAL:
        global_scale = result["global_scale"] = empty((1,), torch.float32)
    beside = units // max(1, zp_rows)
    grid = triton.cdiv(n_units, units)
    if zp_rows > 0:
        grid = triton.cdiv(rows, zp_rows) * triton.cdiv(units_per_row, beside)
    fp6 = args.type == "float" and args.num_bits == 6
    compress_units[(grid,)](
        x,
        code.view(PIECES[piece]) if packed and codes else code,
        scale,
        raw(zero_point),
        shape,
        scale if global_scale is None else global_scale,
        partial,
        n_units,
        units_per_row,
        rows,
        length,
        x.stride(0) if not one_unit else 0,
        flat_words * (32 // piece),
        count,
        cols,
        extent,
        X=TRITON_DTYPES[x.dtype],
        UNITS=units,
        BLOCK=block,
        LANES=lanes,
        PIECE=piece,
        JOINED=joined,
        ZP_ROWS=zp_rows,
        FLAT=flat,
        ROW_TAIL=not flat and length == cols,
        WHOLE=block == length and (not one_unit or x.numel() % length == 0),
        ONE_UNIT=one_unit,
        SYMMETRIC=args.symmetric,
        GLOBAL=whole,
        **codes_of,
        **scale_of,
        **global_constants(x.dtype),
        DIVISION=division(args, x.dtype, has_global),
        POSITIVE_ZERO=codes_of["KIND"] is E4M3 or (args.type == "float" and not fp6),
        OFFSET=offset,
        OUT=out,
        STORE_CODE=coded,
        STORE_SHAPE=with_shape,
        num_warps=warps,
        enable_fp_fusion=False,
    )
    if coded and scale_of["SCALE_MODE"] is E4M3_SCALE:
        scale = scale.view(torch.float8_e4m3fn)
    return result | {"scale": scale}


def _blocks(x: torch.Tensor, args: QuantizationArgs) -> dict[str, torch.Tensor] | None:
    """Codes and scales of the blocks of a 2-D ``x``."""
    if x.dtype not in TRITON_DTYPES or x.numel() == 0:
        return None
    codes_of, scale_of = format_constants(args), scale_constants(args, x.dtype, x.dtype)
    coded = scale_of["SCALE_MODE"] is E4M3_SCALE
    dtype = x.dtype if coded else _dtype_of_stored_scale(args, x.dtype)
    if dtype is None or not args.symmetric:
        return None
    tall, wide = args.block_structure or (1, 1)
    if codes_of["KIND"] is SMALL_FLOAT or tall * wide > 1 << 15:
        return None
    x = x if x.stride(1) == 1 else x.contiguous()
    rows, cols = x.shape
    counts = (triton.cdiv(rows, tall), triton.cdiv(cols, wide))
    scale = torch.empty(counts, dtype=torch.uint8 if coded else dtype, device=x.device)
    codes = torch.empty((rows, cols), dtype=torch.uint8, device=x.device)
    wanted = ("KIND", "MIN", "MAX")
    compress_blocks[(counts[0] * counts[1],)](
        x,
        codes,
        scale,
        rows,
        cols,
        counts[1],
        x.stride(0),
        X=TRITON_DTYPES[x.dtype],
        ROWS=tall,
        COLS=wide,
        TALL=triton.next_power_of_2(tall),
        WIDE=triton.next_power_of_2(wide),
        **{key: codes_of[key] for key in wanted},
        **scale_of,
        DIVISION=division(args, x.dtype, whole=False),
        STORE_CODE=coded,
        num_warps=8,
        enable_fp_fusion=False,
    )
    return {"codes": codes, "scale": scale.view(torch.float8_e4m3fn) if coded else scale}


def _dtype_of_stored_scale(args: QuantizationArgs, working: torch.dtype) -> torch.dtype | None:
    """The dtype of scales that are stored as numbers; None for what is rounded once more."""
    if args.resolved_scale_dtype is None:
        return working
    dtype = torch_dtype(args.resolved_scale_dtype)
    exact = dtype in (working, torch.float32) or working == torch.float32
    return dtype if dtype in TRITON_DTYPES and exact else None


def _suits(name: str, args: QuantizationArgs) -> bool:
    """Whether a format holds the codes, its scales are MX or not, and NVFP4 has a global one."""
    if name not in _HOLDS:
        return False
    kind, bits, is_mx = _HOLDS[name]
    fits = args.num_bits == bits or (args.type == "int" and bits in (0, 8))
    two_levels = name == "nvfp4-pack-quantized"
    return (
        fits
        and kind in ("", args.type)
        and args.is_mx == is_mx
        and (args.strategy == "tensor_group") == two_levels
    )


def shape_of_tile(block: int, bits: int, joined: bool) -> tuple[int, int, int]:
    """Elements of a program, its warps, and threads that share a unit; measured on an H100.

    More elements a thread: what is computed once a unit is computed by fewer threads.
    """
    if joined:
        return max(block, 1024), min(16, max(1, block // 1024)), block // 32
    if block > 512:
        return max(block, 2048), min(16, max(4, block // 1024)), block // 8
    if block > 32 and bits == 8:
        return 1024, 2, block // 16
    if block > 32:
        return 2048, 2, max(1, block // 32)
    if bits in (4, 8):
        return (4096, 4, max(1, block // 16)) if bits == 4 else (2048, 4, block // 8)
    return 2048, 4, block // 8


def _fills_words(args: QuantizationArgs, bits: int, length: int, block: int) -> bool:
    """Whether a unit begins with a word, and a lane of 32 codes is no more than a unit."""
    return block >= 32 and (args.strategy in ("channel", "token") or length * bits % 32 == 0)


def _rows_of_word(args: QuantizationArgs, bits: int, units: int) -> int:
    """The rows whose zero-points of ``bits`` are a word, if a program has so many; else 0."""
    rows = 32 // bits
    wanted = not args.symmetric and args.strategy in GROUPS and 32 % bits == 0
    return rows if wanted and units >= rows else 0


def _aligned(args: QuantizationArgs, cols: int, bits: int, length: int) -> bool:
    """Whether no piece of packed codes has codes of two units, but for the rest of a row."""
    if args.strategy in ("channel", "token"):
        return args.type == "int" or (cols * bits) % 32 == 0
    if args.strategy == "tensor":
        return (cols * bits) % 32 == 0
    # the rest of a row is written only by a unit that is a row
    rest = (cols * bits) % 32 > 0
    return length % 8 == 0 and (not rest or (args.type == "int" and length == cols))
