"""The tables that a backend's ``deviations`` may name."""

from collections.abc import Mapping

from .compressed_tensors import COMPRESSED_TENSORS
from .declared import Declared
from .torchao import TORCHAO

__all__ = ["TABLES"]

TABLES: Mapping[str, tuple[Declared, ...]] = {
    "compressed-tensors": COMPRESSED_TENSORS,
    "torchao": TORCHAO,
}
