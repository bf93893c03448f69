"""The backend: the casts, qparams and affine primitives of torchao."""

from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import torch
from torchao.prototype.mx_formats.config import ScaleCalculationMode
from torchao.prototype.mx_formats.kernels import pack_uint4, unpack_uint4
from torchao.prototype.mx_formats.mx_tensor import get_fp_scale, to_mx
from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize
from torchao.quantization import quant_primitives as affine

from qparity.reference import QuantizationArgs

from ..torch_bridge import torch_dtype, torch_versions
from ..torch_eager.device import TorchDevice
from .casts import codes_of_fp4, rounded, values_of_fp4
from .units import block_size, check

_E4M3 = torch.float8_e4m3fn
_MX = {4: torch.float4_e2m1fn_x2, 6: "fp6_e2m3"}


class TorchAO(TorchDevice):
    """torchao in the installed release, on one device: what it has under our names.

    Formulas, where they are not the reference's by definition (docs/parity.md has the table):

    - int ``quantize``: ``clamp(round(x * (1/s)) + zp)``; a reciprocal, and zp after rounding;
    - ``calculate_qparams``: ``scale = max(scale, eps)``, eps the dtype's smallest normal, and
      ``zp = clamp(q_min - round(lo / scale))``;
    - fp8 ``quantize``: ``clamp(float32(x) / s)``, rounded once: the rule ``compute_dtype=float32``;
    - dynamic fp8: ``scale = amax / 448``, with no smallest scale;
    - dynamic NVFP4, one level: ``clamp(float32(amax) / 6, 2^-6, 448)`` to e4m3, in float32;
    - dynamic MX: scaling mode EVEN, in float32; an amax of inf is no other than a finite one;
    - fp4 keeps the sign of zero.

    Whatever else is asked raises ``NotImplementedError``. Nothing is repaired.

    Args:
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        ValueError: if there is no such device.
    """

    deviations = "torchao"

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.libraries = {"torchao": version("torchao")} | torch_versions(self.device)

    def round_to_quantized_type_dtype(
        self, x: torch.Tensor, dtype: npt.DTypeLike, cast_to_original_dtype: bool = True
    ) -> torch.Tensor:
        """``to_fp8_saturated``, or ``f32_to_f4_unpacked`` and its like, and back."""
        return rounded(x, np.dtype(dtype).name, cast_to_original_dtype)

    def round_to_quantized_type_args(
        self,
        x: torch.Tensor,
        args: QuantizationArgs,
        q_min: float,
        q_max: float,
        cast_to_original_dtype: bool = True,
    ) -> torch.Tensor:
        """The same casts, between the bounds of the format alone."""
        check(args)
        row = args.code_format
        if args.type == "int" or (q_min, q_max) != (row.min, row.max):
            raise NotImplementedError("torchao rounds to fp4, fp6 and fp8 in their full range")
        back = cast_to_original_dtype or args.num_bits != 8
        return rounded(x, row.name, back)

    def calculate_qparams(
        self,
        min_vals: torch.Tensor,
        max_vals: torch.Tensor,
        args: QuantizationArgs,
        global_scale: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``choose_qparams_affine_with_min_max``, of integers."""
        check(args, global_scale, args.scale_dtype)
        if args.type != "int" or args.zp_dtype != np.int8 or min_vals.ndim == 0:
            raise NotImplementedError("torchao makes qparams of a range for integers alone")
        kind = affine.MappingType.SYMMETRIC if args.symmetric else affine.MappingType.ASYMMETRIC
        half = 1 << (args.num_bits - 1)
        scale, zero_point = affine.choose_qparams_affine_with_min_max(
            min_vals,
            max_vals,
            kind,
            (),
            torch.int8,
            -half,
            half - 1,
            zero_point_dtype=torch.int8,
        )
        return scale, zero_point

    def compute_dynamic_scales_and_zp(
        self, x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``_choose_scale_float8``; the scales of ``to_mx`` (EVEN) and of ``nvfp4_quantize``."""
        check(args, global_scale)
        if args.type != "float" or not args.symmetric or args.zp_dtype is None:
            raise NotImplementedError("torchao makes dynamic scales of fp8, fp4 and fp6 alone")
        if args.is_mx and args.num_bits in _MX:
            scale = self._mx(x, args.num_bits)
        elif args.num_bits == 4 and args.group_size == 16 and args.strategy == "tensor_group":
            if x.ndim != 2 or x.dtype not in (torch.float32, torch.bfloat16):
                raise NotImplementedError("torchao makes NVFP4 of 2-D float32 and bfloat16")
            scale = nvfp4_quantize(x.contiguous())[0].to(x.dtype)
        elif args.num_bits == 8 and args.scale_dtype is None and x.dtype == torch.float32:
            scale = affine._choose_scale_float8(x.contiguous(), list(block_size(x, args)))
            scale = scale.reshape(1) if args.strategy == "tensor" else scale
        else:
            raise NotImplementedError("torchao has no such dynamic scale")
        return scale, torch.zeros(scale.shape, device=x.device).to(torch_dtype(args.zp_dtype))

    def quantize(
        self,
        x: torch.Tensor,
        scale: torch.Tensor,
        zero_point: torch.Tensor | None,
        args: QuantizationArgs,
        *,
        dtype: np.dtype | None = None,
        g_idx: torch.Tensor | None = None,
        global_scale: torch.Tensor | None = None,
        compute_dtype: np.dtype | None = None,
    ) -> torch.Tensor:
        """``quantize_affine`` to int8, ``_quantize_affine_float8`` to e4m3.

        ``compute_dtype`` says which rule it is judged by; it is not passed on.
        """
        del compute_dtype
        check(args, g_idx, global_scale)
        block = block_size(x, args)
        if dtype == np.int8 and args.type == "int" and x.dtype != torch.float64:
            _check_units(x, block, scale, zero_point)
            if zero_point is None:
                raise NotImplementedError("torchao quantizes to integers with a zero-point")
            half = 1 << (args.num_bits - 1)
            codes: torch.Tensor = affine.quantize_affine(
                x.contiguous(), block, scale, zero_point, torch.int8, -half, half - 1
            )
            return codes
        fp8 = dtype is not None and torch_dtype(dtype) == _E4M3 and args.num_bits == 8
        if (
            not fp8
            or args.type == "int"
            or zero_point is not None
            or scale.ndim != 2
            or torch.float64 in (x.dtype, scale.dtype)
        ):
            raise NotImplementedError("torchao quantizes to int8, and without zero-point to e4m3")
        _check_units(x, block, scale, None)
        result: torch.Tensor = affine._quantize_affine_float8(x, scale, _E4M3)
        return result

    def dequantize(
        self,
        x_q: torch.Tensor,
        scale: torch.Tensor,
        zero_point: torch.Tensor | None = None,
        args: QuantizationArgs | None = None,
        *,
        dtype: np.dtype | None = None,
        g_idx: torch.Tensor | None = None,
        global_scale: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """``dequantize_affine`` of int8, ``_dequantize_affine_float8`` of e4m3."""
        args = check(args, g_idx, global_scale, dtype)
        block = block_size(x_q, args)
        _check_units(x_q, block, scale, zero_point)
        if scale.dtype == torch.float64:
            raise NotImplementedError("torchao dequantizes to no float64")
        if x_q.dtype == torch.int8 and args.type == "int" and zero_point is not None:
            half = 1 << (args.num_bits - 1)
            values: torch.Tensor = affine.dequantize_affine(
                x_q.contiguous(),
                block,
                scale,
                zero_point,
                torch.int8,
                -half,
                half - 1,
                output_dtype=scale.dtype,
            )
            return values
        if x_q.dtype == _E4M3 and scale.dtype == torch.float32 and zero_point is None:
            result: torch.Tensor = affine._dequantize_affine_float8(x_q, scale)
            return result
        raise NotImplementedError("torchao dequantizes int8, and e4m3 without zero-point")

    def pack_fp4_to_uint8(self, x: torch.Tensor) -> torch.Tensor:
        """``pack_uint4`` of ``f32_to_f4_unpacked``."""
        packed: torch.Tensor = pack_uint4(codes_of_fp4(x))
        return packed

    def unpack_fp4_from_uint8(
        self, packed: torch.Tensor, m: int, n: int, dtype: npt.DTypeLike = "bfloat16"
    ) -> torch.Tensor:
        """``f4_unpacked_to_f32`` of ``unpack_uint4``."""
        values = values_of_fp4(unpack_uint4(packed.contiguous()))
        return values.reshape(m, n).to(torch_dtype(dtype))

    def _mx(self, x: torch.Tensor, num_bits: int) -> torch.Tensor:
        if x.dtype not in (torch.float32, torch.bfloat16):
            raise NotImplementedError("torchao makes MX of float32 and bfloat16")
        code, _ = to_mx(x.contiguous(), _MX[num_bits], 32, ScaleCalculationMode.EVEN)
        scale: torch.Tensor = get_fp_scale(code)
        return scale.to(x.dtype)


def _check_units(
    x: torch.Tensor,
    block: tuple[int, ...],
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
) -> None:
    """One scale, and one zero-point, a block."""
    units = (x.shape[0] // block[0], x.shape[1] // block[1])
    for name, value in (("scale", scale), ("zero_point", zero_point)):
        if value is not None and value.numel() != units[0] * units[1]:
            raise NotImplementedError(f"torchao takes one {name} a block")
        if value is not None and value.ndim not in (1, 2):
            raise NotImplementedError(f"torchao takes a 2-D {name}")
