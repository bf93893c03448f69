"""Faults that come and go: results that depend on size, position, or the calls before."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qparity import reference

from ..bits import Array
from .arithmetic import BF16, F16, cast
from .fault import Fault, Step
from .steps_qparams import Pair
from .variant import Variant, exact

_OPERATIONS = ("quantize", "fake_quantize")
_DYNAMIC = "compute_dynamic_scales_and_zp"
_UNPACK = "unpack_fp4_from_uint8"
_LARGE = 64
_FEW = 3
_LANES = 4
_CHUNK = 1024


def _fast_path(where: Callable[[Variant, Array], Any]) -> dict[str, Step]:
    """Quotients of a narrower dtype for some elements, or in some calls."""

    def quotient(v: Variant, x: Array, s: Array) -> Array:
        exactly: Array = exact(v, "quotient")(x, s)
        narrow = F16 if exactly.dtype == BF16 else BF16
        return np.where(where(v, x), cast(cast(exactly, narrow), exactly.dtype), exactly)

    return {"quotient": quotient}


def _calls(v: Variant) -> int:
    """The number of calls so far, this one included."""
    count: int = v.__dict__.get("calls", 0) + 1
    v.__dict__["calls"] = count
    return count


def _last_lanes(v: Variant, x: Array) -> Array:
    return np.asarray((np.arange(x.size) % _LANES == _LANES - 1).reshape(x.shape))


def _later_rows(v: Variant, x: Array) -> Array:
    rows = np.arange(x.size // max(x.shape[-1], 1)) > 0
    return rows.reshape(*x.shape[:-1], 1)


def _long_rows_cut(v: Variant, x: Array, s: Array) -> Array:
    """Columns from 1024 on are not written."""
    quotient: Array = exact(v, "quotient")(x, s)
    return np.where(np.arange(x.shape[-1]) < _CHUNK, quotient, quotient.dtype.type(0))


def _long_ranges_cut(v: Variant, x: Array, axes: tuple[int, ...], keepdims: bool = False) -> Pair:
    """Columns from 1024 on are not read."""
    found: Pair = exact(v, "extremes")(x[..., :_CHUNK], axes, keepdims)
    return found


def _by_chance(v: Variant, y: Array, *a: Any) -> Array:
    rng = v.__dict__.setdefault("rng", np.random.default_rng(0))
    noise = (rng.random(y.shape) - 0.5).astype(y.dtype)
    codes: Array = exact(v, "to_codes")(v.add(y, noise), *a)
    return codes


def _not_cleared(v: Variant, x: Array, axes: tuple[int, ...], keepdims: bool = False) -> Pair:
    """The accumulators still hold the extremes of the call before."""
    lo, hi = exact(v, "extremes")(x, axes, keepdims)
    before = v.__dict__.get("before")
    v.__dict__["before"] = lo, hi
    if before is None or (before[0].shape, before[0].dtype) != (lo.shape, lo.dtype):
        return lo, hi
    return np.where(before[0] < lo, before[0], lo), np.where(before[1] > hi, before[1], hi)


def _of_first_call(v: Variant, *a: Any, **k: Any) -> Pair:
    pair: Pair = exact(v, _DYNAMIC)(*a, **k)
    kept: dict[Any, Pair] = v.__dict__.setdefault("kept", {})
    return kept.setdefault((pair[0].shape, pair[0].dtype, pair[1].dtype), pair)


def _of_first_in_batch(v: Variant, x: Array, *a: Any, **k: Any) -> Pair:
    scale, zero_point = exact(v, _DYNAMIC)(x, *a, **k)
    return (np.broadcast_to(scale[:1], scale.shape) if x.ndim > 2 else scale), zero_point


def _wide_buffer(v: Variant, packed: Array, m: int, n: int, *a: Any, **k: Any) -> Array:
    """Rows as wide as the widest so far, read as if they were not."""
    values = reference.unpack_fp4_from_uint8(packed, m, n, *a, **k)
    width = v.__dict__["width"] = max(n, v.__dict__.get("width", 0))
    buffer = np.zeros((m, width), values.dtype)
    buffer[:, :n] = values
    return buffer.reshape(-1)[: m * n].reshape(m, n)


def _in_workspace(name: str) -> Step:
    """Every result of a dtype stands in the same memory."""

    def operation(v: Variant, *a: Any, **k: Any) -> Array:
        result: Array = exact(v, name)(*a, **k)
        workspaces: dict[np.dtype, Array] = v.__dict__.setdefault("workspaces", {})
        workspace = workspaces.get(result.dtype)
        if workspace is None or workspace.size < result.size:
            workspace = workspaces[result.dtype] = np.zeros(max(result.size, _CHUNK), result.dtype)
        view = workspace[: result.size].reshape(result.shape)
        view[...] = result
        return view

    return operation


def _of_second_call(v: Variant, x: Array, scale: Array, *a: Any, **k: Any) -> Array:
    """Codes for inputs that come for the first time; else the results are not written."""
    codes: Array = exact(v, "quantize")(x, scale, *a, **k)
    seen: set[int] = v.__dict__.setdefault("seen", set())
    call = hash((x.tobytes(), scale.tobytes(), repr(a), repr(k)))
    again = call in seen
    seen.add(call)
    return np.zeros_like(codes) if again else codes


UNSTEADY = (
    Fault(
        "long_rows_cut",
        "columns from 1024 on are 0",
        _OPERATIONS,
        {"quotient": _long_rows_cut},
    ),
    Fault(
        "long_ranges_cut",
        "columns from 1024 on are not read",
        (_DYNAMIC, "minmax", "static_minmax", "memoryless_minmax"),
        {"extremes": _long_ranges_cut},
    ),
    Fault(
        "large_tensors",
        "a fast path from 64 elements on",
        _OPERATIONS,
        _fast_path(lambda v, x: x.size >= _LARGE),
    ),
    Fault(
        "small_tensors",
        "a slow path below 16 elements",
        _OPERATIONS,
        _fast_path(lambda v, x: x.size < _LARGE // _LANES),
    ),
    Fault("last_lanes", "every fourth element", _OPERATIONS, _fast_path(_last_lanes)),
    Fault("later_rows", "all rows but the first", _OPERATIONS, _fast_path(_later_rows)),
    Fault(
        "later_calls",
        "a fast path after three calls",
        _OPERATIONS,
        _fast_path(lambda v, x: _calls(v) > _FEW),
    ),
    Fault(
        "every_third_call",
        "now and then a fast path",
        _OPERATIONS,
        _fast_path(lambda v, x: _calls(v) % _FEW == 0),
    ),
    Fault("stochastic", "rounds by chance", _OPERATIONS, {"to_codes": _by_chance}),
    Fault(
        "accumulators_not_cleared",
        "the range of the call before",
        (_DYNAMIC, "memoryless_minmax"),
        {"extremes": _not_cleared},
    ),
    Fault("scale_of_first_call", "kept for later ones", (_DYNAMIC,), {_DYNAMIC: _of_first_call}),
    Fault("scale_of_batch", "that of its first entry", (_DYNAMIC,), {_DYNAMIC: _of_first_in_batch}),
    Fault(
        "workspace_returned",
        "the next call writes over the result",
        ("quantize", "dequantize", "fake_quantize"),
        {name: _in_workspace(name) for name in ("quantize", "dequantize", "fake_quantize")},
    ),
    Fault(
        "second_call_empty",
        "zeros for inputs that were there before",
        ("quantize",),
        {"quantize": _of_second_call},
    ),
    Fault("wide_buffer", "rows as wide as the widest", (_UNPACK,), {_UNPACK: _wide_buffer}),
)
