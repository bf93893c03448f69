"""What follows for the cases from the formats and the scale rule of args."""

from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import FloatFormat, FormatArgs, IntFormat, QuantizationArgs

from .bits import Array

_OF_EXPONENTS = ("mx", "floor", "ceil", "even")


def may_have_global_scale(args: QuantizationArgs) -> bool:
    """Whether a global scale is allowed beside the scale: not with powers of two of exponents."""
    return args.scale_rule not in _OF_EXPONENTS


def stored_dtype(args: QuantizationArgs) -> np.dtype | None:
    """The dtype of 8 bits that codes are stored in as numbers; None if there is none."""
    row = args.code_format
    if isinstance(row, IntFormat):
        return row.dtype if row.signed else None
    return row.dtype if row.bits == 8 and row.dtype.kind != "u" else None


def scale_grid(args: QuantizationArgs) -> FloatFormat | IntFormat | None:
    """The format of at most 8 bits that scales lie on; None where it is wider, or MX's."""
    row = args.scale_format
    if row is None or row.bits > 8:
        return None
    plain_float = isinstance(row, FloatFormat) and not args.is_mx
    return row if isinstance(args, FormatArgs) or plain_float else None


def scale_divisor(args: QuantizationArgs) -> float:
    """What a range is divided by to make a scale: half the codes' range, all of it, or a power."""
    row = args.code_format
    if isinstance(args, FormatArgs) and args.scale_rule in _OF_EXPONENTS:
        return 2.0**row.max_exponent
    return (row.max - row.min) / (2 if args.symmetric else 1)


def global_scale_of(weight: Array, args: QuantizationArgs) -> Array | None:
    """The global scale of a tensor with two levels of scale, by the reference; None of others."""
    if args.strategy != "tensor_group":
        return None
    return reference.generate_gparam(**global_scale_inputs(weight, args))


def global_scale_inputs(weight: Array, args: QuantizationArgs) -> dict[str, Any]:
    """The arguments that the global scale of a tensor is made from."""
    per_tensor = reference.minmax(weight, QuantizationArgs(strategy="tensor"))
    inputs: dict[str, Any] = dict(zip(("min_val", "max_val"), per_tensor, strict=True))
    if isinstance(args, FormatArgs):
        inputs["quant_data"] = args.code_format
        inputs["scale_data"] = args.scale_format or reference.FLOAT8_E4M3FN
    return inputs
