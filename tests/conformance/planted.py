"""Backends with a planted fault: the reference, with some functions replaced."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.case import Case
from qparity.conformance.operations import Check, all_checks
from qparity.reference import QuantizationArgs

Array = npt.NDArray[Any]

INT8 = QuantizationArgs()
X, SCALE = 0xBF780001, 0x3FF80000


def backend(**functions: Callable[..., Any]) -> SimpleNamespace:
    """The reference as a backend, with these functions in place of its own."""
    whole = load_backend("numpy")
    return SimpleNamespace(**{name: getattr(whole, name) for name in whole.__all__} | functions)


def lacking(*names: str) -> SimpleNamespace:
    """The reference as a backend, without these functions."""
    found = backend()
    for name in names:
        delattr(found, name)
    return found


def by_reciprocal(x: Array, scale: Array, zero_point: Array | None, args: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
    """Quantize by the product with the reciprocal of the scale, in place of the division."""
    with np.errstate(all="ignore"):
        inverse = scale.dtype.type(1) / scale
        ones = np.ones_like(scale)
        if args.strategy == "block":
            rows, columns = args.block_structure
            inverse = inverse.repeat(rows, 0).repeat(columns, 1)[: x.shape[0], : x.shape[1]]
        if args.strategy in ("group", "tensor_group") and "g_idx" not in k and x.ndim > 1:
            inverse = inverse[:, None] if inverse.ndim == 1 else inverse
            groups = x.reshape(*x.shape[:-1], -1, args.group_size) * inverse[..., None]
            return reference.quantize(groups.reshape(x.shape), ones, zero_point, args, **k)
        if args.strategy in ("group", "tensor_group"):
            return reference.quantize(x, scale, zero_point, args, **k)
        return reference.quantize(x * inverse, ones, zero_point, args, **k)


def spoiled(op: str, change: Callable[[Array], Array]) -> SimpleNamespace:
    """The reference as a backend, the first result of one operation changed."""

    def operation(*a: Any, **k: Any) -> Any:  # noqa: ANN401 - as the reference's
        result = getattr(reference, op)(*a, **k)
        return (change(result[0]), *result[1:]) if isinstance(result, tuple) else change(result)

    return backend(**{op: operation})


def next_to(array: Array) -> Array:
    """An array whose last number, if it has one, has another lowest bit."""
    changed = np.atleast_1d(array).copy()
    if changed.size == 0:
        return changed
    changed.view(f"u{array.dtype.itemsize}")[(-1,) * changed.ndim] ^= 1
    return changed


def number(bits: int) -> Array:
    """One float32, by its bits, of shape (1,)."""
    return np.array([bits], np.uint32).view(np.float32)


def reciprocal_case(**options: Any) -> Case:  # noqa: ANN401 - any argument of quantize
    """x / scale one ulp beyond the tie -0.5, where the product with the reciprocal is the tie."""
    inputs = {"x": number(X), "scale": number(SCALE), "zero_point": None, "args": INT8}
    return Case("quantize", inputs | options)


def check_of(op: str, name: str) -> Check:
    """The check of an operation, by its name."""
    return next(check for check in all_checks() if (check.op, check.name) == (op, name))
