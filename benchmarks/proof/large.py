"""Weights of more than 2^31 and 2^32 elements: the whole against slices of rows by eager torch."""

from typing import Any

import torch

from qparity.reference import QuantizationScheme, preset_name_to_scheme

from .line import Proof
from .steps import compressed, dynamic, rows_of, whole_range

_COLS = 8320
_SHAPES = {
    2**31: (
        *("NVFP4A16", "FP8", "FP8_BLOCK", "W4A16", "W4A16_ASYM", "W8A8", "W3A16", "MXFP4A16"),
        *("FP8_DYNAMIC", "W8A16"),
    ),
    2**32: ("FP8_DYNAMIC", "NVFP4A16", "W4A16_ASYM"),
}
_TINY = {1 << 14: ("FP8_BLOCK", "W4A16_ASYM", "NVFP4A16")}


def large(proof: Proof) -> None:
    """Each verb, bfloat16; rows are odd in number, columns 65 groups of 128."""
    for elements, presets in (_TINY if proof.tiny else _SHAPES).items():
        weight = weight_of(*shape_of(elements, proof.tiny), proof.device)
        for preset in presets:
            _verbs(proof, preset, weight)
            free(proof.device)
        del weight
        free(proof.device)


def _verbs(proof: Proof, preset: str, weight: torch.Tensor) -> None:
    scheme = preset_name_to_scheme(preset)
    args = scheme.weights
    assert args is not None
    rows, cols = weight.shape
    size = f"{preset}, {rows:,} x {cols:,}"
    slices = slices_of(rows, cols, proof.tiny)
    stored: dict[str, torch.Tensor] = {}
    with proof.line(f"compress {size}") as tally:
        stored = tally.call("compress", {"weight": weight}, scheme)
        whole = None
        if args.strategy in ("tensor", "tensor_group"):
            whole = whole_range(proof.eager, (weight[a:b] for a, b in slices))
        for start, stop in slices:
            expected = compressed(proof.eager, weight[start:stop], scheme, whole)
            tally.same(expected, rows_of(stored, args, start, stop))
        if "weight_shape" in stored:
            tally.same(
                torch.tensor([rows, cols], device=weight.device), stored["weight_shape"], "shape"
            )
    if not stored:
        return
    restored: dict[str, torch.Tensor] = {}
    with proof.line(f"decompress {size}") as tally:
        restored = tally.call("decompress", stored, scheme)
        for start, stop in slices:
            expected = proof.eager.decompress(rows_of(stored, args, start, stop), scheme)
            tally.same(expected, rows_of(restored, args, start, stop))
    if restored:
        del restored["weight"]
        stored = {}
        _given_scales(proof, size, scheme, weight, restored)
    if scheme.input_activations is not None and scheme.input_activations.dynamic is True:
        inputs = scheme.input_activations
        with proof.line(f"quantize_dynamic {size}") as tally:
            actual = tally.call("quantize_dynamic", weight, inputs)
            for start, stop in slices:
                expected = dynamic(proof.eager, weight[start:stop], inputs)
                tally.same(expected, tuple(part[start:stop] for part in actual))


def _given_scales(
    proof: Proof,
    size: str,
    scheme: QuantizationScheme,
    weight: torch.Tensor,
    restored: dict[str, torch.Tensor],
) -> None:
    """``quantize`` with the scales that the checkpoint holds, and ``dequantize`` of the codes."""
    args = scheme.weights
    assert args is not None
    slices = slices_of(*weight.shape, proof.tiny)

    def given(tensors: dict[str, torch.Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        parameters = (tensors["weight_scale"], tensors.get("weight_zero_point"), args)
        return parameters, {"global_scale": tensors.get("weight_global_scale")}

    with proof.line(f"quantize {size}") as tally:
        parameters, options = given(restored)
        codes = tally.call("quantize", weight, *parameters, **options)
        for start, stop in slices:
            some, options = given(rows_of(restored, args, start, stop))
            expected = proof.eager.quantize(weight[start:stop], *some, **options)
            tally.same(expected, codes[start:stop])
    with proof.line(f"dequantize {size}") as tally:
        parameters, options = given(restored)
        values = tally.call("dequantize", codes, *parameters, **options)
        for start, stop in slices:
            some, options = given(rows_of(restored, args, start, stop))
            expected = proof.eager.dequantize(codes[start:stop], *some, **options)
            tally.same(expected, values[start:stop])


def shape_of(elements: int, tiny: bool) -> tuple[int, int]:
    """More than so many elements, in an odd number of rows."""
    cols = 128 if tiny else _COLS
    rows = elements // cols + 1
    return rows + 1 - rows % 2, cols


def weight_of(rows: int, cols: int, device: str) -> torch.Tensor:
    """Numbers like those of a weight, a unit of zeros and one of large numbers in the last rows."""
    torch.manual_seed(0)
    weight = torch.empty((rows, cols), dtype=torch.bfloat16, device=device)
    for part in weight.split(1 << 13):
        part.normal_(0, 0.02)
    weight[-1, :128] = 0
    weight[-2, -128:] *= 1000
    return weight


def slices_of(rows: int, cols: int, tiny: bool) -> list[tuple[int, int]]:
    """Where slices of rows begin, each at a multiple of 128, and end."""
    step = 128 if tiny else max(128, (1 << 26) // cols // 128 * 128)
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def free(device: str) -> None:
    """Give what is no longer used back to the device."""
    if device == "cuda":
        torch.cuda.empty_cache()
