"""Scale, zero-point and global scale of a weight, by its minima and maxima."""

from qparity import reference
from qparity.reference import QuantizationArgs

from .bits import Array

__all__ = ["Span", "calibrated", "span_of"]

Span = tuple[Array, Array]


def span_of(weight: Array) -> Span:
    """The minimum and maximum of a whole weight, each of shape (1,)."""
    return reference.minmax(weight, QuantizationArgs(strategy="tensor"))


def calibrated(weight: Array, args: QuantizationArgs, span: Span | None = None) -> dict[str, Array]:
    """The qparams of a weight, by the local names that ``compress`` takes.

    Args:
        weight: 2-D, not empty, of a working dtype; or some rows of it.
        args: of the weight, not dynamic.
        span: the minimum and maximum of the whole weight, where ``weight`` is some of its rows.

    Returns:
        ``weight_scale`` in the dtype of the weight, ``weight_zero_point``, and for tensor groups
        ``weight_global_scale``.
    """
    found = {}
    whole = None
    if args.strategy == "tensor_group":
        whole = found["weight_global_scale"] = reference.generate_gparam(*span or span_of(weight))
    if args.strategy == "tensor" and span is not None:
        low, high = span
    else:
        low, high = reference.minmax(weight, args)
    scale, found["weight_zero_point"] = reference.calculate_qparams(low, high, args, whole)
    found["weight_scale"] = scale.astype(weight.dtype)
    return found
