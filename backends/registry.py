"""Find a backend by its name."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import MappingProxyType, ModuleType
from typing import Any, Protocol, cast, runtime_checkable

import numpy.typing as npt

ENTRY_POINT_GROUP = "qparity.backends"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A backend of this folder: its module, what makes it of a device, and what it needs.

    Attributes:
        module: name of the module, relative to this folder.
        factory: a function of the module that takes ``device``; empty if the module is the backend.
        device: where the arrays live, or of what library the casts are.
        library: what must be installed; empty if nothing must.
        extra: the extra of qparity that installs it.
    """

    module: str
    factory: str = ""
    device: str = ""
    library: str = ""
    extra: str = ""


BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "numpy": BuiltIn("numpy_backend"),
        "torch:cpu": BuiltIn("torch_eager", "TorchBackend", "cpu", "torch", "torch"),
        "torch:cuda": BuiltIn("torch_eager", "TorchBackend", "cuda", "torch", "torch"),
        "triton:cpu": BuiltIn("triton_fused", "TritonBackend", "cpu", "triton", "triton"),
        "triton:cuda": BuiltIn("triton_fused", "TritonBackend", "cuda", "triton", "triton"),
        "compressed_tensors:cpu": BuiltIn(
            "compressed_tensors", "CompressedTensors", "cpu", "compressed_tensors", "peers"
        ),
        "compressed_tensors:cuda": BuiltIn(
            "compressed_tensors", "CompressedTensors", "cuda", "compressed_tensors", "peers"
        ),
        "torchao:cpu": BuiltIn("torchao", "TorchAO", "cpu", "torchao", "peers"),
        "torchao:cuda": BuiltIn("torchao", "TorchAO", "cuda", "torchao", "peers"),
        "ml_dtypes": BuiltIn("casts", "Casts", "ml_dtypes"),
        "gfloat": BuiltIn("casts", "Casts", "gfloat", "gfloat", "peers"),
        "onnx": BuiltIn("casts", "Casts", "onnx", "onnx", "peers"),
    }
)


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
        name: ``numpy``, ``torch:cpu``, ``torch:cuda``, ``triton:cuda`` and the others of
            ``BUILT_IN``; the name of an entry point of the group ``qparity.backends``; or
            ``package.module`` or ``package.module:object`` to import. The earlier kind wins.

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
        return cast(Backend, _built_in(name, BUILT_IN[name]))
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


def _built_in(name: str, row: BuiltIn) -> object:
    if row.library:
        try:
            importlib.import_module(row.library)
        except ModuleNotFoundError:
            raise ValueError(
                f"backend: {name!r} needs {row.library}, which is not installed; "
                f"pip install 'qparity[{row.extra}]'"
            ) from None
    module = importlib.import_module(f"{__package__}.{row.module}")
    return getattr(module, row.factory)(row.device) if row.factory else module


def _imported(name: str, registered: list[str]) -> object:
    module_name, colon, path = name.partition(":")
    found: object = _module(module_name)
    for part in path.split(".") if colon else ():
        found = getattr(found, part, None)
    if found is None:
        raise ValueError(
            f"backend: {name!r} is unknown; allowed: {', '.join((*BUILT_IN, *registered))}, "
            "package.module, or package.module:object"
        )
    return found


def _module(name: str) -> ModuleType | None:
    """The module of a dotted name, None if there is none; what it raises itself is not caught."""
    module = None
    parts = name.split(".")
    for depth, part in enumerate(parts, start=1):
        whole = ".".join(parts[:depth])
        in_package = module is None or hasattr(module, "__path__")
        if not part.isidentifier() or not in_package:
            return None
        if whole not in sys.modules and importlib.util.find_spec(whole) is None:
            return None
        module = importlib.import_module(whole)
    return module
