"""Packed codes, one in an element again; None for what no kernel covers."""

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt
import torch
import triton
import triton.language as tl

from qparity.reference import FLOAT4_E2M1FN, FLOAT6_E2M3FN, FloatFormat

from ..torch_bridge import torch_dtype
from ..torch_eager.packing import sizes_of
from .pack import packable
from .plan import TRITON_DTYPES
from .unpack_kernels import unpack_columns, unpack_eights

_EIGHTS = 512
_WIDE = 1024


def unpack_from_int32(
    packed: torch.Tensor,
    num_bits: int,
    shape: Sequence[int] | torch.Tensor,
    packed_dim: int = 1,
) -> torch.Tensor | None:
    """As ``torch_eager.unpack_from_int32``; a shape on a device is left to it."""
    if not packable(packed, torch.int32, num_bits, packed_dim):
        return None
    if isinstance(shape, torch.Tensor) and not shape.is_cpu:
        return None
    *lead, rows, cols = sizes_of(shape, "shape")
    if packed_dim == 1:
        words = (*lead, rows, triton.cdiv(cols * num_bits, 32))
    else:
        words = (*lead, triton.cdiv(rows * num_bits, 32), cols)
    if tuple(packed.shape) != words:
        return None
    codes = torch.empty((*lead, rows, cols), dtype=torch.int8, device=packed.device)
    packed = packed.contiguous()
    if packed_dim == 1:
        _unpack_rows(packed, codes, codes.numel() // cols, cols, num_bits, None)
        return codes
    units, width = triton.cdiv(rows, 32), min(_WIDE, triton.next_power_of_2(cols))
    unpack_columns[(prod(lead) * units * triton.cdiv(cols, width),)](
        packed, codes, rows, cols, units, words[-2], BITS=num_bits, COLS=width
    )
    return codes


def unpack_fp4_from_uint8(
    packed: torch.Tensor, m: int, n: int, dtype: npt.DTypeLike = "bfloat16"
) -> torch.Tensor | None:
    """As ``torch_eager.unpack_fp4_from_uint8``."""
    return _unpack_floats(packed, m, n, dtype, FLOAT4_E2M1FN, 2)


def unpack_fp6_from_uint8(
    packed: torch.Tensor, m: int, n: int, dtype: npt.DTypeLike = "bfloat16"
) -> torch.Tensor | None:
    """As ``torch_eager.unpack_fp6_from_uint8``."""
    return _unpack_floats(packed, m, n, dtype, FLOAT6_E2M3FN, 4)


def _unpack_floats(
    packed: torch.Tensor, m: int, n: int, dtype: npt.DTypeLike, row: FloatFormat, per_bytes: int
) -> torch.Tensor | None:
    returned = torch_dtype(np.dtype(dtype))
    if packed.dtype != torch.uint8 or returned not in TRITON_DTYPES or packed.numel() == 0:
        return None
    if m < 0 or n < 0 or n % per_bytes or packed.numel() * 8 != m * n * row.bits:
        return None
    values = torch.empty((m, n), dtype=returned, device=packed.device)
    _unpack_rows(as_words(packed), values, 1, m * n, row.bits, row)
    return values


def as_words(packed: torch.Tensor) -> torch.Tensor:
    """Bytes as int32 words, the last of which they may not fill; a copy where they must move."""
    data = packed.reshape(-1)
    if data.stride(0) == 1 and data.numel() % 4 == 0 and data.data_ptr() % 4 == 0:
        return data.view(torch.int32)
    words = torch.empty(triton.cdiv(data.numel(), 4), dtype=torch.int32, device=data.device)
    words.view(torch.uint8)[: data.numel()] = data
    return words


def _unpack_rows(
    words: torch.Tensor,
    out: torch.Tensor,
    rows: int,
    cols: int,
    num_bits: int,
    row: FloatFormat | None,
) -> None:
    width = triton.cdiv(cols * num_bits, 32)
    if cols * num_bits % 32 == 0:
        # rows of whole words are as one
        rows, cols, width = 1, rows * cols, rows * width
    eights = triton.cdiv(cols, 8)
    unpack_eights[(triton.cdiv(rows * eights, _EIGHTS),)](
        words,
        out,
        rows * eights,
        eights,
        cols,
        width,
        BITS=num_bits,
        MANTISSA=-1 if row is None else row.mantissa_bits,
        MIN_EXPONENT=0 if row is None else row.min_exponent,
        OUT=TRITON_DTYPES.get(out.dtype, tl.int8),
        ONE_ROW=rows == 1,
        WHOLE=rows == 1 and cols % (8 * _EIGHTS) == 0,
        EIGHTS=_EIGHTS,
    )
