"""``QuantizationScheme``: the args of one module's weights and activations (SPEC section 3)."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .args import QuantizationArgs

__all__ = ["QuantizationScheme"]

FORMAT_NAMES = (
    "dense",
    "sparse-bitmask",
    "sparse-24-bitmask",
    "int-quantized",
    "float-quantized",
    "naive-quantized",
    "pack-quantized",
    "marlin-24",
    "nvfp4-pack-quantized",
    "mxfp4-pack-quantized",
    "mxfp6-pack-quantized",
    "mxfp8-quantized",
)
_INPUT_STRATEGIES = ("token", "tensor", "group", "tensor_group", "attn_head")
_ARGS_FIELDS = ("weights", "input_activations", "output_activations")


@dataclass(frozen=True, slots=True)
class QuantizationScheme:
    """What the weights, inputs and outputs of the target modules are quantized to.

    Attributes:
        targets: names, types or ``re:`` expressions of modules; any sequence of strings.
        weights: args of the weight, or None.
        input_activations: args of the input, or None.
        output_activations: args of the output, or None.
        format: compression format, or None to infer it.

    Raises:
        TypeError: if a field has a value of the wrong type.
        ValueError: if the strategy of the inputs is not one for activations, if activations have
            an ``actorder``, or if the format is unknown or ``"mixed-precision"``.

    Warns ``UserWarning`` if weights and inputs of one type have groups of different sizes.

    Source: SPEC section 3; upstream ``QuantizationScheme``.

    >>> scheme = QuantizationScheme(["Linear"], {"num_bits": 4, "group_size": 128})
    >>> scheme.targets, scheme.weights.strategy
    (('Linear',), 'group')
    """

    targets: tuple[str, ...]
    weights: QuantizationArgs | None = None
    input_activations: QuantizationArgs | None = None
    output_activations: QuantizationArgs | None = None
    format: str | None = None

    def __post_init__(self) -> None:
        """Normalise the fields, then check the combinations."""
        object.__setattr__(self, "targets", _targets(self.targets))
        for name in _ARGS_FIELDS:
            object.__setattr__(self, name, _args(name, getattr(self, name)))
        object.__setattr__(self, "format", _format(self.format))
        inputs, outputs = self.input_activations, self.output_activations
        if inputs is not None and inputs.strategy not in _INPUT_STRATEGIES:
            raise ValueError(
                f"input_activations: strategy {inputs.strategy!r} is not allowed; "
                f"allowed: {list(_INPUT_STRATEGIES)}"
            )
        for name, args in (("input_activations", inputs), ("output_activations", outputs)):
            if args is not None and args.actorder is not None:
                raise ValueError(
                    f"{name}: actorder {args.actorder!r} is not allowed; allowed: None"
                )
        self._warn_of_group_sizes()

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> "QuantizationScheme":
        """Read a scheme of a config; the args in any form of ``QuantizationArgs.from_dict``.

        Raises:
            TypeError: if ``data`` is no mapping or a value has the wrong type.
            ValueError: if a key is unknown or missing, or a value is not allowed.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"scheme: {type(data).__name__} is not allowed; allowed: a mapping")
        known = [f.name for f in fields(QuantizationScheme)]
        unknown = [key for key in data if key not in known]
        if unknown:
            raise ValueError(f"scheme: unknown key {unknown[0]!r}; allowed: {known}")
        if "targets" not in data:
            raise ValueError("targets: missing; allowed: a list of strings")
        return QuantizationScheme(**data)

    def to_dict(self, on_disk: bool = False) -> dict[str, Any]:
        """Write all fields as JSON values; ``on_disk`` as in ``QuantizationArgs.to_dict``."""
        written: dict[str, Any] = {"targets": list(self.targets)}
        for name in _ARGS_FIELDS:
            args = getattr(self, name)
            written[name] = None if args is None else args.to_dict(on_disk=on_disk)
        return written | {"format": self.format}

    def _warn_of_group_sizes(self) -> None:
        weights, inputs = self.weights, self.input_activations
        if weights is None or inputs is None:
            return
        same_type = (weights.num_bits, weights.type) == (inputs.num_bits, inputs.type)
        both_grouped = weights.strategy == inputs.strategy == "group"
        if same_type and both_grouped and weights.group_size != inputs.group_size:
            warnings.warn(
                f"group_size: weights have {weights.group_size}, input_activations "
                f"{inputs.group_size}; fused kernels expect the same",
                UserWarning,
                stacklevel=4,
            )


def _targets(value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(target, str) for target in value):
        return tuple(value)
    raise TypeError(f"targets: {value!r} is not allowed; allowed: a list of strings")


def _args(name: str, value: object) -> QuantizationArgs | None:
    if value is None or isinstance(value, QuantizationArgs):
        return value
    if isinstance(value, Mapping):
        return QuantizationArgs.from_dict(value)
    raise TypeError(f"{name}: {value!r} is not allowed; allowed: QuantizationArgs, a mapping, None")


def _format(value: object) -> str | None:
    plain = getattr(value, "value", value)
    if plain is None or plain in FORMAT_NAMES:
        return plain
    raise ValueError(f"format: {plain!r} is not allowed; allowed: None or {list(FORMAT_NAMES)}")
