"""The nearest that torchao has for each task, as functions that torch.compile may take."""

from collections.abc import Callable
from typing import Any

import torch

from qparity.reference import QuantizationArgs

from .ours import args_of
from .rows import Task

_E4M3 = torch.float8_e4m3fn
_MX = {"MXFP4A16": torch.float4_e2m1fn_x2, "MXFP6A16": "fp6_e2m3", "MXFP8A16": _E4M3}
Function = Callable[..., Any]
# of the others torch.compile is not asked: they are of the same functions
COMPILED = {
    "compress": ("NVFP4A16", "MXFP4A16", "MXFP8A16", "FP8", "FP8_DYNAMIC", "W8A8", "W4A16"),
    "quantize_dynamic": ("FP8_DYNAMIC", "W8A8"),
    "decompress": ("NVFP4A16", "MXFP4A16", "FP8_DYNAMIC", "W4A16"),
}
NOTES = {
    "MXFP6A16": "codes one a byte, not packed",
    "W4A16_ASYM": "Int4TilePackedTo4dTensor: its own layout, zero-points in bfloat16",
}


def prepared(task: Task, weight: torch.Tensor) -> tuple[Function, tuple[Any, ...]]:
    """A function and its arguments.

    Raises:
        ImportError: if torchao is not installed.
        NotImplementedError: with the reason, if it has no such function.
    """
    args = args_of(task)
    make = _compress(task, args, weight)
    if task.verb in ("compress", "quantize_dynamic"):
        return make, (weight,)
    if task.verb != "decompress":
        raise NotImplementedError(f"no {task.verb} like ours")
    if task.preset == "W4A16_ASYM":
        raise NotImplementedError("Int4TilePackedTo4dTensor has no dequantize")
    return _decompress(task, args, weight), tuple(make(weight))


def note(task: Task) -> str:
    """What is different in what torchao makes."""
    kind = "integer codes one a byte, not packed" if task.preset.endswith("A16") else ""
    if not task.preset.startswith("W"):
        kind = ""
    return NOTES.get(task.preset, kind)


def _compress(task: Task, args: QuantizationArgs, weight: torch.Tensor) -> Function:
    from torchao.prototype.mx_formats.config import ScaleCalculationMode
    from torchao.prototype.mx_formats.mx_tensor import to_mx
    from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize, per_tensor_amax_to_scale
    from torchao.quantization import quant_primitives as affine

    if task.preset == "NVFP4A16":

        def nvfp4(w: torch.Tensor) -> Any:  # noqa: ANN401 - theirs
            whole = per_tensor_amax_to_scale(w.abs().amax())
            return (*nvfp4_quantize(w, 16, whole), whole)

        return nvfp4
    if task.preset in _MX:
        element = _MX[task.preset]
        return lambda w: to_mx(w, element, 32, ScaleCalculationMode.EVEN)
    if task.preset == "W4A16_ASYM":
        return _tile_packed
    block = _block(args, weight)
    if args.type == "float":

        def fp8(w: torch.Tensor) -> Any:  # noqa: ANN401 - theirs
            scale = affine._choose_scale_float8(w, block, _E4M3)
            return affine._quantize_affine_float8(w, scale, _E4M3), scale

        return fp8
    half = 1 << (args.num_bits - 1)

    def integers(w: torch.Tensor) -> Any:  # noqa: ANN401 - theirs
        scale, zero_point = affine.choose_qparams_affine(
            w,
            affine.MappingType.SYMMETRIC,
            tuple(block),
            torch.int8,
            -half,
            half - 1,
            zero_point_dtype=torch.int8,
        )
        codes = affine.quantize_affine(
            w, tuple(block), scale, zero_point, torch.int8, -half, half - 1
        )
        return codes, scale, zero_point

    return integers


def _decompress(task: Task, args: QuantizationArgs, weight: torch.Tensor) -> Function:
    from torchao.prototype.mx_formats.mx_tensor import to_dtype
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor
    from torchao.quantization import quant_primitives as affine

    dtype = weight.dtype
    if task.preset == "NVFP4A16":
        return lambda scale, codes, whole: NVFP4Tensor(
            codes, scale, 16, dtype, whole, None, False, False, None
        ).dequantize(dtype)
    if task.preset in _MX:
        element = _MX[task.preset]
        return lambda scale, codes: to_dtype(codes, scale, element, 32, dtype)
    if args.type == "float":
        return lambda codes, scale: affine._dequantize_affine_float8(codes, scale, dtype)
    block, half = _block(args, weight), 1 << (args.num_bits - 1)
    return lambda codes, scale, zero_point: affine.dequantize_affine(
        codes, tuple(block), scale, zero_point, torch.int8, -half, half - 1, output_dtype=dtype
    )


def _tile_packed(w: torch.Tensor) -> Any:  # noqa: ANN401 - theirs
    from torchao.quantization.quantize_.workflows.int4.int4_tile_packed_to_4d_tensor import (
        Int4TilePackedTo4dTensor,
    )

    return Int4TilePackedTo4dTensor.from_hp(w, [1, 128])


def _block(args: QuantizationArgs, weight: torch.Tensor) -> list[int]:
    rows, cols = weight.shape
    if args.strategy == "tensor":
        return [rows, cols]
    if args.strategy == "block":
        return list(args.block_structure or (rows, cols))
    return [1, int(args.group_size or cols)]
