"""The Triton backend: fused kernels, and eager torch for what they do not cover."""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from qparity.reference import QuantizationScheme

from ..torch_eager import TorchBackend
from . import apply, composed, dynamic, observe, pack, qparams, rounding, unpack
from .arithmetic import INTERPRETED
from .compress import compress_calibrated, compress_weight
from .decompress import decompress

StateDict = dict[str, torch.Tensor]

_KERNELS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "calculate_qparams": qparams.calculate_qparams,
        "compute_dynamic_scales_and_zp": dynamic.compute_dynamic_scales_and_zp,
        "decompress": decompress,
        "dequantize": apply.dequantize,
        "fake_quantize": apply.fake_quantize,
        "generate_gparam": qparams.generate_gparam,
        "memoryless_minmax": observe.memoryless_minmax,
        "minmax": observe.minmax,
        "pack_fp4_to_uint8": pack.pack_fp4_to_uint8,
        "pack_fp6_to_uint8": pack.pack_fp6_to_uint8,
        "pack_to_int32": pack.pack_to_int32,
        "quantize": apply.quantize,
        "round_to_quantized_type_args": rounding.round_to_quantized_type_args,
        "round_to_quantized_type_dtype": rounding.round_to_quantized_type_dtype,
        "static_minmax": observe.static_minmax,
        "unpack_fp4_from_uint8": unpack.unpack_fp4_from_uint8,
        "unpack_fp6_from_uint8": unpack.unpack_fp6_from_uint8,
        "unpack_from_int32": unpack.unpack_from_int32,
    }
)


class TritonBackend(TorchBackend):
    """All functions of ``qparity.reference``, in fused kernels where they are bound by memory.

    ``compress`` makes the scales too where the state dict has none, and ``quantize_dynamic`` those
    of activations: they read the tensor once and write codes and scales once (two reads where a
    scale is of the whole tensor). What no kernel covers is computed by ``torch_eager``, which gives
    the same bits; ``fallbacks`` counts those calls by function.

    Kernels run on the device of their tensors. The host waits for it only to refuse values that
    are no codes, in packing, or no MX scales, in ``compress``, and to read the shape of words that
    their scales do not tell, in ``decompress``. In a CUDA graph such values cannot be refused:
    there packing takes the low bits of their codes. A ``weight_shape`` on the GPU is not read, and
    so not refused if it is wrong, where the scales of groups tell the shape; one on the CPU is.

    Args:
        device: ``"cuda"``; or ``"cpu"`` in Triton's interpreter (``TRITON_INTERPRET=1``).

    Raises:
        ValueError: if there is no such device, or the interpreter is not on where it must be.
    """

    def __init__(self, device: torch.device | str) -> None:
        super().__init__(device)
        if (self.device.type == "cpu") != bool(INTERPRETED.value):
            raise ValueError(
                f"device: {str(device)!r} is not allowed; allowed: 'cuda', "
                "or 'cpu' with TRITON_INTERPRET=1 in the environment"
            )
        self.fallbacks: Counter[str] = Counter()
        for name, kernel in _KERNELS.items():
            setattr(self, name, self._or_eager(name, kernel, getattr(TorchBackend, name)))
        self.compress = self._or_eager("compress", _compress, _compress_eagerly)
        self.quantize_dynamic = self._or_eager(
            "quantize_dynamic", dynamic.quantize_dynamic, composed.quantize_dynamic
        )

    def _or_eager(
        self, name: str, kernel: Callable[..., Any], eager: Callable[..., Any]
    ) -> Callable[..., Any]:
        """What ``kernel`` returns; or ``eager``, where that is None or refuses the arguments."""
        if torch.cuda.device_count() > 1:
            kernel = _where_tensors_are(kernel)

        @functools.wraps(eager)
        def function(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            try:
                found = kernel(*args, **options)
            except (AttributeError, TypeError, ValueError):
                # what is not allowed is refused, by name, by the eager function
                found = None
            if found is None:
                self.fallbacks[name] += 1
                return eager(*args, **options)
            return found

        return function


def _where_tensors_are(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """``kernel`` on the device of the first tensor, which need not be the current one."""

    def function(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        with torch.cuda.device_of(_first_tensor((*args, *options.values()))):
            return kernel(*args, **options)

    return function


def _first_tensor(values: Iterable[object]) -> object:
    """The first tensor, of a state dict too; None if there is none."""
    for value in values:
        found = _first_tensor(value.values()) if isinstance(value, Mapping) else value
        if isinstance(found, torch.Tensor):
            return found
    return None


def _compress(
    state_dict: Mapping[str, torch.Tensor], scheme: QuantizationScheme, format: str | None = None
) -> StateDict | None:
    if "weight" in state_dict and "weight_scale" in state_dict:
        return compress_calibrated(state_dict, scheme, format)
    if not _lacks_scales(state_dict, scheme):
        return None
    made = compress_weight(state_dict["weight"], scheme, format)
    return None if made is None else _replaced(state_dict, made)


def _compress_eagerly(
    state_dict: Mapping[str, torch.Tensor], scheme: QuantizationScheme, format: str | None = None
) -> StateDict:
    """As the reference's; a ``weight`` without ``weight_scale`` is given min/max scales.

    See ``composed.compress_weight``.
    """
    if not _lacks_scales(state_dict, scheme):
        return TorchBackend.compress(state_dict, scheme, format)
    return _replaced(state_dict, composed.compress_weight(state_dict["weight"], scheme, format))


def _lacks_scales(state_dict: Mapping[str, torch.Tensor], scheme: QuantizationScheme) -> bool:
    return (
        "weight" in state_dict and "weight_scale" not in state_dict and scheme.weights is not None
    )


def _replaced(state_dict: Mapping[str, torch.Tensor], made: StateDict) -> StateDict:
    return {key: value for key, value in state_dict.items() if key != "weight"} | made
