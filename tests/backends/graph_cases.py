"""Calls of every verb of the Triton backend, each with inputs of two kinds of data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from qparity.backends.torch_bridge import numpy_dtype
from qparity.backends.torch_eager import TorchBackend
from qparity.backends.triton_fused import composed
from qparity.reference import (
    FORMATS,
    PRESET_SCHEMES,
    QuantizationArgs,
    QuantizationScheme,
    infer_format,
    preset_name_to_scheme,
)

Tensors = dict[str, torch.Tensor]
ROWS, COLS = 128, 512
FLOAT4_TENSOR_GROUP = QuantizationArgs(
    num_bits=4, type="float", strategy="tensor_group", group_size=16, scale_dtype="float8_e4m3fn"
)
_STATE = ("before_lo", "before_hi")


@dataclass(frozen=True)
class GraphCase:
    """One call: a verb, what it is given, and why the host may wait in it.

    Attributes:
        verb: name of a function of the backend.
        name: what is special about the call.
        make: the tensors, by name, from a seed; of the same shapes for any seed.
        options: the other arguments.
        checks: what the host looks at when there is no graph; empty if it looks at nothing.
        reads: what it looks at in any case, so that there is no graph.
    """

    verb: str
    name: str
    make: Callable[[int], Tensors]
    options: Mapping[str, Any] = field(default_factory=dict)
    checks: str = ""
    reads: str = ""

    def call(self, backend: Any, tensors: Tensors) -> Tensors:  # noqa: ANN401
        """What the backend returns, by name."""
        given: dict[str, Any] = dict(tensors)
        if self.verb in ("compress", "decompress"):
            given = {"state_dict": given}
        elif _STATE[0] in given:
            given["state"] = tuple(given.pop(name) for name in _STATE)
        result = getattr(backend, self.verb)(**given, **self.options)
        if isinstance(result, torch.Tensor):
            return {"": result}
        if isinstance(result, tuple):
            return {str(i): part for i, part in enumerate(result)}
        return dict(result)


class Eager(TorchBackend):
    """Eager torch with the two verbs that it has in steps alone."""

    quantize_dynamic = staticmethod(composed.quantize_dynamic)

    @staticmethod
    def compress(state_dict: Tensors, scheme: QuantizationScheme) -> Tensors:
        """The weight with its min/max scales, in steps."""
        return composed.compress_weight(state_dict["weight"], scheme)


def graph_cases(device: str) -> Iterator[GraphCase]:
    """All calls, their tensors on a device."""
    yield from _schemes(device)
    yield from _experts(device)
    yield from _scales(device)
    yield from _packing(device)
    yield from _rounding(device)
    yield from _ranges(device)


def _values(device: str, seed: int, *shape: int) -> torch.Tensor:
    """bfloat16 numbers with zeros of both signs and, in every other seed, a row of zeros."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(shape or (ROWS, COLS), generator=rng) * 2.0 ** (3 * seed)
    x.view(-1)[:2] = torch.tensor([0.0, -0.0])
    x[-1] *= seed % 2
    return x.to(torch.bfloat16).to(device)


def _schemes(device: str) -> Iterator[GraphCase]:
    seen: list[QuantizationArgs] = []
    for name in PRESET_SCHEMES:
        scheme = preset_name_to_scheme(name)
        args = scheme.weights
        if args is None or args in seen:
            continue
        seen.append(args)
        yield GraphCase(
            "compress", name, lambda s: {"weight": _values(device, s)}, {"scheme": scheme}
        )
        words = infer_format(scheme) == "pack-quantized" and args.strategy == "channel"
        yield GraphCase(
            "decompress",
            name,
            lambda s, p=scheme: composed.compress_weight(_values(device, s), p),
            {"scheme": scheme},
            reads="weight_shape, of int32 words without groups" if words else "",
        )


def _experts(device: str) -> Iterator[GraphCase]:
    checks = "whether all values are codes"
    for name, rows, checked in (
        ("W4A16", 32, ""),
        ("W4A16_ASYM", 32, ""),
        ("W4A16_ASYM", 9, checks),
        ("FP8_DYNAMIC", 32, ""),
    ):
        scheme = preset_name_to_scheme(name)
        make = lambda s, n=rows: {"weight": _values(device, s, 4, n, COLS)}  # noqa: E731
        label = f"{name}, 4 x {rows} x {COLS}"
        yield GraphCase("compress", label, make, {"scheme": scheme}, checks=checked)
        yield GraphCase(
            "decompress",
            label,
            lambda s, m=make, p=scheme: composed.compress_weight(m(s)["weight"], p),
            {"scheme": scheme},
        )


def _scales(device: str) -> Iterator[GraphCase]:
    kinds = {
        "int8 channel": QuantizationArgs(strategy="channel"),
        "int4 group asymmetric": QuantizationArgs(num_bits=4, group_size=128, symmetric=False),
        "fp8 block": QuantizationArgs(type="float", strategy="block", block_structure=[128, 128]),
        "nvfp4": FLOAT4_TENSOR_GROUP,
        "mxfp8": QuantizationArgs(type="float", group_size=32, scale_dtype="uint8"),
    }
    for name, args in kinds.items():
        for verb in ("quantize", "dequantize", "fake_quantize"):
            yield GraphCase(
                verb, name, lambda s, a=args, v=verb: _scaled(device, s, a, v), {"args": args}
            )
    dynamic = {"dynamic": True}
    activations = {
        "int8 token": QuantizationArgs(strategy="token", **dynamic),
        "fp8 token": QuantizationArgs(type="float", strategy="token", **dynamic),
        "fp8 group": QuantizationArgs(type="float", group_size=128, **dynamic),
        "int8 tensor": QuantizationArgs(strategy="tensor", **dynamic),
        "int8 token asymmetric": QuantizationArgs(strategy="token", symmetric=False, **dynamic),
    }
    for name, args in activations.items():
        for verb in ("quantize_dynamic", "compute_dynamic_scales_and_zp"):
            yield GraphCase(verb, name, lambda s: {"x": _values(device, s)}, {"args": args})
    yield GraphCase(
        "compute_dynamic_scales_and_zp",
        "nvfp4",
        lambda s: {"x": _values(device, s), "global_scale": torch.full((1,), 9.0 + s).to(device)},
        {"args": FLOAT4_TENSOR_GROUP},
    )


def _scaled(device: str, seed: int, args: QuantizationArgs, verb: str) -> Tensors:
    """A tensor or its codes, scale and zero-point by eager torch."""
    x = _values(device, seed)
    given: Tensors = {}
    if args.strategy == "tensor_group":
        whole = TorchBackend.minmax(x, QuantizationArgs())
        given["global_scale"] = TorchBackend.generate_gparam(*whole)
    ranges = TorchBackend.minmax(x, args)
    scale, zero_point = TorchBackend.calculate_qparams(*ranges, args, given.get("global_scale"))
    given |= {"scale": scale, "zero_point": zero_point}
    if verb != "dequantize":
        return given | {"x": x}
    codes = TorchBackend.quantize(x, args=args, **given)
    return given | {"x_q": codes}


def _packing(device: str) -> Iterator[GraphCase]:
    for bits in (3, 4, 8):
        for packed_dim in (1, 0):
            options = {"num_bits": bits, "packed_dim": packed_dim}
            name = f"int{bits} dim {packed_dim}"
            yield GraphCase(
                "pack_to_int32",
                name,
                lambda s, b=bits: {"value": _codes(device, s, b)},
                options,
                checks="" if bits == 8 else "whether all values are codes",
            )
            yield GraphCase(
                "unpack_from_int32",
                name,
                lambda s, o=options: {
                    "packed": TorchBackend.pack_to_int32(_codes(device, s, o["num_bits"]), **o)
                },
                options | {"shape": (ROWS, COLS)},
            )
    for bits, row in ((4, "float4_e2m1fn"), (6, "float6_e2m3fn")):
        make = lambda s, r=row: {"x": _rounded(device, s, r)}  # noqa: E731
        checks = "whether all values are codes"
        yield GraphCase(f"pack_fp{bits}_to_uint8", "", make, checks=checks)
        yield GraphCase(
            f"unpack_fp{bits}_from_uint8",
            "",
            lambda s, b=bits, m=make: {
                "packed": getattr(TorchBackend, f"pack_fp{b}_to_uint8")(**m(s))
            },
            {"m": ROWS, "n": COLS},
        )


def _codes(device: str, seed: int, bits: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    half = 1 << (bits - 1)
    return torch.randint(-half, half, (ROWS, COLS), generator=rng).to(torch.int8).to(device)


def _rounded(device: str, seed: int, name: str) -> torch.Tensor:
    x = _values(device, seed)
    return TorchBackend.round_to_quantized_type_dtype(x, FORMATS[name].dtype)


def _rounding(device: str) -> Iterator[GraphCase]:
    targets = ("float8_e4m3fn", "float8_e5m2", "int8", "float16", "float4_e2m1fn")
    for name in targets:
        options = {"dtype": FORMATS[name].dtype, "cast_to_original_dtype": name == targets[-1]}
        yield GraphCase(
            "round_to_quantized_type_dtype", name, lambda s: {"x": _values(device, s)}, options
        )
    for args in (QuantizationArgs(num_bits=4), QuantizationArgs(num_bits=6, type="float")):
        bounds = {"q_min": args.code_format.min, "q_max": args.code_format.max}
        yield GraphCase(
            "round_to_quantized_type_args",
            args.code_format.name,
            lambda s: {"x": _values(device, s)},
            {"args": args, **bounds},
        )


def _ranges(device: str) -> Iterator[GraphCase]:
    kinds = {
        "tensor": QuantizationArgs(),
        "channel": QuantizationArgs(strategy="channel"),
        "group": QuantizationArgs(group_size=128),
        "tensor_group": FLOAT4_TENSOR_GROUP,
        "block": QuantizationArgs(strategy="block", block_structure=[64, 128]),
        "attn_head": QuantizationArgs(strategy="attn_head"),
    }
    for name, args in kinds.items():
        shape = (2, 4, 16, COLS) if name == "attn_head" else (ROWS, COLS)
        for verb in ("minmax", "static_minmax", "memoryless_minmax"):
            yield GraphCase(
                verb,
                name,
                lambda s, a=args, n=shape: _observed(device, s, a, n),
                {"args": args},
            )
    whole = lambda s: {"x": _values(device, s, 1 << 10, 1 << 10)}  # noqa: E731
    yield GraphCase("minmax", "tensor of 2 MB", whole, {"args": QuantizationArgs()})
    scales = {
        "int8": QuantizationArgs(),
        "int4 asymmetric": QuantizationArgs(num_bits=4, symmetric=False, zp_dtype="int8"),
        "nvfp4": FLOAT4_TENSOR_GROUP,
        "mxfp4": QuantizationArgs(num_bits=4, type="float", group_size=32, scale_dtype="uint8"),
    }
    for name, args in scales.items():
        yield GraphCase(
            "calculate_qparams", name, lambda s, a=args: _range(device, s, a), {"args": args}
        )
    yield GraphCase("generate_gparam", "", lambda s: _range_of_tensor(device, s))


def _observed(device: str, seed: int, args: QuantizationArgs, shape: tuple[int, ...]) -> Tensors:
    before = TorchBackend.minmax(_values(device, seed + 5, *shape), args)
    return {"x": _values(device, seed, *shape), **dict(zip(_STATE, before, strict=True))}


def _range(device: str, seed: int, args: QuantizationArgs) -> Tensors:
    lo, hi = TorchBackend.minmax(_values(device, seed), QuantizationArgs(group_size=32))
    given = {"min_vals": lo, "max_vals": hi}
    if args.strategy == "tensor_group":
        given["global_scale"] = torch.full((1,), 100.0 + seed).to(device)
    return given


def _range_of_tensor(device: str, seed: int) -> Tensors:
    lo, hi = TorchBackend.minmax(_values(device, seed), QuantizationArgs())
    return {"min_val": lo, "max_val": hi}


def bits_of(tensor: torch.Tensor) -> tuple[str, tuple[int, ...], torch.Tensor]:
    """Dtype, shape and bytes, NaN as one value, on the host."""
    x = tensor.detach().cpu().contiguous()
    if x.dtype.is_floating_point:
        wide = x.to(torch.float64)
        x = torch.where(wide.isnan(), torch.full_like(wide, 99.0), wide).view(torch.int64)
    return numpy_dtype(tensor.dtype).name, tuple(tensor.shape), x
