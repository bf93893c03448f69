"""Faults of manners: wrong types and shapes, changed inputs, errors."""

from typing import Any

import numpy as np

from ..bits import Array
from .arithmetic import BF16, F32
from .fault import Fault, Step, changing
from .steps_disk import Tensors
from .steps_qparams import Pair
from .variant import Variant, exact

_CALLS = ("quantize", "dequantize", "fake_quantize")
_QPARAMS = ("calculate_qparams", "compute_dynamic_scales_and_zp")
_OBSERVERS = ("minmax", "static_minmax", "memoryless_minmax")
_LARGE = 32


def _in_place(v: Variant, x: Array, *a: Any, **k: Any) -> Array:
    result: Array = exact(v, "fake_quantize")(x, *a, **k)
    if result.shape != x.shape or not x.flags.writeable:
        return result
    x[...] = result
    return x if result.dtype == x.dtype else result


def _overwritten(v: Variant, x: Array, *a: Any, **k: Any) -> Array:
    result: Array = exact(v, "quantize")(x, *a, **k)
    if x.flags.writeable:
        np.multiply(x, x.dtype.type(2), out=x)
    return result


def _scale_overwritten(v: Variant, x: Array, scale: Array, *a: Any, **k: Any) -> Array:
    result: Array = exact(v, "quantize")(x, scale, *a, **k)
    if scale.flags.writeable:
        scale[...] = 1 / scale
    return result


def _state_overwritten(v: Variant, x: Array, args: Any, state: Pair | None = None) -> Pair:
    lo, hi = exact(v, "static_minmax")(x, args, state)
    if state is not None:
        state[0][...], state[1][...] = lo, hi
    return lo, hi


def _emptied(v: Variant, state_dict: dict[str, Array], *a: Any, **k: Any) -> Tensors:
    written: Tensors = exact(v, "compress")(state_dict, *a, **k)
    state_dict.pop("weight", None)
    return written


def _flat(result: Array) -> Array:
    return result.reshape(-1)


def _squeezed(result: Array) -> Array:
    return result.squeeze()


def _in_float32(result: Array) -> Array:
    return result.astype(F32) if result.dtype == BF16 else result


def _int_codes(result: Array) -> Array:
    """Codes in int32."""
    return result.astype(np.int32) if result.dtype == np.int8 else result


def _as_list(result: Array) -> Any:
    return result.tolist()


def _nothing(result: Array) -> None:
    return None


def _big_endian(result: Array) -> Array:
    return result.byteswap() if result.dtype.itemsize > 1 else result


def _pair_in_float32(result: Pair) -> Pair:
    return result[0].astype(F32), result[1]


def _exchanged(result: Pair) -> Pair:
    return result[1], result[0]


def _first_only(result: Pair) -> Array:
    return result[0]


def _raises(name: str, least: int, most: float) -> Step:
    def operation(v: Variant, x: Array, *a: Any, **k: Any) -> Any:
        if not least <= x.size <= most:
            raise RuntimeError(f"a kernel of {least} to {most} elements")
        return exact(v, name)(x, *a, **k)

    return operation


HOSTILE = (
    Fault("in_place", "the result is x itself", ("fake_quantize",), {"fake_quantize": _in_place}),
    Fault("x_overwritten", "x is scratch memory", ("quantize",), {"quantize": _overwritten}),
    Fault("scale_overwritten", "by 1 / scale", ("quantize",), {"quantize": _scale_overwritten}),
    Fault(
        "state_overwritten",
        "by the next state",
        ("static_minmax",),
        {"static_minmax": _state_overwritten},
    ),
    Fault("state_dict_emptied", "the weight is taken out", ("compress",), {"compress": _emptied}),
    Fault("flat_result", "one axis, whatever the rank", _CALLS, changing(_flat, *_CALLS)),
    Fault("squeezed_result", "axes of length 1 are lost", _CALLS, changing(_squeezed, *_CALLS)),
    Fault("float32_result", "bfloat16 comes back wider", _CALLS, changing(_in_float32, *_CALLS)),
    Fault("int32_codes", "int8 codes come back wider", _CALLS[:1], changing(_int_codes, _CALLS[0])),
    Fault("list_result", "a Python list", _CALLS, changing(_as_list, *_CALLS)),
    Fault("no_result", "None", _CALLS, changing(_nothing, *_CALLS)),
    Fault("bytes_swapped", "numbers in big-endian order", _CALLS, changing(_big_endian, *_CALLS)),
    Fault(
        "float32_scale",
        "the scale in another dtype",
        _QPARAMS,
        changing(_pair_in_float32, *_QPARAMS),
    ),
    Fault(
        "maximum_first",
        "both extremes, exchanged",
        _OBSERVERS,
        changing(_exchanged, *_OBSERVERS),
    ),
    Fault(
        "scale_alone",
        "no zero-point is returned",
        _QPARAMS,
        changing(_first_only, *_QPARAMS),
    ),
    Fault(
        "large_refused",
        "raises from 33 elements on",
        ("quantize", "fake_quantize"),
        {name: _raises(name, 0, _LARGE) for name in ("quantize", "fake_quantize")},
    ),
    Fault(
        "empty_refused",
        "raises where there is no element",
        ("quantize", "fake_quantize"),
        {name: _raises(name, 1, np.inf) for name in ("quantize", "fake_quantize")},
    ),
)
