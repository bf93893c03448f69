"""The compression format of a scheme (SPEC section 8)."""

from .format_args import FormatArgs
from .schemes import QuantizationScheme

__all__ = ["infer_format"]

COMPRESSION_FORMATS = (
    "dense",
    "naive-quantized",
    "int-quantized",
    "float-quantized",
    "pack-quantized",
    "nvfp4-pack-quantized",
    "mxfp4-pack-quantized",
    "mxfp6-pack-quantized",
    "mxfp8-quantized",
)


def infer_format(scheme: QuantizationScheme) -> str:
    """The format that upstream stores a scheme in, where the scheme names none.

    Args:
        scheme: its ``weights`` and ``input_activations`` decide.

    Returns:
        One of ``COMPRESSION_FORMATS``.

    Raises:
        TypeError: if ``scheme`` is none.
        ValueError: if its weights are ``FormatArgs``, which no format of upstream holds.

    Source: SPEC section 8; upstream ``infer_module_format``.

    >>> infer_format(QuantizationScheme(["Linear"], {"num_bits": 4, "group_size": 128}))
    'pack-quantized'
    """
    if not isinstance(scheme, QuantizationScheme):
        raise TypeError(f"scheme: {scheme!r} is not allowed; allowed: a QuantizationScheme")
    weights, inputs = scheme.weights, scheme.input_activations
    if weights is None:
        return "dense"
    _check_storable(scheme)
    if weights.type == "float" and weights.group_size == 32:
        if weights.num_bits in (4, 6):
            return f"mxfp{weights.num_bits}-pack-quantized"
        if weights.is_mx:
            return "mxfp8-quantized"
    if weights.type == "float" and weights.num_bits == 4 and weights.group_size == 16:
        return "nvfp4-pack-quantized"
    if inputs is not None:
        return f"{weights.type}-quantized"
    return "pack-quantized" if weights.type == "int" else "naive-quantized"


def resolve_format(scheme: QuantizationScheme, format: str | None) -> str:
    """The format asked for, else that of the scheme, else the inferred one.

    Raises:
        ValueError: if the reference cannot write the format, or it cannot hold the weights.
    """
    asked = scheme.format if format is None else format
    name = infer_format(scheme) if asked is None else asked
    if name not in COMPRESSION_FORMATS:
        raise ValueError(f"format: {name!r} is not allowed; allowed: {list(COMPRESSION_FORMATS)}")
    if name != "dense":
        _check_storable(scheme)
    return name


def _check_storable(scheme: QuantizationScheme) -> None:
    weights = scheme.weights
    if isinstance(weights, FormatArgs):
        raise ValueError(
            f"weights: {weights.code_format.name} of FormatArgs is not allowed in a checkpoint, as "
            "no format of upstream holds it; allowed: QuantizationArgs"
        )
