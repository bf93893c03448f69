"""A stored module and its dense weight, read piece by piece in the terms of ``quantize``."""

from collections.abc import Iterator
from math import lcm
from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs
from qparity.reference.mx import mx_code, scale_of_mx_code

from ..bits import Array
from ..calibrate import span_of
from ..checkpoint.dtypes import DTYPES
from ..checkpoint.read import read_entry, read_rows
from .expected import PACKED_FLOATS, WORKING, codes_name
from .plan import Plan

__all__ = ["Stored"]

_ELEMENTS = 1 << 22
Shape = tuple[int, ...]


class Stored:
    """A module whose tensors have their dtypes and shapes, and its dense weight."""

    def __init__(self, plan: Plan, args: QuantizationArgs, shape: Shape) -> None:
        assert plan.dense is not None
        self.plan, self.args, self.shape, self.dense = plan, args, shape, plan.dense
        self.entries = plan.entries
        self.dtype = self.working_dtype()
        self.g_idx = self.optional("weight_g_idx")
        if self.g_idx is not None and (self.g_idx < 0).any():
            self.g_idx = None

    def as_stored(self, scale: Array) -> Array:
        """A scale as it lies on disk."""
        if self.args.is_mx:
            return mx_code(scale)
        dtype = self.args.resolved_scale_dtype
        if dtype is not None:
            return reference.round_to_quantized_type_dtype(
                scale, dtype, cast_to_original_dtype=False
            )
        return scale

    def stored_qparams(self) -> tuple[Array, Array | None]:
        """Scale in a working dtype, zero-point in its own, as ``quantize`` takes them."""
        stored = np.atleast_1d(read_entry(self.entries["weight_scale"]))
        if stored.dtype == np.uint8:
            scale = scale_of_mx_code(stored).astype(self.dtype)
        else:
            scale = stored.astype(self.dtype) if stored.dtype.itemsize == 1 else stored
        entry = self.entries.get("weight_zero_point")
        if entry is None or self.args.symmetric:
            return scale, None
        zero_point = np.atleast_1d(read_entry(entry))
        if entry.dtype == "I32":
            shape = (self.shape[0], scale.shape[-1])
            zero_point = reference.unpack_from_int32(zero_point, self.args.num_bits, shape, 0)
        return scale, zero_point

    def stored_codes(self, start: int, stop: int) -> Array:
        """The stored codes of some rows: int8, float8, or the values of packed floats."""
        entry = self.entries[codes_name(self.plan.format)]
        data, columns = read_rows(entry, start, stop), self.shape[1]
        if self.plan.format == "pack-quantized":
            return reference.unpack_from_int32(data, self.args.num_bits, (stop - start, columns))
        bits = PACKED_FLOATS.get(self.plan.format)
        if bits is None:
            return data
        unpack = reference.unpack_fp4_from_uint8 if bits == 4 else reference.unpack_fp6_from_uint8
        return unpack(data, stop - start, columns)

    def shown(self, codes: Array) -> Array:
        """Codes by the bits that a reader of the file would see."""
        if self.plan.format not in PACKED_FLOATS:
            return codes
        return np.asarray(codes.astype(self.args.code_format.dtype))

    def units(self, start: int, stop: int) -> Array:
        """Of each element of some rows the flat index of its scale."""
        rows = np.arange(start, stop)[:, None]
        columns = np.arange(self.shape[1])[None, :]
        args = self.args
        if args.strategy == "tensor":
            return np.zeros((stop - start, self.shape[1]), np.int64)
        if args.strategy == "channel":
            return rows + 0 * columns
        if args.strategy == "block":
            height, width = args.block_structure or (1, 1)
            return (rows // height) * -(-self.shape[1] // width) + columns // width
        size = args.group_size or 1
        group = columns // size if self.g_idx is None else self.g_idx[None, :].astype(np.int64)
        return rows * (self.shape[1] // size) + group

    def rows_of_scale(self, start: int, stop: int) -> slice:
        """Which rows of the scale belong to some rows of the weight."""
        if self.args.strategy == "tensor":
            return slice(None)
        height = self.args.block_structure[0] if self.args.block_structure else 1
        return slice(start // height, -(-stop // height))

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Where the rows are cut: whole blocks, and whole words of packed zero-points."""
        rows, columns = self.shape
        unit = lcm(32, self.args.block_structure[0] if self.args.block_structure else 1)
        step = max(_ELEMENTS // columns // unit, 1) * unit
        for start in range(0, rows, step):
            yield start, min(start + step, rows)

    def span(self) -> tuple[Array, Array]:
        """The minimum and maximum of the dense weight."""
        spans = [span_of(self.weight(*piece)) for piece in self.pieces()]
        low, high = (np.concatenate(bounds) for bounds in zip(*spans, strict=True))
        return span_of(low)[0], span_of(high)[1]

    def weight(self, start: int, stop: int) -> Array:
        """Some rows of the dense weight, in the dtype that it was quantized in."""
        return read_rows(self.dense, start, stop).astype(self.dtype, copy=False)

    def working_dtype(self) -> np.dtype[Any]:
        """The dtype that the weight was quantized in: its own, or that of the scale or config."""
        tag = self.entries["weight_scale"].dtype
        if tag not in WORKING or self.args.resolved_scale_dtype is not None:
            names = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64"}
            tag = names.get(self.plan.dtype or "", self.dense.dtype)
        dtype: np.dtype[Any] = DTYPES[tag]
        return dtype

    def stored(self, local: str, shape: Shape) -> Array:
        """A tensor as it lies on disk, in a shape of as many elements."""
        return np.atleast_1d(read_entry(self.entries[local])).reshape(shape)

    def optional(self, local: str) -> Array | None:
        """A tensor as it lies on disk, None if there is none."""
        return read_entry(self.entries[local]) if local in self.entries else None
