"""Every 16-bit float by every e4m3 scale quantized; every code by every e4m3 scale dequantized."""

from collections.abc import Iterator
from functools import partial
from itertools import product

import ml_dtypes
import numpy as np

from qparity.reference import FORMATS, QuantizationArgs

from ..bits import Array
from ..case import Case
from ..quantized import WORKING
from ..spec import FORMATS_OF_CODES, Spec
from .sweep import Sweep, patterns

_E4M3 = np.dtype(ml_dtypes.float8_e4m3fn)
_QUANTIZED = (("float", 4), ("float", 8), ("int", 8))
_STORED = {
    "fp4": ("float4_e2m1fn",),
    "fp6": ("float6_e2m3fn",),
    "fp8": ("float8_e4m3fn", "float8_e5m2"),
}


def scales() -> Array:
    """The 126 positive finite numbers of e4m3, in e4m3."""
    return patterns(_E4M3, 0x01, 0x7F)


def quantize_sweeps() -> Iterator[Sweep]:
    """All values of each 16-bit dtype by all scales in that dtype, a chunk for each scale."""
    every = 1 << 16
    for (kind, bits), dtype, computed in product(_QUANTIZED, _sixteen_bits(), ("", "float32")):
        spec = Spec(kind, bits, dtype)
        name = f"every {dtype.name} x every e4m3 scale to {spec.format_name}"
        name += f", computed in {computed}" if computed else ""
        make = partial(_quantize_case, dtype, spec.make_args(), computed)
        total = every * scales().size
        yield Sweep("quantize", name, total, every, make, spec.format_name, computed)


def dequantize_sweeps() -> Iterator[Sweep]:
    """All codes by all scales in each working dtype; where they may be, by all zero-points."""
    for (kind, bits), dtype in product(FORMATS_OF_CODES, WORKING):
        spec = Spec(kind, bits, dtype)
        rest = f"x every e4m3 scale in {dtype.name}"
        for stored in _STORED.get(spec.format_name, ("int8",)):
            codes = _codes(stored, bits, dtype)
            code = spec.format_name if kind == "int" else stored
            total = codes.size * scales().size
            make = partial(_dequantize_case, codes, dtype, spec.make_args(strategy="channel"))
            name = f"every {code} code {rest}"
            yield Sweep("dequantize", name, total, total, make, spec.format_name)
        if spec.may_be_asymmetric:
            codes = _codes("int8" if kind == "int" else "float8_e4m3fn", bits, dtype)
            args = spec.make_args(strategy="channel", symmetric=False)
            make = partial(_zero_point_case, codes, dtype, args)
            name = f"every {spec.format_name} code x every zero-point {rest}"
            total = codes.size**2 * scales().size
            yield Sweep("dequantize", name, total, codes.size**2, make, spec.format_name)


def _quantize_case(
    dtype: np.dtype, args: QuantizationArgs, computed: str, start: int, stop: int
) -> Case:
    scale = scales()[start >> 16 : (start >> 16) + 1].astype(dtype)
    inputs = {"x": patterns(dtype, 0, stop - start), "scale": scale, "zero_point": None}
    options = {"compute_dtype": np.dtype(computed)} if computed else {}
    return Case("quantize", {**inputs, "args": args, **options})


def _dequantize_case(
    codes: Array, dtype: np.dtype, args: QuantizationArgs, start: int, stop: int
) -> Case:
    rows = slice(start // codes.size, stop // codes.size)
    scale = scales()[rows].astype(dtype).reshape(-1, 1)
    x_q = np.tile(codes, (scale.size, 1))
    inputs = {"x_q": x_q, "scale": scale, "zero_point": None, "args": args}
    return Case("dequantize", inputs)


def _zero_point_case(
    codes: Array, dtype: np.dtype, args: QuantizationArgs, start: int, stop: int
) -> Case:
    row = start // codes.size**2
    scale = np.tile(scales()[row : row + 1].astype(dtype), (codes.size, 1))
    x_q = np.tile(codes, ((stop - start) // codes.size, 1))
    inputs = {"x_q": x_q, "scale": scale, "zero_point": codes.reshape(-1, 1), "args": args}
    return Case("dequantize", inputs)


def _codes(stored: str, bits: int, dtype: np.dtype) -> Array:
    """All codes of a format: in int8 or fp8, or as values in ``dtype`` where they have no dtype."""
    if stored == "int8":
        return np.arange(-(1 << (bits - 1)), 1 << (bits - 1), dtype=np.int8)
    codes = patterns(FORMATS[stored].dtype, 0, 1 << bits)
    return codes if bits == 8 else codes.astype(np.float64).astype(dtype)


def _sixteen_bits() -> list[np.dtype]:
    return [dtype for dtype in WORKING if dtype.itemsize == 2]
