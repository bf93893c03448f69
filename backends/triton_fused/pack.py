"""Codes packed along their rows or columns, checked on the way; None for what no kernel covers."""

from math import prod

import torch
import triton

from qparity.reference import FLOAT4_E2M1FN, FLOAT6_E2M3FN, FloatFormat

from .pack_kernels import pack_columns, pack_units
from .plan import TRITON_DTYPES

_UNITS = 128
_WIDE = 1024


def pack_to_int32(value: torch.Tensor, num_bits: int, packed_dim: int = 1) -> torch.Tensor | None:
    """As ``torch_eager.pack_to_int32``."""
    if not packable(value, torch.int8, num_bits, packed_dim):
        return None
    *lead, rows, cols = value.shape
    value = value.contiguous()
    if packed_dim == 1:
        words = _pack_rows(value, prod(lead) * rows, cols, num_bits, None)
        return None if words is None else words.view(*lead, rows, -1)
    wrong = _flag(value) if num_bits < 8 else None
    words = pack_along_rows(value, num_bits, wrong)
    return None if wrong is not None and bool(wrong) else words


def pack_along_rows(
    value: torch.Tensor, num_bits: int, wrong: torch.Tensor | None = None
) -> torch.Tensor:
    """The words of contiguous codes (..., rows, columns); ``wrong`` is set if one does not fit."""
    *lead, rows, cols = value.shape
    shape = (*lead, triton.cdiv(rows * num_bits, 32), cols)
    words = torch.empty(shape, dtype=torch.int32, device=value.device)
    units, width = triton.cdiv(rows, 32), min(_WIDE, triton.next_power_of_2(cols))
    pack_columns[(prod(lead) * units * triton.cdiv(cols, width),)](
        value,
        words,
        words if wrong is None else wrong,
        rows,
        cols,
        units,
        shape[-2],
        BITS=num_bits,
        CHECK=wrong is not None,
        COLS=width,
    )
    return words


def pack_fp4_to_uint8(x: torch.Tensor) -> torch.Tensor | None:
    """As ``torch_eager.pack_fp4_to_uint8``."""
    return _pack_floats(x, FLOAT4_E2M1FN, 2)


def pack_fp6_to_uint8(x: torch.Tensor) -> torch.Tensor | None:
    """As ``torch_eager.pack_fp6_to_uint8``."""
    return _pack_floats(x, FLOAT6_E2M3FN, 4)


def packable(tensor: torch.Tensor, dtype: torch.dtype, num_bits: int, packed_dim: int) -> bool:
    """Whether the arguments are allowed, and there is anything to do."""
    return (
        tensor.dtype == dtype
        and tensor.ndim >= 2
        and tensor.numel() > 0
        and type(num_bits) is int
        and 1 <= num_bits <= 8
        and packed_dim in (0, 1)
    )


def _pack_floats(x: torch.Tensor, row: FloatFormat, per_bytes: int) -> torch.Tensor | None:
    """Values of a format as bytes, of which all rows together are one."""
    if x.dtype not in TRITON_DTYPES or x.ndim != 2 or x.shape[1] % per_bytes or x.numel() == 0:
        return None
    words = _pack_rows(x.contiguous(), 1, x.numel(), row.bits, row)
    if words is None:
        return None
    width = x.shape[1] * row.bits // 8
    return words.view(torch.uint8).view(-1)[: x.shape[0] * width].view(x.shape[0], width)


def _pack_rows(
    codes: torch.Tensor, rows: int, cols: int, num_bits: int, row: FloatFormat | None
) -> torch.Tensor | None:
    """Words of each of the rows, which follow each other; None if a value is no code."""
    width = triton.cdiv(cols * num_bits, 32)
    words = torch.empty((rows, width), dtype=torch.int32, device=codes.device)
    wrong = _flag(codes) if num_bits < 8 else None
    if cols * num_bits % 32 == 0:
        # rows of whole words are as one
        rows, cols, width = 1, rows * cols, rows * width
    units = triton.cdiv(cols, 32)
    pack_units[(triton.cdiv(rows * units, _UNITS),)](
        codes,
        words,
        words if wrong is None else wrong,
        rows * units,
        units,
        cols,
        width,
        BITS=num_bits,
        MANTISSA=-1 if row is None else row.mantissa_bits,
        MIN_EXPONENT=0 if row is None else row.min_exponent,
        MAX=0.0 if row is None else row.max,
        CHECK=wrong is not None,
        ONE_ROW=rows == 1,
        WHOLE=rows == 1 and cols % (32 * _UNITS) == 0,
        UNITS=_UNITS,
        WORDS=triton.next_power_of_2(num_bits),
        enable_fp_fusion=False,
    )
    return None if wrong is not None and bool(wrong) else words


def _flag(tensor: torch.Tensor) -> torch.Tensor | None:
    """What a kernel sets where a value is no code; none in a CUDA graph, which cannot refuse."""
    if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
        return None
    return torch.zeros((), dtype=torch.int32, device=tensor.device)
