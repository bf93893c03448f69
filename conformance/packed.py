"""Cases of rounding, packing and compression."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.reference import FORMATS, QuantizationArgs, QuantizationScheme

from .bits import Array
from .case import Case
from .layouts import LAYOUTS, with_layout
from .of_formats import global_scale_of
from .ranges import filled, ranges
from .shapes import LONG_TAILS, MANY_ROWS, extent_of_blocks
from .spec import Spec
from .values import Rng, codes_of, near_codes, near_values_of, with_nan

ROUNDING_TARGETS = (
    *("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"),
    *("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "int8", "uint8"),
)
_WITHOUT_STORAGE = ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")
_MX_CODES = np.array([0, 1, 2, 120, 127, 130, 252, 253, 254, 255], np.uint8)
_SIZES = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)
_COUNTS = (1, 2, 3, 8, 17, 32, 33, 256, 257, 1025)
_SHAPES = (
    *((129,), (65, 3), (1,), (), (2, 5, 17), (257,), (2, 3, 2, 15)),
    *((1023,), (1025,), (0, 3), (4097,), (65, 129)),
)
_RARE, _MANY, _MATRIX, _BYTE = 0.1, 16, 2, 8
_STEPS_OF_LEAST = np.array([-2.5, -1.5, -1, -0.5, -0.25, 0.25, 0.5, 0.75, 1, 1.5])


def rounding_dtype_cases(target: str, rng: Rng, spec: Spec) -> Iterator[Case]:
    """Values at the ties, values and edges of one dtype, returned in either dtype."""
    row = FORMATS["int8" if target == "uint8" else target]
    for back in (True, False):
        if not back and target in _WITHOUT_STORAGE:
            continue
        x = near_values_of(rng, _shape(rng), row, spec.dtype)
        if target == "uint8":
            x = np.abs(x) * spec.dtype.type(2) if rng.random() < 0.5 else x
        x = with_nan(rng, x) if spec.nan else x
        dtype = FORMATS[target].dtype if target != "uint8" else np.dtype(np.uint8)
        inputs = {"x": with_layout(x, _layout(rng)), "dtype": dtype, "cast_to_original_dtype": back}
        yield Case("round_to_quantized_type_dtype", inputs)


def rounding_args_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """Values at the ties of the codes, with the range of the format and a narrower one."""
    args = spec.args or spec.make_args()
    low, high = reference.calculate_range(args)
    bounds = [(low, high), (low, high)]
    if args.num_bits > 1:
        bounds.append((max(low, -3.0), min(high, 2.0)) if args.num_bits > 2 else (low, high))
    for (q_min, q_max), back in zip(bounds, (True, False, True), strict=False):
        x = near_values_of(rng, _shape(rng), args.code_format, spec.dtype)
        x = with_nan(rng, x) if spec.nan else x
        yield Case(
            "round_to_quantized_type_args",
            {
                "x": with_layout(x, _layout(rng)),
                "args": args,
                "q_min": q_min,
                "q_max": q_max,
                "cast_to_original_dtype": back,
            },
        )


def int32_cases(op: str, num_bits: int, rng: Rng, spec: Spec) -> Iterator[Case]:
    """Codes of one width along either dimension, 2-D and 3-D, at sizes around a word."""
    del spec
    for packed_dim in (1, 0):
        shape = _matrix(rng, packed_dim)
        codes = rng.choice(codes_of(FORMATS[f"int{num_bits}"]), shape).astype(np.int8)
        common = {"num_bits": num_bits, "packed_dim": packed_dim}
        if op == "pack_to_int32":
            yield Case(op, {"value": with_layout(codes, _layout(rng)), **common})
            continue
        words = reference.pack_to_int32(codes, num_bits, packed_dim)
        noise = rng.integers(-(2**31), 2**31, words.shape).astype(np.int32)
        packed = noise if rng.random() < 0.5 else words
        inputs = {"packed": with_layout(packed, _layout(rng)), "num_bits": num_bits, "shape": shape}
        yield Case(op, {**inputs, "packed_dim": packed_dim})


def float_pack_cases(op: str, rng: Rng, spec: Spec) -> Iterator[Case]:
    """Every code of fp4 or fp6, in every place of a byte or of three."""
    bits = 4 if "fp4" in op else 6
    row = FORMATS["float4_e2m1fn" if bits == 4 else "float6_e2m3fn"]
    per = 2 if bits == 4 else 4
    shape = int(rng.choice([1, 2, 5, 33])), per * int(rng.choice(_COUNTS))
    if rng.random() < _RARE:
        shape = [(0, 4 * per), (2, 0)][int(rng.integers(2))]
    if op.startswith("unpack"):
        packed = rng.integers(0, 256, (shape[0], shape[1] * bits // 8), dtype=np.uint8)
        inputs = {"packed": with_layout(packed, _layout(rng)), "m": shape[0], "n": shape[1]}
        yield Case(op, inputs)
        yield Case(op, {**inputs, "dtype": spec.dtype})
        return
    every = np.arange(1 << row.bits, dtype=np.uint8).view(row.dtype).astype(np.float64)
    x = rng.choice(every, shape).astype(spec.dtype)
    yield Case(op, {"x": with_layout(x, _layout(rng))})


def compress_cases(op: str, scheme: QuantizationScheme, rng: Rng, spec: Spec) -> Iterator[Case]:
    """A weight with aimed ranges and its qparams, as given and in odd scale dtypes."""
    if scheme.weights is None:
        weight = filled(rng, *ranges(rng, (3,), spec.dtype, QuantizationArgs()), 33)
        yield Case(op, {"state_dict": {"weight": weight}, "scheme": scheme})
        return
    variants = [scheme.weights]
    if not scheme.weights.is_mx and spec.args is None:
        odd = str(rng.choice(["bfloat16", "float16", "float32", "float8_e4m3fn", "float8_e5m2"]))
        variants.append(replace(scheme.weights, scale_dtype=np.dtype(FORMATS[odd].dtype)))
    for args in variants:
        source = {
            "weight": _at_ties(rng, _weight(rng, spec, args), replace(scheme, weights=args)),
            "scheme": replace(scheme, weights=args),
            "with_zero_point": bool(not args.symmetric or rng.random() < 0.5),
            "g_idx_seed": int(rng.integers(1, 1 << 30)) if rng.random() < 0.15 else 0,
            "codes_seed": int(rng.integers(1, 1 << 30)) if args.is_mx else 0,
            "format": _format(rng, args) if rng.random() < 0.2 else "",
        }
        rebuild = partial(state_of, op)
        yield Case(op, rebuild(source), rebuild, source)


def state_of(op: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict of a weight, by the reference."""
    weight, scheme = source["weight"], source["scheme"]
    args = scheme.weights
    asked = {"format": source["format"]} if source.get("format") else {}
    whole = global_scale_of(weight, args)
    scale, zero_point = reference.calculate_qparams(*_ranges_of(weight, args), args, whole)
    state = {"weight": weight, "weight_scale": scale, "bias": weight[..., 0].copy()}
    state["other"] = weight[..., :1].copy()
    if source["with_zero_point"]:
        state["weight_zero_point"] = zero_point
    if whole is not None:
        state["weight_global_scale"] = whole
    if source["g_idx_seed"] and args.strategy == "group" and weight.ndim == _MATRIX:
        groups = weight.shape[1] // args.group_size
        order = np.random.default_rng(source["g_idx_seed"]).permutation(weight.shape[1])
        state["weight_g_idx"] = (order % groups).astype(np.int32)
    if op == "decompress":
        state = reference.compress(state, scheme, **asked)
        if source.get("codes_seed"):
            rng = np.random.default_rng(source["codes_seed"])
            state["weight_scale"] = rng.choice(_MX_CODES, scale.shape)
    return {"state_dict": state, "scheme": scheme, **asked}


def _ranges_of(weight: Array, args: QuantizationArgs) -> tuple[Array, Array]:
    """The ranges of a weight; those of experts one by one."""
    if weight.ndim == _MATRIX:
        return reference.minmax(weight, args)
    lo, hi = zip(*(reference.minmax(expert, args) for expert in weight), strict=True)
    return np.stack(lo), np.stack(hi)


def _holds_experts(args: QuantizationArgs) -> bool:
    """Whether weights of three dimensions are stored: not in bytes of several fp4 or fp6."""
    return args.type == "int" or args.num_bits == _BYTE


def _format(rng: Rng, args: QuantizationArgs) -> str:
    """A format to ask for that holds the codes; empty where there is but one."""
    if args.is_mx or not _holds_experts(args):
        return ""
    packed = "pack-quantized" if args.type == "int" else "float-quantized"
    return str(rng.choice([packed, f"{args.type}-quantized", "naive-quantized"]))


def _weight(rng: Rng, spec: Spec, args: QuantizationArgs) -> Array:
    many = rng.random() < _RARE
    rows = int(rng.choice(MANY_ROWS if many else [1, 2, 8, 9]))
    if args.group_size is not None and args.group_size > 0:
        size = args.group_size
        wide = not many and rng.random() < _RARE
        groups = int(rng.choice([5, 9, 17] if wide else [1, 2, 3])) * (4 if size % 4 else 1)
        experts = _holds_experts(args) and rows < _MANY and rng.random() < _RARE
        lead = (int(rng.choice([2, 3])), rows) if experts else (rows,)
        x = filled(rng, *ranges(rng, (*lead, groups), spec.dtype, args), size)
        return _finite(x.reshape(*lead, groups * size))
    columns = int(rng.choice([1, 16, 33, 130]))
    if args.block_structure is not None:
        rows, columns = (extent_of_blocks(rng, size) for size in args.block_structure)
    elif rng.random() < _RARE:
        rows, columns = 2, int(rng.choice(LONG_TAILS))
    return _finite(filled(rng, *ranges(rng, (rows,), spec.dtype, args), columns))


def _at_ties(rng: Rng, weight: Array, scheme: QuantizationScheme) -> Array:
    """Most of what is no extreme moved to ties of codes or of the least subnormal; ranges stay."""
    args = scheme.weights
    assert args is not None
    source = {"weight": weight, "scheme": scheme, "with_zero_point": True, "g_idx_seed": 0}
    state = state_of("compress", source)["state_dict"]

    def per_element(value: Array, whole: Array | None = None) -> Array:
        one = np.ones(weight.shape)
        return reference.dequantize(one, value.astype(np.float64), None, args, global_scale=whole)

    scale = per_element(state["weight_scale"], state.get("weight_global_scale"))
    zero_point = per_element(state["weight_zero_point"])
    near = near_codes(rng, scale, _finite(zero_point), args, weight.dtype)
    lo, hi = (per_element(bound) for bound in _ranges_of(weight, args))
    inside = [(lo < x) & (x < hi) for x in (weight.astype(np.float64), near.astype(np.float64))]
    found = np.where(inside[0] & inside[1] & (rng.random(weight.shape) < 0.5), near, weight)
    least = float(ml_dtypes.finfo(weight.dtype).smallest_subnormal)
    with np.errstate(all="ignore"):
        low = (rng.choice(_STEPS_OF_LEAST, weight.shape) * least * scale).astype(weight.dtype)
    below = inside[0] & (lo < low) & (low < hi)
    return np.where(below & (rng.random(weight.shape) < 0.15), low, found)


def _finite(x: Array) -> Array:
    return np.where(np.isfinite(x), x, x.dtype.type(1))


def _matrix(rng: Rng, packed_dim: int) -> tuple[int, ...]:
    """Rows and columns around a word; now and then 3-D, about 1024 along one axis, or empty."""
    rows, columns = (int(n) for n in rng.choice(_SIZES, 2))
    form = rng.random()
    if form < _RARE:
        long = int(rng.choice(LONG_TAILS))
        return (long, 3) if packed_dim == 0 else (3, long)
    if form < 2 * _RARE:
        return [(0, columns), (rows, 0)][int(rng.integers(2))]
    experts = int(rng.choice([2, 3, 5]))
    return (experts, rows, columns) if form < 0.4 else (rows, columns)


def _shape(rng: Rng) -> tuple[int, ...]:
    return _SHAPES[int(rng.integers(len(_SHAPES)))]


def _layout(rng: Rng) -> str:
    return "contiguous" if rng.random() < 0.5 else str(rng.choice(LAYOUTS))
