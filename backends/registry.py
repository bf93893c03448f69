"""Find a backend by its name."""

import importlib
import importlib.util
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Protocol, cast, runtime_checkable

import numpy.typing as npt

ENTRY_POINT_GROUP = "qparity.backends"
BUILT_IN = ("numpy", "torch:cpu", "torch:cuda")


@runtime_checkable
class Backend(Protocol):
    """What every backend has; see ``qparity.backends`` for what it may have besides."""

    def from_numpy(self, array: npt.NDArray[Any], /) -> Any:  # noqa: ANN401 - the backend's own
        """A numpy or ml_dtypes array as the backend's own array, bit for bit."""

    def to_numpy(self, array: Any, /) -> npt.NDArray[Any]:  # noqa: ANN401 - the backend's own
        """The backend's own array as a numpy or ml_dtypes array, bit for bit."""


def load_backend(name: str) -> Backend:
    """The backend of a name.

    Args:
        name: ``numpy``, ``torch:cpu``, ``torch:cuda``; the name of an entry point of the group
            ``qparity.backends``; or ``package.module`` or ``package.module:object`` to import.
            The earlier kind wins.

    Returns:
        A module or an object with ``from_numpy``, ``to_numpy``, and any functions of
        ``qparity.reference``.

    Raises:
        TypeError: if the name is no string.
        ValueError: if the name is unknown, its device or its library is missing, or it names
            something that is no backend. An error inside a module that is imported is not caught.

    Source: SPEC section 11.
    """
    if not isinstance(name, str):
        raise TypeError(f"backend: {name!r} is not allowed; allowed: a string")
    if name in BUILT_IN:
        return _built_in(name)
    registered = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    found = registered[name].load() if name in registered else _imported(name, sorted(registered))
    missing = [
        verb for verb in ("from_numpy", "to_numpy") if not callable(getattr(found, verb, None))
    ]
    if missing:
        raise ValueError(
            f"backend: {name!r} is no backend, it has no {' and no '.join(missing)}; "
            "allowed: a module or object with from_numpy and to_numpy"
        )
    return cast(Backend, found)


def _built_in(name: str) -> Backend:
    if name == "numpy":
        from . import numpy_backend

        return numpy_backend
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError:
        raise ValueError(
            f"backend: {name!r} needs torch, which is not installed; pip install qparity[torch]"
        ) from None
    from .torch_eager import TorchBackend

    return TorchBackend(name.removeprefix("torch:"))


def _imported(name: str, registered: list[str]) -> object:
    module_name, _, attribute = name.partition(":")
    found: object = _module(module_name)
    for part in attribute.split(".") if attribute else ():
        found = getattr(found, part, None)
    if found is None:
        raise ValueError(
            f"backend: {name!r} is unknown; allowed: {', '.join((*BUILT_IN, *registered))}, "
            "package.module, or package.module:object"
        )
    return found


def _module(name: str) -> ModuleType | None:
    """The module of a dotted name, None if there is none; its own import errors are raised."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for depth in range(1, len(parts) + 1):
        try:
            if importlib.util.find_spec(".".join(parts[:depth])) is None:
                return None
        except (ModuleNotFoundError, ValueError):
            return None
    return importlib.import_module(name)
