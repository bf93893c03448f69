"""The tables that a backend's ``deviations`` may name."""

from collections.abc import Mapping, Sequence

from .casts import CASTS, UNSATURATED_CASTS
from .compressed_tensors import COMPRESSED_TENSORS
from .declared import Declared
from .torchao import TORCHAO

__all__ = ["TABLES", "ways_of"]

TABLES: Mapping[str, tuple[Declared, ...]] = {
    "compressed-tensors": COMPRESSED_TENSORS,
    "torchao": TORCHAO,
    "ml_dtypes": UNSATURATED_CASTS,
    "gfloat": CASTS,
    "onnx": CASTS,
}


def ways_of(backend: object) -> Sequence[Declared]:
    """The rows of a backend: its ``deviations`` names a table, or is absent."""
    name = getattr(backend, "deviations", None)
    if not isinstance(name, str):
        return ()
    return TABLES.get(name, ())
