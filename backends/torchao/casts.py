"""Casts of torchao: fp8 saturated; fp4 and fp6 as codes and back."""

from typing import Any

import torch
from torchao.float8.float8_utils import to_fp8_saturated
from torchao.prototype.mx_formats import kernels

__all__ = ["codes_of_fp4", "rounded", "values_of_fp4"]

_SMALL: dict[str, tuple[Any, Any]] = {
    "float4_e2m1fn": (kernels.f32_to_f4_unpacked, kernels.f4_unpacked_to_f32),
    "float6_e2m3fn": (kernels.f32_to_f6_e2m3_unpacked, kernels.f6_e2m3_unpacked_to_f32),
    "float6_e3m2fn": (kernels.f32_to_f6_e3m2_unpacked, kernels.f6_e3m2_unpacked_to_f32),
}
_FP8 = {"float8_e4m3fn": torch.float8_e4m3fn, "float8_e5m2": torch.float8_e5m2}


def rounded(x: torch.Tensor, name: str, back: bool) -> torch.Tensor:
    """``x`` rounded to the format of a name, in it or back in x's dtype.

    Raises:
        NotImplementedError: if torchao has no cast from x's dtype to the format.
    """
    if x.ndim == 0:
        raise NotImplementedError("torchao is asked for tensors of a dimension or more")
    if name in _FP8:
        codes: torch.Tensor = to_fp8_saturated(x, _FP8[name])
        return codes.to(x.dtype) if back else codes
    if name not in _SMALL or not back:
        raise NotImplementedError(f"torchao has no cast to {name}")
    to_codes, to_values = _SMALL[name]
    values: torch.Tensor = to_values(to_codes(_as_float32(x)))
    return values.to(x.dtype)


def codes_of_fp4(x: torch.Tensor) -> torch.Tensor:
    """fp4 codes in uint8, one each."""
    codes: torch.Tensor = kernels.f32_to_f4_unpacked(_as_float32(x))
    return codes


def values_of_fp4(codes: torch.Tensor) -> torch.Tensor:
    """The float32 values of fp4 codes."""
    values: torch.Tensor = kernels.f4_unpacked_to_f32(codes)
    return values


def _as_float32(x: torch.Tensor) -> torch.Tensor:
    """The casts are of float32, which holds every bfloat16 and float16."""
    if x.dtype == torch.float64:
        raise NotImplementedError("torchao casts no float64 to fp4 or fp6")
    return x.contiguous().to(torch.float32)
