"""One call of the kernel that compresses units; None for what it does not cover."""

import numpy as np
import torch
import triton
import triton.language as tl

from qparity.reference import QuantizationArgs

from ..torch_bridge import torch_dtype
from ..torch_eager.layout import GROUPS
from .arithmetic import EXACT
from .compress_kernels import BYTES, PARTIALS, SCALES, WORDS, compress_units, partial_amax
from .encode_kernels import E4M3
from .given import Given
from .memory_order import raw
from .pairs import most_registers, pair_codes
from .plan import (
    PIECES,
    TRITON_DTYPES,
    Constants,
    division,
    division_by_given,
    format_constants,
    global_constants,
    scale_constants,
    zero_point_dtype,
)
from .scales import E4M3_SCALE, GIVEN_GLOBAL, MADE_GLOBAL, MX_SCALE, NO_GLOBAL
from .tiles import tiles_of

_SMALLEST_BLOCK, _LARGEST_BLOCK = 1024, 8192


def fused(
    x: torch.Tensor,
    args: QuantizationArgs,
    *,
    packed: bool,
    whole: object,
    global_scale: torch.Tensor | None = None,
    given: Given | None = None,
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
        given: scales that are read; None: they are made.
        stored: scales as a checkpoint stores them, else in the working dtype.
        codes: whether codes are wanted.

    Returns:
        ``codes``, ``scale``; ``global_scale``, if it is made; ``shape`` of packed integers; the
        ``zero_point`` of made asymmetric scales, packed along the rows where its dtype is int32.
    """
    if x.dtype not in TRITON_DTYPES or x.numel() == 0:
        return None
    makes_zp = not args.symmetric and given is None
    if makes_zp and packed and (args.type != "int" or args.zp_dtype != np.int8):
        return None
    if makes_zp and args.strategy == "tensor":
        return None
    scale_of = constants_of_scale(x.dtype, args, given, has_global=whole is not NO_GLOBAL)
    coded = stored and scale_of["SCALE_MODE"] in (E4M3_SCALE, MX_SCALE)
    dtype = dtype_of_scale(x.dtype, args, given, has_global=whole is not NO_GLOBAL, stored=stored)
    tiles = tiles_of(
        x,
        args,
        packed=packed and codes,
        contiguous=whole is MADE_GLOBAL,
        packs_zero_points=makes_zp and packed and codes and args.strategy in GROUPS,
    )
    if tiles is None or (dtype is None and not coded):
        return None
    if given is not None and not given.fits(tiles.scale_shape):
        return None
    x = tiles.x
    rows, cols = x.shape
    codes_of = format_constants(args)
    bits = args.code_format.bits

    def empty(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=x.device)

    scale = empty(tiles.scale_shape, dtype if dtype is not None and not coded else torch.uint8)
    words = -(-cols * bits // 32)
    # four codes of 8 bits are a word
    bytewise = not packed or (bits == 8 and cols % 4 == 0)
    if not codes:
        code = scale
    elif packed:
        code = empty((rows, words), torch.int32)
    else:
        code = empty((rows, cols), torch.uint8)
    result = {"codes": code}
    zero_point = shape = partial = scale
    if makes_zp:
        packed_rows = (triton.cdiv(rows, max(1, tiles.zp_rows)), tiles.units_per_row)
        zero_point = empty(tiles.scale_shape, zero_point_dtype(args))
        if tiles.zp_rows > 0:
            zero_point = empty(packed_rows, torch.int32)
        result["zero_point"] = zero_point
    with_shape = packed and codes and args.type == "int"
    if with_shape:
        result["shape"] = shape = empty((2,), torch.int64)
    if given is None and (tiles.one_unit or whole is MADE_GLOBAL):
        partial = partial_maxima(x)
    if whole is MADE_GLOBAL:
        global_scale = result["global_scale"] = empty((1,), torch.float32)
    has_zp = not args.symmetric if given is None else given.zero_point is not None
    # a zero-point, even 0, is added to -0.0 too
    is_float = args.type == "float"
    positive = bits == 4 or (given is None and args.num_bits != 6)
    quotient_of = constants_of_quotient(x.dtype, args, given, whole)
    in_pairs = packed and codes and given is None and tiles.whole
    text = ""
    if in_pairs:
        text = pair_codes(x, args, scale_of["SCALE_MODE"], quotient_of["DIVISION"], whole)
    compress_units[(tiles.grid,)](
        x.view(torch.int32) if text else x,
        code.view(PIECES[tiles.piece]) if packed and codes else code,
        scale,
        raw(zero_point),
        shape,
        scale if global_scale is None else global_scale,
        partial,
        *pointers_of(given, scale),
        tiles.n_units,
        tiles.units_per_row,
        rows,
        tiles.length,
        0 if tiles.one_unit else x.stride(0),
        (x.numel() * bits // 32 if tiles.flat else words) * (32 // tiles.piece),
        cols,
        x.numel() if tiles.flat else cols,
        X=TRITON_DTYPES[x.dtype],
        UNITS=tiles.units,
        BLOCK=tiles.block,
        LANES=tiles.lanes,
        PIECE=tiles.piece,
        JOINED=tiles.joined,
        ZP_ROWS=tiles.zp_rows,
        FLAT=tiles.flat,
        ROW_TAIL=not tiles.flat and tiles.length == cols,
        WHOLE=tiles.whole,
        PAIR_CODES=text,
        ONE_UNIT=tiles.one_unit,
        HAS_ZP=has_zp,
        SYMMETRIC=args.symmetric,
        GLOBAL=whole,
        **codes_of,
        **scale_of,
        **global_constants(x.dtype),
        **quotient_of,
        POSITIVE_ZERO=(codes_of["KIND"] is E4M3 and given is None) or (is_float and positive),
        OFFSET=128 if packed and bytewise else 0,
        OUT=SCALES if not codes else BYTES if bytewise else WORDS,
        STORE_CODE=coded,
        STORE_SHAPE=with_shape,
        num_warps=tiles.warps,
        maxnreg=most_registers(args) if text else None,
        enable_fp_fusion=False,
    )
    if coded and scale_of["SCALE_MODE"] is E4M3_SCALE:
        scale = scale.view(torch.float8_e4m3fn)
    return result | {"scale": scale}


def partial_maxima(x: torch.Tensor) -> torch.Tensor:
    """The bits of the largest magnitudes of shares of a contiguous tensor; 0 of an empty share."""
    count = int(PARTIALS.value)
    share = triton.next_power_of_2(triton.cdiv(x.numel(), count))
    block = min(max(share, _SMALLEST_BLOCK), _LARGEST_BLOCK)
    partial = torch.empty((count,), dtype=torch.int32, device=x.device)
    steps = max(1, share // block)
    partial_amax[(count,)](x, partial, x.numel(), BLOCK=block, STEPS=steps, num_warps=block // 256)
    return partial


def pointers_of(given: Given | None, otherwise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The given scale and zero-point; of what there is not, a tensor that is not looked at."""
    if given is None:
        return otherwise, otherwise
    zero_point = given.scale if given.zero_point is None else given.zero_point
    return given.scale.contiguous(), raw(zero_point.contiguous())


def constants_of_quotient(
    dtype: torch.dtype, args: QuantizationArgs, given: Given | None, whole: object
) -> Constants:
    """How x, of a dtype, is divided by its scales."""
    s = torch.promote_types(dtype, torch.float32 if whole is not NO_GLOBAL else dtype)
    rule = division(args, dtype, whole is not NO_GLOBAL)
    if whole is GIVEN_GLOBAL:
        rule = int(EXACT.value)
    if given is not None:
        s = given.dtype_of_s
        rule = division_by_given(dtype, s)
    return {
        "GIVEN": given is not None,
        "S": TRITON_DTYPES[s],
        "Y": TRITON_DTYPES[torch.promote_types(dtype, s)],
        "DIVISION": rule,
    }


def constants_of_scale(
    dtype: torch.dtype, args: QuantizationArgs, given: Given | None, *, has_global: bool
) -> Constants:
    """How the scales of an x of a dtype are made and stored."""
    working = torch.promote_types(dtype, torch.float32) if has_global else dtype
    made = scale_constants(args, dtype, working)
    if args.symmetric:
        # there is no zero-point, whatever its dtype
        made |= {"ZP": tl.int8, "ZP_MIN": 0.0, "ZP_MAX": 0.0}
    return made if given is None else made | given.constants()


def dtype_of_scale(
    dtype: torch.dtype,
    args: QuantizationArgs,
    given: Given | None,
    *,
    has_global: bool,
    stored: bool,
) -> torch.dtype | None:
    """The dtype of scales that are stored as numbers; None for what is rounded once more."""
    if given is not None:
        return given.scale.dtype if given.stored is None else given.stored
    working = torch.promote_types(dtype, torch.float32) if has_global else dtype
    if not stored or args.resolved_scale_dtype is None:
        return working
    resolved = torch_dtype(args.resolved_scale_dtype)
    exact = resolved in (working, torch.float32) or working == torch.float32
    return resolved if resolved in TRITON_DTYPES and exact else None
