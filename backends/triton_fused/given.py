"""Scales that are there before the codes, as after calibration."""

from dataclasses import dataclass

import torch

from qparity.reference import QuantizationArgs

from ..torch_bridge import torch_dtype
from ..torch_eager.dtypes import ZERO_POINTS
from ..torch_eager.quantize import dtype_of_s
from .memory_order import bound_in
from .plan import STORED_DTYPES, TRITON_DTYPES, Constants
from .scales import E4M3_SCALE, FLOAT_SCALE, MX_SCALE, UNROUNDED

_STORED = (None, torch.uint8, torch.float8_e4m3fn, *TRITON_DTYPES)


@dataclass(frozen=True, slots=True)
class Given:
    """The scales of units, and what comes with them.

    Attributes:
        scale: of the shape of the units; float16, bfloat16 or float32.
        zero_point: of that shape, or None.
        global_scale: one float, or None.
        stored: what the scale is rounded to on disk; None: as it is.
    """

    scale: torch.Tensor
    zero_point: torch.Tensor | None
    global_scale: torch.Tensor | None
    stored: torch.dtype | None

    @property
    def dtype_of_s(self) -> torch.dtype:
        """The dtype of scale / global scale."""
        return dtype_of_s(self.scale.dtype, self.global_scale)

    @property
    def is_covered(self) -> bool:
        """Whether the kernels read and write such tensors."""
        zero_point, whole = self.zero_point, self.global_scale
        known = self.scale.dtype in TRITON_DTYPES and self.stored in _STORED
        if zero_point is not None:
            known &= zero_point.dtype in ZERO_POINTS and zero_point.dtype != torch.float64
        if whole is not None:
            known &= whole.dtype in TRITON_DTYPES and whole.numel() == 1
        return known

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether these are the scales and zero-points of units of that shape."""
        return all(
            value is None or tuple(value.shape) == shape for value in (self.scale, self.zero_point)
        )

    def constants(self) -> Constants:
        """What is other in ``plan.scale_constants`` where the scale is given."""
        zero_point = self.scale if self.zero_point is None else self.zero_point
        zp: Constants = {"ZP": STORED_DTYPES[zero_point.dtype]}
        modes = {None: UNROUNDED, torch.uint8: MX_SCALE, torch.float8_e4m3fn: E4M3_SCALE}
        if self.stored not in TRITON_DTYPES:
            return zp | {"SCALE_MODE": modes[self.stored]}
        limit = bound_in(self.scale.dtype, torch.finfo(self.stored).max)
        rounding = {"SCALE": TRITON_DTYPES[self.stored], "SCALE_MAX": limit}
        return zp | rounding | {"SCALE_MODE": FLOAT_SCALE}


def stored_dtype(args: QuantizationArgs, format: str) -> torch.dtype | None:
    """The dtype that scales are rounded to on disk; None: they stay as they are."""
    if args.is_mx:
        return torch.uint8
    if args.resolved_scale_dtype is not None:
        return torch_dtype(args.resolved_scale_dtype)
    return torch.float8_e4m3fn if format == "nvfp4-pack-quantized" else None
