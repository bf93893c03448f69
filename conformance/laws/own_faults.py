"""For each law a fault that it alone finds, among all laws; where there is none, why it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qparity.reference import QuantizationArgs, preset_name_to_scheme

from ..bits import Array
from ..faults import FAULTS, Fault, Variant
from ..faults.fault import Step
from ..faults.variant import exact

__all__ = ["OWN_FAULTS", "REASONS", "OwnFault"]

_INT8 = QuantizationArgs(strategy="channel")
_INT4 = QuantizationArgs(num_bits=4, strategy="channel")
_GROUPS = QuantizationArgs(num_bits=4, symmetric=False, strategy="group", group_size=16)
_TENSOR = QuantizationArgs(num_bits=4, symmetric=False)
_FP8_TOKEN = QuantizationArgs(type="float", strategy="token", dynamic=True)
_STEPS = ("quantize", "dequantize", "fake_quantize", "calculate_qparams", "minmax")
_CHUNK = 16
_RANK = 3


class _Lacking:
    """A backend of a few operations."""

    def __init__(self, backend: Variant, operations: tuple[str, ...]) -> None:
        self._backend, self._has = backend, (*operations, "from_numpy", "to_numpy")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any operation
        if name not in self._has:
            raise AttributeError(name)
        return getattr(self._backend, name)


@dataclass(frozen=True, slots=True)
class OwnFault:
    """A fault that one law finds.

    Attributes:
        law: the name of the law.
        fault: the fault.
        args: with which it is found.
        only: the operations that the backend has; empty: all.
    """

    law: str
    fault: Fault
    args: QuantizationArgs
    only: tuple[str, ...] = ()

    def backend(self) -> object:
        """A new backend with this fault."""
        made = self.fault.backend()
        return _Lacking(made, self.only) if self.only else made


class _Forgetful(QuantizationArgs):
    """Args that write no ``scale_dtype``."""

    __slots__ = ()

    def to_dict(self, on_disk: bool = False) -> dict[str, Any]:
        """Without ``scale_dtype``."""
        return super().to_dict(on_disk=on_disk) | {"scale_dtype": None}


def _away(y: Array, codes: Array, low: float, high: float) -> Array:
    """Codes whose ties are away from zero: as near as the even ones."""
    exactly = y.astype(np.float64)
    tie = (np.abs(exactly) % 1 == 0.5) & (low < exactly) & (exactly < high)
    away = np.trunc(exactly) + np.copysign(1, exactly)
    return np.where(tie, away.astype(codes.dtype), codes)


def _away_where(where: Any) -> Step:  # noqa: ANN401 - a predicate of the variant and y
    def to_codes(v: Variant, y: Array, args: QuantizationArgs, low: float, high: float) -> Array:
        codes: Array = exact(v, "to_codes")(y, args, low, high)
        return np.where(where(v, y), _away(y, codes, low, high), codes)

    return to_codes


def _noting(v: Variant, x: Array, s: Array, zero_point: Array | None) -> Array:
    """Keep the operands for the step that follows."""
    v.__dict__.update(x=x, s=s)
    scaled: Array = exact(v, "scaled")(x, s, zero_point)
    return scaled


def _infinities_exchanged(
    v: Variant, y: Array, args: QuantizationArgs, low: float, high: float
) -> Array:
    codes: Array = exact(v, "to_codes")(y, args, low, high)
    ends = np.where(v.__dict__["x"] > 0, codes.dtype.type(low), codes.dtype.type(high))
    return np.where(np.isinf(v.__dict__["x"]), ends, codes)


def _in_one_go(v: Variant, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the operation's
    v.__dict__["faked"] = True
    faked: Array = exact(v, "fake_quantize")(*a, **k)
    v.__dict__["faked"] = False
    return faked


def _largest_too_large(v: Variant, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the operation's
    codes: Array = exact(v, "quantize")(*a, **k)
    return codes if k.get("dtype") is None else np.where(codes == 7, codes + 1, codes)


def _zero_is_one(v: Variant, x: Array, scale: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the operation's
    values: Array = exact(v, "fake_quantize")(x, scale, *a, **k)
    return np.where(values == 0, np.broadcast_to(scale, values.shape), values)


def _growing(v: Variant, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the operation's
    values: Array = exact(v, "fake_quantize")(*a, **k)
    return np.asarray(values * values.dtype.type(1.25))


def _zero_point_moved(v: Variant, *a: Any, **k: Any) -> tuple[Array, Array]:  # noqa: ANN401 - as the operation's
    scale, zero_point = exact(v, "calculate_qparams")(*a, **k)
    return scale, zero_point + zero_point.dtype.type(9)


def _of_dictionary(law: str, name: str, args: QuantizationArgs) -> OwnFault:
    return OwnFault(law, next(fault for fault in FAULTS if fault.name == name), args)


def _of_steps(
    law: str,
    description: str,
    args: QuantizationArgs,
    only: tuple[str, ...] = (),
    /,
    **steps: Step,
) -> OwnFault:
    return OwnFault(law, Fault(f"own_{law}", description, (), steps), args, only)


_NVFP4 = preset_name_to_scheme("NVFP4").weights or _GROUPS
_MXFP4 = preset_name_to_scheme("MXFP4").weights or _GROUPS

OWN_FAULTS: tuple[OwnFault, ...] = (
    _of_dictionary("scale_positive", "zero_scale_kept", _GROUPS),
    _of_steps(
        "zero_point_in_range",
        "zero-points 9 too large",
        _TENSOR,
        calculate_qparams=_zero_point_moved,
    ),
    _of_dictionary("power_of_two_range", "scale_floor", _NVFP4),
    _of_steps(
        "codes_in_range",
        "8 for 7 where a dtype is asked for",
        _INT4,
        _STEPS,
        quantize=_largest_too_large,
    ),
    _of_steps(
        "zero_to_zero",
        "0 becomes one step; fake_quantize is all there is",
        _INT8,
        ("fake_quantize",),
        fake_quantize=_zero_is_one,
    ),
    _of_steps(
        "monotone",
        "infinities exchanged",
        _INT8,
        scaled=_noting,
        to_codes=_infinities_exchanged,
    ),
    _of_steps(
        "idempotent",
        "values a quarter too large; fake_quantize is all there is",
        _INT8,
        ("fake_quantize",),
        fake_quantize=_growing,
    ),
    _of_dictionary("sign_symmetric", "lost_sign_of_small", _FP8_TOKEN),
    _of_steps(
        "power_of_two",
        "ties away from zero where the scale is 1 or more",
        _INT8,
        scaled=_noting,
        to_codes=_away_where(lambda v, _: v.__dict__["s"] >= 1),
    ),
    _of_steps(
        "composition",
        "ties away from zero in fake_quantize",
        _INT8,
        _STEPS,
        fake_quantize=_in_one_go,
        to_codes=_away_where(lambda v, _: v.__dict__.get("faked", False)),
    ),
    _of_dictionary("half_step", "division_rounded_down", _NVFP4),
    _of_dictionary("value_of_code", "dequantize_distributed", _GROUPS),
    _of_steps(
        "units_alone",
        "ties away from zero from 17 numbers on",
        _INT8,
        to_codes=_away_where(lambda _, y: y.size > _CHUNK),
    ),
    _of_dictionary("order_within_unit", "last_element_missed", _GROUPS),
    _of_steps(
        "rank",
        "ties away from zero in rank 3",
        _INT8,
        to_codes=_away_where(lambda _, y: y.ndim == _RANK),
    ),
    _of_dictionary("strides", "gaps_ignored", _GROUPS),
    _of_dictionary("pure", "x_overwritten", _GROUPS),
    _of_dictionary("unpack_pack", "unpack_fp4_in_bfloat16", _NVFP4),
    _of_dictionary("decompress_compress", "mx_code_off_by_one", _MXFP4),
    _of_steps(
        "config",
        "args that write no scale_dtype",
        _Forgetful(strategy="channel", scale_dtype=np.dtype(np.float16)),
    ),
)

REASONS: Mapping[str, str] = {
    "units_permuted": "A unit that depends on its place or on its neighbours differs from itself "
    "alone, so units_alone finds what this law finds. It asks for one shape alone, and so judges "
    "kernels that are made for one.",
}
