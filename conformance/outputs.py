"""What an operation returned, as named arrays, and how it differs from what is expected."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .bits import Array
from .compare import Difference, find_difference

__all__ = ["Outputs", "count_of", "differs", "named_outputs"]

Outputs = dict[str, Array]
_QPARAMS, _RANGE = ("scale", "zero_point"), ("min_vals", "max_vals")
_OUTPUT_NAMES = {
    "calculate_range": ("q_min", "q_max"),
    "calculate_qparams": _QPARAMS,
    "compute_dynamic_scales_and_zp": _QPARAMS,
    "minmax": _RANGE,
    "memoryless_minmax": _RANGE,
    "static_minmax": _RANGE,
}
_OF_NUMBERS = ("calculate_range",)
_OF_DICTS = ("compress", "decompress")


def named_outputs(
    op: str, result: object, to_numpy: Callable[[Any], Any] = lambda value: value
) -> Outputs:
    """A result as named arrays: tuples by name, and of checkpoints, dicts by key.

    Python numbers are float64 arrays where the operation is of numbers, ``calculate_range``. Where
    an operation has several outputs, a list of them is as good as a tuple. What is of no kind that
    the operation returns is left as it is.
    """
    to_array = _number_to_array if op in _OF_NUMBERS else _to_array
    if isinstance(result, Mapping):
        if op not in _OF_DICTS:
            return {"": result}  # type: ignore[dict-item]
        return {str(key): to_array(value, to_numpy) for key, value in result.items()}
    names: tuple[str, ...] = _OUTPUT_NAMES.get(op, ())
    if isinstance(result, tuple) or (names and isinstance(result, list)):
        if len(names) != len(result):
            names = tuple(f"[{i}]" for i in range(len(result)))
        pairs = zip(names, result, strict=True)
        return {name: to_array(value, to_numpy) for name, value in pairs}
    return {"": to_array(result, to_numpy)}


def count_of(outputs: Outputs) -> int:
    """How many numbers the outputs have."""
    return sum(int(array.size) for array in outputs.values())


def differs(expected: Outputs, actual: Outputs) -> Difference | None:
    """The first difference between outputs, of whatever kind, with all that differ counted."""
    total = count_of(expected)
    if set(expected) != set(actual):
        alone = actual.get("")
        if isinstance(alone, Mapping):
            detail = f"returned {type(alone).__name__}, expected a pair"
            return Difference("", "keys", detail, (), total, total)
        no_array = set(actual) == {""} and not isinstance(alone, np.ndarray)
        told = type(alone).__name__ if no_array else sorted(actual)
        detail = f"expected outputs {sorted(expected)}, actual {told}"
        return Difference("", "keys", detail, (), total, total)
    found = [find_difference(expected[key], actual[key], key) for key in expected]
    real = [difference for difference in found if difference is not None]
    if not real:
        return None
    # one wrong dtype or shape says more than wrong numbers beside it
    first = min(real, key=lambda difference: difference.reason == "bits")
    return replace(first, count=sum(d.count for d in real), total=total)


def _number_to_array(value: Any, to_numpy: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - any result
    if isinstance(value, (bool, int, float)):
        return np.array([value], np.float64)
    return _to_array(value, to_numpy)


def _to_array(value: Any, to_numpy: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - any result
    """An array, without the ways of a subclass; numbers and masked arrays are none."""
    if isinstance(value, (bool, int, float, np.ma.MaskedArray)):
        return value
    array = to_numpy(value)
    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        return array
    return np.asarray(array)
