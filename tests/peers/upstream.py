"""compressed-tensors 0.20.0 under the reference's names: numpy arrays in, numpy arrays out.

Arrays cross as raw bits. Nothing else is done here: what upstream answers is what comes back.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.compressors.format import infer_module_format
from compressed_tensors.compressors.mxfp6 import helpers as fp6
from compressed_tensors.compressors.nvfp4 import helpers as fp4
from compressed_tensors.compressors.pack_quantized import helpers as int32
from compressed_tensors.quantization import QuantizationArgs as PeerArgs
from compressed_tensors.quantization import QuantizationScheme as PeerScheme
from compressed_tensors.quantization import quant_args, quant_scheme
from compressed_tensors.quantization.lifecycle import forward, forward_helpers
from compressed_tensors.quantization.utils import helpers

from qparity.reference import QuantizationArgs, QuantizationScheme
from tests.peers.bits import Array, dtype_of

torch.set_num_threads(1)

FLOAT_DATA = {
    "float4_e2m1fn": quant_args.FP4_E2M1_DATA,
    "float6_e2m3fn": quant_args.FP6_E2M3_DATA,
    "float8_e4m3fn": quant_args.FP8_E4M3_DATA,
}


def tensor(x: Array) -> torch.Tensor:
    """The tensor with the bits of an array."""
    raw = np.ascontiguousarray(x).reshape(x.shape).view(f"i{x.dtype.itemsize}").copy()
    return torch.from_numpy(raw).view(getattr(torch, x.dtype.name))


def array(x: torch.Tensor) -> Array:
    """The array with the bits of a tensor."""
    raw = x.detach().contiguous().view(getattr(torch, f"int{8 * x.element_size()}"))
    return raw.numpy().view(dtype_of(str(x.dtype).removeprefix("torch.")))


def _optional(x: Array | None) -> torch.Tensor | None:
    return None if x is None else tensor(x)


def _torch_dtype(dtype: np.dtype[Any] | None) -> torch.dtype | None:
    return None if dtype is None else getattr(torch, dtype.name)


def peer_args(args: QuantizationArgs) -> PeerArgs:
    """Upstream's args with the same fields."""
    return PeerArgs(**args.to_dict())


def peer_scheme(scheme: QuantizationScheme) -> PeerScheme:
    """Upstream's scheme with the same fields."""
    return PeerScheme(**scheme.to_dict())


def round_to_quantized_type_dtype(
    x: Array, dtype: np.dtype[Any], cast_to_original_dtype: bool = True
) -> Array:
    """Upstream's function of that name."""
    target = _torch_dtype(dtype)
    return array(
        quant_args.round_to_quantized_type_dtype(tensor(x), target, cast_to_original_dtype)
    )


def round_to_quantized_type_args(
    x: Array, args: QuantizationArgs, cast_to_original_dtype: bool = True
) -> Array:
    """Upstream's function of that name, between the bounds of its own ``calculate_range``."""
    theirs = peer_args(args)
    low, high = helpers.calculate_range(theirs, "cpu")
    return array(
        quant_args.round_to_quantized_type_args(
            tensor(x), theirs, low, high, cast_to_original_dtype
        )
    )


def calculate_range(args: QuantizationArgs) -> tuple[float, float]:
    """Upstream's function of that name, as Python floats."""
    low, high = helpers.calculate_range(peer_args(args), "cpu")
    return float(low), float(high)


def calculate_qparams(
    min_vals: Array, max_vals: Array, args: QuantizationArgs, global_scale: Array | None = None
) -> tuple[Array, Array]:
    """Upstream's function of that name."""
    scale, zero_point = helpers.calculate_qparams(
        tensor(min_vals), tensor(max_vals), peer_args(args), _optional(global_scale)
    )
    return array(scale), array(zero_point)


def generate_gparam(
    min_val: Array,
    max_val: Array,
    scale_data: str = "float8_e4m3fn",
    quant_data: str = "float4_e2m1fn",
) -> Array:
    """Upstream's function of that name; the formats by their names."""
    return array(
        helpers.generate_gparam(
            tensor(min_val), tensor(max_val), FLOAT_DATA[scale_data], FLOAT_DATA[quant_data]
        )
    )


def compute_dynamic_scales_and_zp(
    x: Array, args: QuantizationArgs, global_scale: Array | None = None
) -> tuple[Array, Array]:
    """Upstream's function of that name."""
    scale, zero_point = helpers.compute_dynamic_scales_and_zp(
        tensor(x), peer_args(args), torch.nn.Module(), _optional(global_scale)
    )
    return array(scale), array(zero_point)


def quantize(
    x: Array,
    scale: Array,
    zero_point: Array | None,
    args: QuantizationArgs,
    *,
    dtype: np.dtype[Any] | None = None,
    global_scale: Array | None = None,
) -> Array:
    """Upstream's function of that name."""
    result = forward.quantize(
        tensor(x),
        tensor(scale),
        _optional(zero_point),
        peer_args(args),
        _torch_dtype(dtype),
        _optional(global_scale),
    )
    return array(result)


def dequantize(
    x_q: Array,
    scale: Array,
    zero_point: Array | None,
    args: QuantizationArgs,
    *,
    dtype: np.dtype[Any] | None = None,
    global_scale: Array | None = None,
) -> Array:
    """Upstream's function of that name."""
    result = forward.dequantize(
        tensor(x_q),
        tensor(scale),
        _optional(zero_point),
        peer_args(args),
        _torch_dtype(dtype),
        _optional(global_scale),
    )
    return array(result)


def fake_quantize(
    x: Array,
    scale: Array,
    zero_point: Array | None,
    args: QuantizationArgs,
    *,
    global_scale: Array | None = None,
) -> Array:
    """Upstream's function of that name."""
    result = forward.fake_quantize(
        tensor(x),
        tensor(scale),
        _optional(zero_point),
        peer_args(args),
        _optional(global_scale),
    )
    return array(result)


def pack_to_int32(value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """Upstream's function of that name."""
    return array(int32.pack_to_int32(tensor(value), num_bits, packed_dim))


def unpack_from_int32(
    packed: Array, num_bits: int, shape: Sequence[int], packed_dim: int = 1
) -> Array:
    """Upstream's function of that name."""
    sizes = torch.Size(shape)
    return array(int32.unpack_from_int32(tensor(packed), num_bits, sizes, packed_dim))


def pack_fp4_to_uint8(x: Array) -> Array:
    """Upstream's function of that name."""
    return array(fp4.pack_fp4_to_uint8(tensor(x)))


def unpack_fp4_from_uint8(packed: Array, m: int, n: int, dtype: np.dtype[Any]) -> Array:
    """Upstream's function of that name."""
    return array(fp4.unpack_fp4_from_uint8(tensor(packed), m, n, _torch_dtype(dtype)))


def pack_fp6_to_uint8(x: Array) -> Array:
    """Upstream's function of that name."""
    return array(fp6.pack_fp6_to_uint8(tensor(x)))


def unpack_fp6_from_uint8(packed: Array, m: int, n: int, dtype: np.dtype[Any]) -> Array:
    """Upstream's function of that name."""
    return array(fp6.unpack_fp6_from_uint8(tensor(packed), m, n, _torch_dtype(dtype)))


def infer_format(scheme: QuantizationScheme) -> str:
    """The format that upstream stores a linear layer in."""
    return str(infer_module_format(torch.nn.Linear, peer_scheme(scheme)).value)


def _compressor(scheme: QuantizationScheme, name: str | None) -> Any:  # noqa: ANN401 - untyped
    chosen = name or scheme.format or infer_format(scheme)
    return BaseCompressor.get_value_from_registry(chosen)


def compress(
    state_dict: Mapping[str, Array], scheme: QuantizationScheme, format: str | None = None
) -> dict[str, Array]:
    """Upstream's compressor of the format, on local names."""
    tensors = {key: tensor(value) for key, value in state_dict.items()}
    result = _compressor(scheme, format).compress(tensors, peer_scheme(scheme))
    return {key: array(value) for key, value in result.items()}


def decompress(
    state_dict: Mapping[str, Array], scheme: QuantizationScheme, format: str | None = None
) -> dict[str, Array]:
    """Upstream's compressor of the format, backwards."""
    tensors = {key: tensor(value) for key, value in state_dict.items()}
    result = _compressor(scheme, format).decompress(tensors, peer_scheme(scheme))
    return {key: array(value) for key, value in result.items()}


def preset_name_to_scheme(name: str) -> PeerScheme:
    """Upstream's scheme of a preset, for linear layers."""
    return quant_scheme.preset_name_to_scheme(name, ["Linear"])


def preset_names() -> list[str]:
    """The names of upstream's presets."""
    return list(quant_scheme.PRESET_SCHEMES)


def nan_before_rounding(
    x: Array,
    scale: Array,
    zero_point: Array | None,
    args: QuantizationArgs,
    *,
    global_scale: Array | None = None,
) -> Array:
    """Where a NaN arises in upstream's quantize before the code is rounded.

    Upstream itself is run, with its rounding replaced by "is it NaN"; so the layout is its own.
    """

    def one_where_nan(tensor: torch.Tensor, **_: object) -> torch.Tensor:
        return torch.isnan(tensor).to(tensor.dtype)

    with mock.patch.object(forward_helpers, "round_to_quantized_type_args", one_where_nan):
        return quantize(x, scale, zero_point, args, global_scale=global_scale) != 0


@contextmanager
def nan_of_qparams() -> Iterator[list[Array]]:
    """Collects where NaN goes into a rounding of upstream's qparams; the last is the zero-point."""
    found: list[Array] = []
    original = helpers.round_to_quantized_type_dtype

    def spy(tensor: torch.Tensor, *args: object, **kwargs: object) -> torch.Tensor:
        found.append(array(torch.isnan(tensor)).astype(bool))
        return original(tensor, *args, **kwargs)

    with mock.patch.object(helpers, "round_to_quantized_type_dtype", spy):
        yield found
