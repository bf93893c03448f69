"""Scales of activations, made at run time; None for what no kernel covers."""

from math import prod

import torch

from qparity.reference import QuantizationArgs

from ..torch_bridge import torch_dtype
from ..torch_eager.layout import GROUPS
from .compress import fused
from .plan import TRITON_DTYPES
from .scales import GIVEN_GLOBAL, NO_GLOBAL

Dynamic = tuple[torch.Tensor, torch.Tensor]


def compute_dynamic_scales_and_zp(
    x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
) -> Dynamic | None:
    """As ``torch_eager.compute_dynamic_scales_and_zp``."""
    made = _made(x, args, global_scale, codes=False)
    return None if made is None else made[1:]


def quantize_dynamic(
    x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """The codes of ``composed.quantize_dynamic``, its scales and zero-points."""
    return _made(x, args, global_scale, codes=True)


def _made(
    x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None, *, codes: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    if x.ndim == 0 or x.numel() == 0 or x.dtype not in TRITON_DTYPES:
        return None
    if global_scale is not None and (
        global_scale.numel() != 1 or global_scale.dtype != torch.float32 or args.is_mx
    ):
        return None
    if codes and (args.type, args.num_bits) != ("float", 8) and args.type != "int":
        return None
    kept = x.shape[:-1]
    if args.strategy == "token":
        kept = x.shape[:2] if x.ndim > 2 else kept
        scale_shape = (*kept, *(1 for _ in x.shape[len(kept) :])) if x.ndim > 1 else (1,)
    elif args.strategy in GROUPS:
        if not args.group_size or x.shape[-1] % args.group_size:
            return None
        scale_shape = (*kept, x.shape[-1] // args.group_size)
    elif args.strategy == "tensor" and args.symmetric and global_scale is None:
        scale_shape = (1,)
    else:
        return None
    rows = prod(kept)
    made = fused(
        x.reshape(rows, x.numel() // rows),
        args,
        packed=False,
        whole=NO_GLOBAL if global_scale is None else GIVEN_GLOBAL,
        global_scale=global_scale,
        stored=False,
        codes=codes,
    )
    if made is None:
        return None
    zp_dtype = torch.int8 if args.zp_dtype is None else torch_dtype(args.zp_dtype)
    zero_point = made.get("zero_point")
    if zero_point is None:
        zero_point = torch.zeros(scale_shape, dtype=zp_dtype, device=x.device)
    code = made["codes"]
    if codes:
        code = code.view(torch.int8 if args.type == "int" else torch.float8_e4m3fn).view(x.shape)
    return code, made["scale"].view(scale_shape), zero_point.view(scale_shape)
