"""Scales of activations, made at run time; None for what no kernel covers."""

from math import prod

import torch

from qparity.reference import QuantizationArgs

from ..torch_bridge import numpy_dtype
from ..torch_eager.dtypes import FLOAT8
from ..torch_eager.layout import GROUPS
from ..torch_eager.scales import EXPONENT_RULES
from .apply import quantize
from .compress_units import fused
from .observe import memoryless_minmax
from .plan import TRITON_DTYPES, zero_point_dtype
from .qparams import calculate_qparams
from .scales import GIVEN_GLOBAL, NO_GLOBAL

# dtypes of torch that codes are stored in
_CODES = {str(d).removeprefix("torch."): d for d in (torch.int8, *FLOAT8)}
# the strategies by which rows, and the whole, have the ranges of the dynamic ones
_UNITS = {
    "token": QuantizationArgs(strategy="channel"),
    "tensor": QuantizationArgs(strategy="tensor"),
}
Dynamic = tuple[torch.Tensor, torch.Tensor]


def compute_dynamic_scales_and_zp(
    x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
) -> Dynamic | None:
    """As ``torch_eager.compute_dynamic_scales_and_zp``."""
    made = _made(x, args, global_scale, None)
    return None if made is None else made[1:]


def quantize_dynamic(
    x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """The codes of ``composed.quantize_dynamic``, its scales and zero-points."""
    code = _CODES.get(args.code_format.dtype.name)
    return None if code is None else _made(x, args, global_scale, code)


def _made(
    x: torch.Tensor,
    args: QuantizationArgs,
    global_scale: torch.Tensor | None,
    code: torch.dtype | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """Codes in a dtype of one byte, or anything if there is none; scale and zero-point."""
    if x.ndim == 0 or x.numel() == 0 or x.dtype not in TRITON_DTYPES:
        return None
    if global_scale is not None and (
        global_scale.numel() != 1
        or global_scale.dtype != torch.float32
        or args.scale_rule in EXPONENT_RULES
    ):
        return None
    kept = x.shape[:-1]
    if args.strategy == "token":
        kept = x.shape[:2] if x.ndim > 2 else kept
        scale_shape = (*kept, *(1 for _ in x.shape[len(kept) :])) if x.ndim > 1 else (1,)
    elif args.strategy in GROUPS:
        if not args.group_size or x.shape[-1] % args.group_size:
            return None
        scale_shape = (*kept, x.shape[-1] // args.group_size)
    elif args.strategy == "tensor":
        scale_shape = (1,)
    else:
        return None
    rows = x.reshape(prod(kept), -1)
    made = fused(
        rows,
        args,
        packed=False,
        whole=NO_GLOBAL if global_scale is None else GIVEN_GLOBAL,
        global_scale=global_scale,
        stored=False,
        codes=code is not None,
    )
    if made is None:
        made = _by_steps(rows, args, global_scale, code)
    if made is None:
        return None
    codes, zero_point = made["codes"], made.get("zero_point")
    if zero_point is None:
        zero_point = torch.zeros(scale_shape, dtype=zero_point_dtype(args), device=x.device)
    if code is not None:
        codes = codes.view(code).view(x.shape)
    return codes, made["scale"].view(scale_shape), zero_point.view(scale_shape)


def _by_steps(
    rows: torch.Tensor,
    args: QuantizationArgs,
    global_scale: torch.Tensor | None,
    code: torch.dtype | None,
) -> dict[str, torch.Tensor] | None:
    """Ranges, scales of them, codes: a kernel each, for units too long for one to do it all."""
    units = _UNITS.get(args.strategy or "", args)
    ranges = memoryless_minmax(rows, units)
    qparams = None if ranges is None else calculate_qparams(*ranges, args, global_scale)
    if qparams is None:
        return None
    scale, zero_point = qparams
    made = {"codes": scale, "scale": scale, "zero_point": zero_point}
    if code is None:
        return made
    codes = quantize(
        rows, scale, zero_point, args, dtype=numpy_dtype(code), global_scale=global_scale
    )
    return None if codes is None else made | {"codes": codes}
