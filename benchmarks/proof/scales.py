"""Every number as the largest of its unit: the scales that are made of it."""

from dataclasses import replace

import torch

from qparity.reference import QuantizationArgs, preset_name_to_scheme

from .line import Proof
from .patterns import chunks

_ELEMENTS = 1 << 26
_TOKEN = QuantizationArgs(num_bits=8, strategy="token", dynamic=True)


def cases() -> dict[str, QuantizationArgs]:
    """Args by what they round the scale to."""
    found = {"int8, unrounded": _TOKEN}
    for dtype in ("float16", "bfloat16", "float8_e4m3fn"):
        found[f"int8, {dtype}"] = replace(_TOKEN, scale_dtype=dtype)
    found["fp8, bfloat16"] = replace(_TOKEN, type="float", scale_dtype="bfloat16", zp_dtype=None)
    found["int4 asymmetric, bfloat16, and zero-points"] = replace(
        _TOKEN, num_bits=4, symmetric=False, scale_dtype="bfloat16"
    )
    for preset in ("MXFP4A16", "MXFP6A16", "MXFP8A16", "NVFP4A16"):
        args = preset_name_to_scheme(preset).weights
        assert args is not None
        dynamic = "local" if preset == "NVFP4A16" else True
        found[f"{preset.removesuffix('A16')}, {args.scale_dtype}"] = replace(args, dynamic=dynamic)
    return found


def scales(proof: Proof) -> None:
    """``compute_dynamic_scales_and_zp`` of units with one number and zeros, against eager torch."""
    for dtype in (torch.float32,) if proof.tiny else (torch.float32, torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        for label, args in cases().items():
            length = args.group_size or 1
            whole = None
            if args.strategy == "tensor_group":
                whole = torch.tensor([2688 / 7.13], device=proof.device)
            with proof.line(f"scales of every {name} as the largest of its unit, {label}") as tally:
                for largest in chunks(dtype, _ELEMENTS // length, proof.device, proof.tiny):
                    x = torch.zeros((largest.numel(), length), dtype=dtype, device=proof.device)
                    x[:, 0] = largest
                    expected = proof.eager.compute_dynamic_scales_and_zp(x, args, whole)
                    actual = tally.call("compute_dynamic_scales_and_zp", x, args, whole)
                    tally.same(expected, actual)


def ranges(proof: Proof) -> None:
    """``calculate_qparams`` of every float32 as a maximum, where kernels answer it."""
    if not proof.in_kernels("calculate_qparams"):
        return
    for label, args in cases().items():
        whole = None
        if args.strategy == "tensor_group":
            whole = torch.tensor([2688 / 7.13], device=proof.device)
        with proof.line(f"qparams of every float32 as a maximum, {label}") as tally:
            for high in chunks(torch.float32, _ELEMENTS, proof.device, proof.tiny):
                inputs = (torch.zeros_like(high)[:, None], high[:, None], args, whole)
                expected = proof.eager.calculate_qparams(*inputs)
                tally.same(expected, tally.call("calculate_qparams", *inputs))
