"""MX scales: powers of two, stored as E8M0 codes in uint8 (SPEC section 6)."""

import torch

from .dtypes import cast, evaluation_dtype

_BIAS = 127
_LARGEST, _SPECIAL = 254, 255
# integer view, mantissa bits and exponent bias of each dtype
_FIELDS = {
    torch.float16: (torch.int16, 10, 15),
    torch.bfloat16: (torch.int16, 7, 127),
    torch.float32: (torch.int32, 23, 127),
    torch.float64: (torch.int64, 52, 1023),
}


def mx_scale(amax: torch.Tensor, num_bits: int) -> torch.Tensor:
    """The power-of-two scale of a range, in its dtype; an underflow gives 0, NaN gives NaN.

    field = (bits + 2^(M-m-1)) >> M, code = clip(127 + field - B - offset, 0, 254),
    scale = 2^(code-127). Zero and subnormal amax: code 0; inf: code 255.
    """
    integer, mantissa, bias = _FIELDS[amax.dtype]
    element_mantissa, offset = (3 if num_bits == 6 else 1), (8 if num_bits == 8 else 2)
    bits = amax.view(integer).to(torch.int64 if integer == torch.int64 else torch.int32)
    # up to the next power of two, from halfway between the last two mantissas of the element on
    field = (bits + (1 << (mantissa - element_mantissa - 1))) >> mantissa
    code = field + (_BIAS - bias - offset)
    if bias < _BIAS:
        # of the other dtypes a field of 0 is clipped to 0 anyhow
        code = torch.where(field == 0, 0, code)
    # to the dtype of the range
    scale = cast(_power_of_two(code.clamp_(0, _LARGEST)), amax.dtype)
    return torch.where(amax < torch.inf, scale, amax)


def mx_code(scale: torch.Tensor) -> torch.Tensor:
    """The stored code of a scale: its exponent + 127, at least 0; inf and NaN are 255.

    Raises:
        ValueError: if a scale is negative.
    """
    if bool((scale < 0).any()):
        raise ValueError("weight_scale: a negative scale is not allowed in MX; allowed: >= 0")
    wide = scale.to(evaluation_dtype(scale.dtype))
    integer, mantissa, bias = _FIELDS[wide.dtype]
    infinity = 2 * bias + 1
    field = (wide.view(integer) >> mantissa) & infinity
    code = (field + (_BIAS - bias)).clamp(0, _LARGEST)
    return torch.where(field == infinity, _SPECIAL, code).to(torch.uint8)


def scale_of_mx_code(code: torch.Tensor) -> torch.Tensor:
    """The scale of a stored code in bfloat16, where all are exact; 255 is inf."""
    return cast(_power_of_two(code), torch.bfloat16)


def _power_of_two(code: torch.Tensor) -> torch.Tensor:
    """2^(code-127) in float32, from its bits; 255 is inf."""
    subnormal = 1 << 22
    return (code.to(torch.int32) << 23).clamp_(min=subnormal).view(torch.float32)
