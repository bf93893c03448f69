"""A backend asked in numpy arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["Ask", "LackingError"]


class LackingError(Exception):
    """The backend has no such operation, or declines these arguments."""


class Ask:
    """Calls operations of a backend with numpy arrays, and returns numpy arrays.

    Args of this class: a module or object with ``from_numpy``, ``to_numpy`` and any functions of
    ``qparity.reference``. ``answered`` counts the calls that gave a result.
    """

    def __init__(self, backend: object) -> None:
        """Keep the backend."""
        self.backend, self.answered = backend, 0

    def __call__(self, op: str, **inputs: Any) -> Any:  # noqa: ANN401 - any operation
        """The result of an operation; arguments that are None are passed on.

        Raises:
            LackingError: if the backend has no such function, or raises NotImplementedError.
        """
        function = getattr(self.backend, op, None)
        if function is None:
            raise LackingError(f"the backend has no {op}")
        try:
            found = self.to_numpy(function(**{k: self.to_native(v) for k, v in inputs.items()}))
        except NotImplementedError as error:
            raise LackingError(f"the backend declines {op}: {error}") from error
        self.answered += 1
        return found

    def to_native(self, value: Any) -> Any:  # noqa: ANN401 - any argument
        """An argument, or the values of a dict, in the backend's own arrays."""
        if isinstance(value, np.ndarray):
            return getattr(self.backend, "from_numpy")(value)  # noqa: B009
        if isinstance(value, Mapping):
            return {key: self.to_native(item) for key, item in value.items()}
        return value

    def to_numpy(self, value: Any) -> Any:  # noqa: ANN401 - any result
        """A result, or the parts of one, in numpy arrays."""
        if isinstance(value, Mapping):
            return {key: self.to_numpy(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return tuple(self.to_numpy(item) for item in value)
        return getattr(self.backend, "to_numpy")(value)  # noqa: B009
