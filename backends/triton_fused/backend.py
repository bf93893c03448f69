"""The Triton backend: fused kernels, and eager torch for what they do not cover."""

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import torch

from qparity.reference import QuantizationScheme

from ..torch_eager import TorchBackend
from . import apply, composed, dynamic
from .arithmetic import INTERPRETED
from .compress import compress_weight
from .decompress import decompress

StateDict = dict[str, torch.Tensor]


class TritonBackend(TorchBackend):
    """All functions of ``qparity.reference``, in fused kernels where they are bound by memory.

    ``compress`` makes the scales too where the state dict has none, and ``quantize_dynamic`` those
    of activations: they read the tensor once and write codes and scales once (two reads where a
    scale is of the whole tensor). What no kernel covers is computed by ``torch_eager``, which gives
    the same bits; ``fallbacks`` counts those calls by function.

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
        for name in ("quantize", "dequantize", "fake_quantize"):
            setattr(self, name, self._or_eager(name, getattr(apply, name)))
        name = "compute_dynamic_scales_and_zp"
        setattr(self, name, self._or_eager(name, dynamic.compute_dynamic_scales_and_zp))
        self.decompress = self._or_eager("decompress", decompress)
        self.compress = self._compress

    def quantize_dynamic(self, *args: Any, **options: Any) -> tuple[torch.Tensor, ...]:  # noqa: ANN401
        """See ``composed.quantize_dynamic``."""
        found = dynamic.quantize_dynamic(*args, **options)
        if found is None:
            self.fallbacks["quantize_dynamic"] += 1
            return composed.quantize_dynamic(*args, **options)
        return found

    def _compress(
        self,
        state_dict: Mapping[str, torch.Tensor],
        scheme: QuantizationScheme,
        format: str | None = None,
    ) -> StateDict:
        """As the reference's; a ``weight`` without ``weight_scale`` is given min/max scales.

        See ``composed.compress_weight``.
        """
        if "weight" not in state_dict or "weight_scale" in state_dict or scheme.weights is None:
            self.fallbacks["compress"] += 1
            return TorchBackend.compress(state_dict, scheme, format)
        weight = state_dict["weight"]
        made = compress_weight(weight, scheme, format)
        if made is None:
            self.fallbacks["compress"] += 1
            made = composed.compress_weight(weight, scheme, format)
        return {key: value for key, value in state_dict.items() if key != "weight"} | made

    def _or_eager(self, name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        eager = getattr(TorchBackend, name)

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
