"""Equality of bits: same dtype, same shape, same bits; any NaN is any NaN (SPEC section 10)."""

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

_SHOWN = 6


def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy or ml_dtypes dtype of a name."""
    return np.dtype(getattr(ml_dtypes, name, name))


def bits_of(x: Array) -> Array:
    """The same memory as unsigned integers."""
    return np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}").reshape(x.shape)


def is_nan(x: Array) -> Array:
    """Where an array of any dtype is NaN."""
    with np.errstate(invalid="ignore"):
        return np.zeros(x.shape, bool) if x.dtype.kind in "iu" else np.isnan(x)


def differing(actual: Array, expected: Array) -> Array:
    """Where two arrays of one dtype and shape differ in bits; a NaN equals a NaN."""
    both_nan = is_nan(actual) & is_nan(expected)
    return (bits_of(actual) != bits_of(expected)) & ~both_nan


def difference(
    actual: Array, expected: Array, undefined: Array | None = None, **inputs: object
) -> str | None:
    """What differs, with the bits of all inputs, or None.

    Elements that are ``undefined``, since a NaN was given or arose there, are left out.
    """
    if actual.dtype != expected.dtype:
        return f"dtype {actual.dtype.name}, upstream {expected.dtype.name}"
    if actual.shape != expected.shape:
        return f"shape {actual.shape}, upstream {expected.shape}"
    wrong = differing(actual, expected)
    if undefined is not None:
        wrong &= ~undefined.reshape(wrong.shape)
    if not wrong.any():
        return None
    lines = [f"{int(wrong.sum())} of {wrong.size} elements differ"]
    for index in np.argwhere(wrong)[:_SHOWN]:
        place = tuple(int(i) for i in index)
        given = " ".join(f"{k}={_shown(v, place, wrong.shape)}" for k, v in inputs.items())
        ours, theirs = (_hex(a[place]) for a in (actual, expected))
        lines.append(f"  {list(place)} ours {ours} upstream {theirs}; {given}")
    return "\n".join(lines)


def assert_same(
    actual: Array, expected: Array, undefined: Array | None = None, **inputs: object
) -> None:
    """Raise with what differs, unless the arrays are equal in bits."""
    found = difference(actual, expected, undefined, **inputs)
    assert found is None, found


def _hex(element: Any) -> str:  # noqa: ANN401 - a numpy scalar of any dtype
    array = np.asarray(element)
    return f"{array.dtype.name}:{int(bits_of(array.reshape(1))[0]):#x}({array})"


def _shown(value: object, place: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if not isinstance(value, np.ndarray):
        return str(value)
    if value.size == 1:
        return _hex(value.reshape(-1)[0])
    if value.shape == shape:
        return _hex(value[place])
    try:
        return _hex(np.broadcast_to(value, shape)[place])
    except ValueError:
        return f"{value.dtype.name}{value.shape}"
