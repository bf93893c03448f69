"""Weights that are no plain matrix: any strides, odd sizes, experts; against a contiguous copy."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from qparity.reference import QuantizationScheme, preset_name_to_scheme

from .line import Proof
from .steps import compressed, dynamic, parameters

PRESETS = (
    *("NVFP4A16", "MXFP4A16", "MXFP6A16", "MXFP8A16", "FP8", "FP8_DYNAMIC", "FP8_BLOCK", "W8A8"),
    *("W4A16", "W4A16_ASYM", "W3A16", "W5A16", "W8A16"),
)
_TINY = ("NVFP4A16", "W4A16_ASYM")
_DTYPES = (torch.bfloat16, torch.float16, torch.float32)


def layouts(proof: Proof) -> None:
    """Each verb on each layout; what eager torch refuses must be refused by the same error."""
    for i, preset in enumerate(_TINY if proof.tiny else PRESETS):
        scheme = preset_name_to_scheme(preset)
        dtype = _DTYPES[i % len(_DTYPES)]
        name = str(dtype).removeprefix("torch.")
        for label, weight in weights(dtype, proof.device, proof.tiny):
            size = " x ".join(f"{n:,}" for n in weight.shape)
            with proof.line(f"{preset}, {name} {size}, {label}") as tally:
                _verbs(proof, tally, scheme, weight)


def weights(dtype: torch.dtype, device: str, tiny: bool) -> Iterator[tuple[str, torch.Tensor]]:
    """A weight of each layout, with what it is."""
    rows, cols, experts = (5, 128, 2) if tiny else (4097, 4224, 7)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=device).mul_(0.02).to(dtype)

    torch.manual_seed(1)
    yield "transposed", normal(cols, rows).t()
    yield "every second column", normal(rows, 2 * cols)[:, ::2]
    yield "every second row", normal(2 * rows, cols)[::2]
    yield "beginning at an odd element", normal(rows * cols + 1)[1:].view(rows, cols)
    yield "one row, repeated", normal(1, cols).expand(rows, cols)
    yield "experts", normal(experts, rows, cols)
    yield "experts, rows of whole words", normal(experts, -(-rows // 32) * 32, cols)
    yield "experts, transposed", normal(experts, cols, rows).transpose(1, 2)
    yield "experts, the last axis first", normal(cols, rows, experts).permute(2, 1, 0)


def _verbs(proof: Proof, tally: Any, scheme: QuantizationScheme, weight: torch.Tensor) -> None:  # noqa: ANN401 - a Tally
    plain = weight.contiguous()
    stored = _answer(lambda: compressed(proof.eager, plain, scheme))
    actual = _answer(lambda: tally.call("compress", {"weight": weight}, scheme))
    _same(tally, stored, actual, "compress")
    args = scheme.weights
    assert args is not None
    if isinstance(stored, dict):
        strided = {name: _strided(tensor) for name, tensor in stored.items()}
        restored = proof.eager.decompress(stored, scheme)
        tally.same(restored, tally.call("decompress", strided, scheme), "decompress")
    made = _answer(lambda: parameters(proof.eager, plain, args))
    if isinstance(made, dict):
        state = {"weight": weight} | made
        actual = _answer(lambda: tally.call("compress", state, scheme))
        _same(tally, stored, actual, "compress with given scales")
        given = (made["weight_scale"], made["weight_zero_point"], args)
        options = {"global_scale": made.get("weight_global_scale")}
        codes = proof.eager.quantize(plain, *given, **options)
        tally.same(codes, tally.call("quantize", weight, *given, **options), "quantize")
        values = proof.eager.fake_quantize(plain, *given, **options)
        tally.same(values, tally.call("fake_quantize", weight, *given, **options), "fake_quantize")
        values = proof.eager.dequantize(codes, *given, **options)
        again = _strided(codes)
        tally.same(values, tally.call("dequantize", again, *given, **options), "dequantize")
    inputs = scheme.input_activations
    if inputs is not None and inputs.dynamic is True:
        expected = _answer(lambda: dynamic(proof.eager, plain, inputs))
        actual = _answer(lambda: tally.call("quantize_dynamic", weight, inputs))
        _same(tally, expected, actual, "quantize_dynamic")


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same values, with the last two axes the other way round in memory."""
    if tensor.ndim < 2:
        return tensor
    return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)


def _answer(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - tensors, or the name of an error
    try:
        return call()
    except (TypeError, ValueError) as error:
        return type(error).__name__


def _same(tally: Any, expected: Any, actual: Any, label: str) -> None:  # noqa: ANN401 - answers
    if isinstance(expected, str) or isinstance(actual, str):
        told = [a if isinstance(a, str) else "an answer" for a in (expected, actual)]
        tally.same_error(*told, label)
        return
    tally.same(expected, actual, label)
