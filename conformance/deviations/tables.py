"""The tables that a backend's ``deviations`` may name."""

from collections.abc import Mapping

from .casts import CASTS, UNSATURATED_CASTS
from .compressed_tensors import COMPRESSED_TENSORS
from .declared import Declared
from .torchao import TORCHAO

__all__ = ["TABLES"]

TABLES: Mapping[str, tuple[Declared, ...]] = {
    "compressed-tensors": COMPRESSED_TENSORS,
    "torchao": TORCHAO,
    "ml_dtypes": UNSATURATED_CASTS,
    "gfloat": CASTS,
    "onnx": CASTS,
}
