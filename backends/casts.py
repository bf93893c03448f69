"""Roundings of ml_dtypes, gfloat and onnx, as backends: their casts, on numpy arrays.

Where a cast is not the reference's by definition, docs/parity.md says how: ml_dtypes does not
saturate, and takes float64 to float16 in one rounding; NaN has no code in fp4 and fp6.
"""

import importlib
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from qparity.reference import FormatArgs, QuantizationArgs

from .numpy_backend import from_numpy, to_numpy

__all__ = ["Casts"]

Array = npt.NDArray[Any]
Cast = Callable[[Array, str], Array]


class Casts:
    """``round_to_quantized_type_*`` by the casts of a library; arrays are numpy's.

    Args:
        library: ``ml_dtypes``, ``gfloat`` or ``onnx``.

    Raises:
        ModuleNotFoundError: if the library is not installed.
    """

    from_numpy = staticmethod(from_numpy)
    to_numpy = staticmethod(to_numpy)

    def __init__(self, library: str) -> None:
        makers = {"ml_dtypes": _ml_dtypes, "gfloat": _gfloat, "onnx": _onnx}
        self._cast = makers[library]()
        self.deviations = library
        self.libraries = {library: version(library)}

    def round_to_quantized_type_dtype(
        self, x: Array, dtype: npt.DTypeLike, cast_to_original_dtype: bool = True
    ) -> Array:
        """The library's cast to a float dtype, and back."""
        target = np.dtype(dtype)
        if target.kind in "iu" or x.ndim == 0:
            raise NotImplementedError("casts of tensors to floats alone")
        rounded = self._cast(x, target.name)
        return rounded.astype(x.dtype if cast_to_original_dtype else target)

    def round_to_quantized_type_args(
        self,
        x: Array,
        args: QuantizationArgs,
        q_min: float,
        q_max: float,
        cast_to_original_dtype: bool = True,
    ) -> Array:
        """The library's cast to fp4, fp6 or fp8, in its full range."""
        if isinstance(args, FormatArgs) or args.type == "int" or x.ndim == 0:
            raise NotImplementedError("casts of tensors to fp4, fp6 and fp8 alone")
        row = args.code_format
        if (q_min, q_max) != (row.min, row.max):
            raise NotImplementedError("casts have the full range of their format")
        rounded = self._cast(x, row.name)
        fp8 = args.num_bits == 8 and not cast_to_original_dtype
        return rounded.astype(ml_dtypes.float8_e4m3fn if fp8 else x.dtype)


def _ml_dtypes() -> Cast:
    """``astype``."""

    def cast(x: Array, name: str) -> Array:
        return x.astype(np.dtype(getattr(ml_dtypes, name, name)))

    return cast


def _gfloat() -> Cast:
    """``round_ndarray`` to nearest even, saturating."""
    gfloat = importlib.import_module("gfloat")
    formats = importlib.import_module("gfloat.formats")
    rows = {
        "float4_e2m1fn": formats.format_info_ocp_e2m1,
        "float6_e2m3fn": formats.format_info_ocp_e2m3,
        "float6_e3m2fn": formats.format_info_ocp_e3m2,
        "float8_e4m3fn": formats.format_info_ocp_e4m3,
        "float8_e5m2": formats.format_info_ocp_e5m2,
        "bfloat16": formats.format_info_bfloat16,
        "float16": formats.format_info_binary16,
    }

    def cast(x: Array, name: str) -> Array:
        if name not in rows:
            raise NotImplementedError(f"gfloat is not asked for {name}")
        wide = x.astype(np.float64)
        even = gfloat.RoundMode.TiesToEven
        rounded: Array = gfloat.round_ndarray(rows[name], wide, even, sat=True)
        return rounded

    return cast


def _onnx() -> Cast:
    """``Cast`` of its reference evaluator, ``saturate=1``."""
    saturate_cast = importlib.import_module("onnx.numpy_helper").saturate_cast

    def cast(x: Array, name: str) -> Array:
        if not name.startswith(("float8", "float4")) or x.dtype == np.float64:
            raise NotImplementedError(f"onnx is not asked for {x.dtype.name} to {name}")
        result: Array = saturate_cast(x, np.dtype(getattr(ml_dtypes, name)))
        return result

    return cast
