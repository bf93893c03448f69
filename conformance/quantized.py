"""Cases of quantize, dequantize and fake_quantize, for every strategy."""

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array
from .case import Case
from .layouts import LAYOUTS, with_layout
from .of_formats import scale_grid, stored_dtype
from .ranges import global_scales
from .shapes import BLOCKS, GROUP_SIZES, Shapes, per_element, shapes_for
from .spec import Spec
from .values import Rng, any_bits, codes_of, near_codes, scales, with_nan

STRATEGIES = ("tensor", "channel", "group", "tensor_group", "block", "token", "attn_head")
_E5M2 = np.dtype(ml_dtypes.float8_e5m2)
WORKING = tuple(np.dtype(d) for d in ("float16", "bfloat16", "float32", "float64"))


def strategy_args(rng: Rng, spec: Spec) -> list[QuantizationArgs]:
    """The args of a spec: those given, or every strategy, symmetric and not, of its format."""
    if spec.args is not None:
        return [spec.args]
    found = []
    for strategy in STRATEGIES:
        for symmetric in (True, False) if spec.may_be_asymmetric else (True,):
            fields: dict[str, object] = {"strategy": strategy, "symmetric": symmetric}
            if strategy in ("group", "tensor_group"):
                fields["group_size"] = int(rng.choice(GROUP_SIZES))
            if strategy == "block":
                fields["block_structure"] = BLOCKS[int(rng.integers(len(BLOCKS)))]
            if strategy == "token":
                fields["dynamic"] = True
            found.append(spec.make_args(**fields))
    return found


def quantize_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """One call per strategy and symmetry, with x at ties of its own scale."""
    for args in strategy_args(rng, spec):
        inputs = _inputs(rng, spec, args)
        stored = stored_dtype(args)
        if rng.random() < 0.4 and stored is not None:
            wide = WORKING[int(rng.integers(len(WORKING)))]
            inputs["dtype"] = stored if rng.random() < 0.7 else wide
        yield Case("quantize", inputs)


def fake_quantize_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """As ``quantize_cases``, in one go."""
    for args in strategy_args(rng, spec):
        yield Case("fake_quantize", _inputs(rng, spec, args))


def dequantize_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """One call per strategy and symmetry, with codes in every dtype that codes may have."""
    for args in strategy_args(rng, spec):
        inputs = _inputs(rng, spec, args)
        x = inputs.pop("x")
        inputs.pop("compute_dtype", None)
        codes = rng.choice(codes_of(args.code_format), x.shape)
        stored = stored_dtype(args) or spec.dtype
        dtype = stored if rng.random() < 0.7 else spec.dtype
        if args.type == "float" and rng.random() < 0.1:
            dtype = _E5M2
        with np.errstate(all="ignore"):
            x_q = codes.astype(np.float32).astype(dtype)
        if dtype == _E5M2 and rng.random() < 0.5:
            x_q = rng.integers(0, 256, x.shape, dtype=np.uint8).view(_E5M2)
        if dtype == spec.dtype and rng.random() < 0.3:
            x_q = any_bits(rng, x.shape, spec.dtype)
        if dtype == spec.dtype:
            x_q = np.where(rng.random(x.shape) < 0.1, dtype.type(-0.0), x_q)
        if rng.random() < 0.3:
            inputs["dtype"] = WORKING[int(rng.integers(len(WORKING)))]
        yield Case("dequantize", {"x_q": with_layout(x_q, _layout(rng)), **inputs})


def _inputs(rng: Rng, spec: Spec, args: QuantizationArgs) -> dict[str, Any]:
    shapes = shapes_for(rng, args, empty=True)
    scale_dtype = spec.dtype if rng.random() < 0.7 else WORKING[int(rng.integers(len(WORKING)))]
    scale = scales(rng, shapes.scale, scale_dtype, scale_grid(args))
    whole = None
    if rng.random() < (0.7 if args.strategy == "tensor_group" else 0.1):
        whole = global_scales(rng) if rng.random() < 0.9 else global_scales(rng, spec.dtype)
    zero_point = _zero_point(rng, shapes, args)
    with np.errstate(all="ignore"):
        divisor = 1.0 if whole is None else float(whole.astype(np.float64)[0])
        wide = per_element(scale, shapes, args) / divisor
        offset = 0.0 if zero_point is None else _finite(per_element(zero_point, shapes, args))
        x = near_codes(rng, wide, offset, args, spec.dtype).reshape(shapes.x)
    if spec.nan:
        x, scale = with_nan(rng, x), with_nan(rng, scale, 0.02)
    inputs: dict[str, Any] = {
        "x": with_layout(x, _layout(rng)),
        "scale": with_layout(scale, _layout(rng)),
        "zero_point": None if zero_point is None else with_layout(zero_point, _layout(rng)),
        "args": args,
    }
    if whole is not None:
        inputs["global_scale"] = whole.reshape(()) if rng.random() < 0.1 else whole
    grouped = args.strategy in ("group", "tensor_group")
    grouped = grouped and (zero_point is None or zero_point.shape == shapes.scale)
    if grouped and scale.size and len(shapes.x) > 1 < len(shapes.scale) and rng.random() < 0.2:
        groups = shapes.scale[-1]
        g_idx = rng.integers(0, groups, shapes.x[-1])
        none = rng.random(g_idx.shape) < (0.1 if rng.random() < 0.1 else 0.0)
        none |= rng.random() < 0.2
        indices = np.where(none, -1, g_idx)
        inputs["g_idx"] = indices.astype(np.int32 if rng.random() < 0.7 else np.int64)
    if spec.compute_dtype is not None:
        inputs["compute_dtype"] = spec.compute_dtype
    return inputs


def _zero_point(rng: Rng, shapes: Shapes, args: QuantizationArgs) -> Array | None:
    dtype = args.zp_dtype
    if dtype is None or rng.random() < (0.4 if args.symmetric else 0.1):
        return None
    shape = shapes.scale
    if len(shape) == 2 and rng.random() < 0.15:
        shape = [(1,), (1, shape[1]), (shape[0], 1)][int(rng.integers(3))]
    if args.symmetric:
        return np.zeros(shape, dtype)
    if rng.random() < 0.05:
        return _any_of(rng, shape, dtype)
    with np.errstate(invalid="ignore"):
        return np.asarray(rng.choice(codes_of(args.code_format), shape)).astype(dtype)


def _any_of(rng: Rng, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Any value of a dtype but NaN and infinities, those beyond the codes too."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.asarray(rng.integers(info.min, info.max, shape, dtype, endpoint=True))
    return np.asarray(any_bits(rng, shape, dtype))


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def _layout(rng: Rng) -> str:
    return "contiguous" if rng.random() < 0.5 else str(rng.choice(LAYOUTS))
