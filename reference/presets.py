"""The preset schemes of upstream 0.20.0, by name (SPEC section 3)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from .args import QuantizationArgs
from .dtypes import E4M3, UINT8
from .schemes import QuantizationScheme

__all__ = ["PRESET_SCHEMES", "preset_name_to_scheme"]

Preset = Mapping[str, QuantizationArgs]


def preset_name_to_scheme(name: str, targets: Sequence[str] = ("Linear",)) -> QuantizationScheme:
    """The preset scheme of a name, in any case of letters.

    Args:
        name: a key of ``PRESET_SCHEMES``.
        targets: the modules it applies to.

    Raises:
        TypeError: if the name is no string, or ``targets`` are no list of strings.
        ValueError: if there is no such preset; the message lists them.

    Source: upstream ``preset_name_to_scheme``.

    >>> preset_name_to_scheme("mxfp4a16").weights.is_mx
    True
    """
    if not isinstance(name, str):
        raise TypeError(f"name: {name!r} is not allowed; allowed: {list(PRESET_SCHEMES)}")
    if name.upper() not in PRESET_SCHEMES:
        raise ValueError(f"name: unknown preset {name!r}; allowed: {list(PRESET_SCHEMES)}")
    preset = PRESET_SCHEMES[name.upper()]
    return QuantizationScheme(
        targets=targets,  # type: ignore[arg-type] # normalised, and checked, there
        weights=preset.get("weights"),
        input_activations=preset.get("input_activations"),
    )


def _token(num_bits: int, kind: str) -> QuantizationArgs:
    return QuantizationArgs(num_bits=num_bits, type=kind, strategy="token", dynamic=True)


def _integer(weight_bits: int, activation_bits: int) -> Preset:
    weights = QuantizationArgs(num_bits=weight_bits, strategy="group", group_size=128)
    if activation_bits == 16:
        return {"weights": weights}
    return {"weights": weights, "input_activations": _token(activation_bits, "int")}


def _mx(num_bits: int, dynamic: bool = False) -> QuantizationArgs:
    return QuantizationArgs(
        num_bits=num_bits,
        type="float",
        strategy="group",
        group_size=32,
        dynamic=dynamic,
        scale_dtype=UINT8,
        zp_dtype=UINT8,
    )


def _nvfp4(dynamic: bool | str = False, observer: str | None = None) -> QuantizationArgs:
    return QuantizationArgs(
        num_bits=4,
        type="float",
        strategy="tensor_group",
        group_size=16,
        dynamic=dynamic,
        observer=observer,
        scale_dtype=E4M3,
        zp_dtype=E4M3,
    )


_FP8_TENSOR = QuantizationArgs(type="float", strategy="tensor")
_FP8_TENSOR_INPUT = QuantizationArgs(type="float", strategy="tensor", observer="static_minmax")
_FP8_CHANNEL = QuantizationArgs(type="float", strategy="channel")
_FP8_BLOCK = QuantizationArgs(type="float", strategy="block", block_structure=(128, 128))
_FP8_GROUP_INPUT = QuantizationArgs(type="float", strategy="group", group_size=128, dynamic=True)
_INT8_CHANNEL = QuantizationArgs(strategy="channel")
_INT4_ASYM = QuantizationArgs(num_bits=4, symmetric=False, strategy="group", group_size=128)
_INT4 = QuantizationArgs(num_bits=4, strategy="group", group_size=128)
_W8A8: Preset = {"weights": _INT8_CHANNEL, "input_activations": _token(8, "int")}

_INTEGER_PAIRS = (
    *((2, 4), (2, 8), (2, 16), (3, 4), (3, 8), (3, 16), (4, 4), (4, 8), (4, 16)),
    *((5, 8), (5, 16), (6, 8), (6, 16), (7, 8), (7, 16), (8, 16)),
)

PRESET_SCHEMES: Mapping[str, Preset] = MappingProxyType(
    {
        "UNQUANTIZED": {},
        "W4A16_ASYM": {"weights": _INT4_ASYM},
        "W8A8": _W8A8,
        "INT8": _W8A8,
        "W4AFP8": {"weights": _INT4, "input_activations": _token(8, "float")},
        "FP8": {"weights": _FP8_TENSOR, "input_activations": _FP8_TENSOR_INPUT},
        "FP8_DYNAMIC": {"weights": _FP8_CHANNEL, "input_activations": _token(8, "float")},
        "FP8_BLOCK": {"weights": _FP8_BLOCK, "input_activations": _FP8_GROUP_INPUT},
        "NVFP4A16": {"weights": _nvfp4()},
        "NVFP4": {"weights": _nvfp4(), "input_activations": _nvfp4("local", "static_minmax")},
        "MXFP4A16": {"weights": _mx(4)},
        "MXFP4": {"weights": _mx(4), "input_activations": _mx(4, dynamic=True)},
        "MXFP4XFP8": {"weights": _mx(4), "input_activations": _FP8_GROUP_INPUT},
        "MXFP6A16": {"weights": _mx(6)},
        "MXFP6A8": {"weights": _mx(6), "input_activations": _mx(8, dynamic=True)},
        "MXFP8A16": {"weights": _mx(8)},
        "MXFP8": {"weights": _mx(8), "input_activations": _mx(8, dynamic=True)},
        **{f"W{w}A{a}": _integer(w, a) for w, a in _INTEGER_PAIRS},
    }
)
