"""The backend: each verb calls the function of that name in the installed release."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from qparity.reference import QuantizationArgs, QuantizationScheme

from ..torch_bridge import torch_dtype, torch_versions
from ..torch_eager.device import TorchDevice
from .checkpoints import compressed, decompressed
from .fields import optional_dtype, peer_args
from .release import RELEASE, find, takes

_FORWARD, _ARGS = "quantization.lifecycle.forward", "quantization.quant_args"
_FLOAT_DATA = {
    "float4_e2m1fn": "FP4_E2M1_DATA",
    "float6_e2m3fn": "FP6_E2M3_DATA",
    "float8_e4m3fn": "FP8_E4M3_DATA",
}


class CompressedTensors(TorchDevice):
    """compressed-tensors in the installed release, on one device.

    What comes back is what the library answers, NaN, zeros and errors included; nothing is
    repaired. What the release lacks, or cannot be told, raises ``NotImplementedError`` with the
    reason. Observers are not part of the library.

    ``compute_dtype`` is taken and not passed on: the library has one rule on each device, and the
    argument says which rule it is judged by. ``args`` and dtypes are translated; an e4m3 scale that
    a release before ``scale_dtype`` returns in e4m3 is read in the working dtype, which is exact.

    Args:
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        ValueError: if there is no such device.
    """

    deviations = "compressed-tensors"

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.libraries = {"compressed-tensors": RELEASE} | torch_versions(self.device)

    def calculate_range(self, args: QuantizationArgs) -> tuple[float, float]:
        """``quantization.utils.calculate_range``, as Python numbers."""
        low, high = find("helpers", "calculate_range")(peer_args(args), self.device)
        return float(low), float(high)

    def round_to_quantized_type_dtype(
        self, x: torch.Tensor, dtype: npt.DTypeLike, cast_to_original_dtype: bool = True
    ) -> torch.Tensor:
        """``quantization.quant_args.round_to_quantized_type_dtype``; none before 0.13."""
        function = find(_ARGS, "round_to_quantized_type_dtype")
        return _tensor(function(x, _known_dtype(dtype), cast_to_original_dtype))

    def round_to_quantized_type_args(
        self,
        x: torch.Tensor,
        args: QuantizationArgs,
        q_min: float,
        q_max: float,
        cast_to_original_dtype: bool = True,
    ) -> torch.Tensor:
        """``quantization.quant_args.round_to_quantized_type_args``; none before 0.13."""
        function = find(_ARGS, "round_to_quantized_type_args")
        low, high = (torch.tensor(bound, device=self.device) for bound in (q_min, q_max))
        return _tensor(function(x, peer_args(args), low, high, cast_to_original_dtype))

    def calculate_qparams(
        self,
        min_vals: torch.Tensor,
        max_vals: torch.Tensor,
        args: QuantizationArgs,
        global_scale: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``quantization.utils.calculate_qparams``."""
        function = find("helpers", "calculate_qparams")
        scale, zero_point = function(min_vals, max_vals, peer_args(args), global_scale)
        return _in_working_dtype(scale, min_vals, global_scale), zero_point

    def generate_gparam(
        self,
        min_val: torch.Tensor,
        max_val: torch.Tensor,
        *,
        scale_data: Any = None,  # noqa: ANN401 - a row of FORMATS
        quant_data: Any = None,  # noqa: ANN401 - a row of FORMATS
    ) -> torch.Tensor:
        """``generate_gparam``, with the library's own rows of the formats."""
        function = find("helpers", "generate_gparam")
        rows = {"scale_data": scale_data, "quant_data": quant_data}
        given = {name: _float_data(row.name) for name, row in rows.items() if row is not None}
        return _tensor(function(min_val, max_val, **given))

    def compute_dynamic_scales_and_zp(
        self, x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``quantization.utils.compute_dynamic_scales_and_zp``."""
        function = find("helpers", "compute_dynamic_scales_and_zp")
        scale, zero_point = function(x, peer_args(args), torch.nn.Module(), global_scale)
        return _in_working_dtype(scale, x, global_scale), zero_point

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
        compute_dtype: np.dtype | None = None,  # noqa: ARG002 - see the class
    ) -> torch.Tensor:
        """``quantization.lifecycle.forward.quantize``."""
        function = find(_FORWARD, "quantize")
        more = _group_order(function, g_idx) | {"dtype": optional_dtype(dtype)}
        theirs = peer_args(args)
        return _tensor(function(x, scale, zero_point, theirs, global_scale=global_scale, **more))

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
        """``quantization.lifecycle.forward.dequantize``, which may infer ``args``."""
        function = find(_FORWARD, "dequantize")
        more = _group_order(function, g_idx) | {"dtype": optional_dtype(dtype)}
        theirs = None if args is None else peer_args(args)
        return _tensor(function(x_q, scale, zero_point, theirs, global_scale=global_scale, **more))

    def fake_quantize(
        self,
        x: torch.Tensor,
        scale: torch.Tensor,
        zero_point: torch.Tensor | None,
        args: QuantizationArgs,
        *,
        g_idx: torch.Tensor | None = None,
        global_scale: torch.Tensor | None = None,
        compute_dtype: np.dtype | None = None,  # noqa: ARG002 - see the class
    ) -> torch.Tensor:
        """``quantization.lifecycle.forward.fake_quantize``."""
        function = find(_FORWARD, "fake_quantize")
        more = _group_order(function, g_idx)
        theirs = peer_args(args)
        return _tensor(function(x, scale, zero_point, theirs, global_scale=global_scale, **more))

    def pack_to_int32(
        self, value: torch.Tensor, num_bits: int, packed_dim: int = 1
    ) -> torch.Tensor:
        """``pack_to_int32`` of the pack-quantized compressor."""
        return _tensor(find("int32", "pack_to_int32")(value, num_bits, packed_dim))

    def unpack_from_int32(
        self, packed: torch.Tensor, num_bits: int, shape: Sequence[int], packed_dim: int = 1
    ) -> torch.Tensor:
        """``unpack_from_int32`` of the pack-quantized compressor."""
        function = find("int32", "unpack_from_int32")
        return _tensor(function(packed, num_bits, torch.Size(shape), packed_dim))

    def pack_fp4_to_uint8(self, x: torch.Tensor) -> torch.Tensor:
        """``pack_fp4_to_uint8`` of the nvfp4 compressor."""
        return _tensor(find("fp4", "pack_fp4_to_uint8")(x))

    def unpack_fp4_from_uint8(
        self, packed: torch.Tensor, m: int, n: int, dtype: npt.DTypeLike = "bfloat16"
    ) -> torch.Tensor:
        """``unpack_fp4_from_uint8`` of the nvfp4 compressor."""
        return _tensor(find("fp4", "unpack_fp4_from_uint8")(packed, m, n, _known_dtype(dtype)))

    def pack_fp6_to_uint8(self, x: torch.Tensor) -> torch.Tensor:
        """``pack_fp6_to_uint8`` of the mxfp6 compressor; none before 0.20."""
        return _tensor(find("fp6", "pack_fp6_to_uint8")(x))

    def unpack_fp6_from_uint8(
        self, packed: torch.Tensor, m: int, n: int, dtype: npt.DTypeLike = "bfloat16"
    ) -> torch.Tensor:
        """``unpack_fp6_from_uint8`` of the mxfp6 compressor; none before 0.20."""
        return _tensor(find("fp6", "unpack_fp6_from_uint8")(packed, m, n, _known_dtype(dtype)))

    def compress(
        self,
        state_dict: Mapping[str, torch.Tensor],
        scheme: QuantizationScheme,
        format: str | None = None,
    ) -> dict[str, torch.Tensor]:
        """``compress`` of the compressor of the format, on local names."""
        return compressed(state_dict, scheme, format, self.device)

    def decompress(
        self,
        state_dict: Mapping[str, torch.Tensor],
        scheme: QuantizationScheme,
        format: str | None = None,
    ) -> dict[str, torch.Tensor]:
        """``decompress`` of the compressor of the format, on local names."""
        return decompressed(state_dict, scheme, format)


def _tensor(result: Any) -> torch.Tensor:  # noqa: ANN401 - the library has no types
    answer: torch.Tensor = result
    return answer


def _known_dtype(dtype: npt.DTypeLike) -> torch.dtype:
    try:
        return torch_dtype(dtype)
    except TypeError as error:
        raise NotImplementedError(f"torch has no values of {dtype}") from error


def _float_data(name: str) -> Any:  # noqa: ANN401 - the library's own
    if name not in _FLOAT_DATA:
        raise NotImplementedError(f"compressed-tensors {RELEASE} has no row of {name}")
    return find(_ARGS, _FLOAT_DATA[name])


def _group_order(function: Any, g_idx: torch.Tensor | None) -> dict[str, Any]:  # noqa: ANN401
    if g_idx is None:
        return {}
    if not takes(function, "g_idx"):
        raise NotImplementedError(f"compressed-tensors {RELEASE} has no g_idx")
    return {"g_idx": g_idx}


def _in_working_dtype(
    scale: torch.Tensor, of: torch.Tensor, global_scale: torch.Tensor | None
) -> torch.Tensor:
    """A scale that comes back in 8 bits, in the dtype it was computed in."""
    if scale.dtype != torch.float8_e4m3fn:
        return scale
    dtype = of.dtype if global_scale is None else torch.promote_types(of.dtype, global_scale.dtype)
    return scale.to(dtype)
