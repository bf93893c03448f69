"""What the checkpoint holds of a scale and of a code, and what is loaded again (SPEC section 8)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from qparity.reference import (
    FloatFormat,
    IntFormat,
    QuantizationArgs,
    QuantizationScheme,
    arithmetic,
    compress,
)
from qparity.reference.dtypes import BFLOAT16
from qparity.reference.infer_format import resolve_format
from qparity.reference.mx import mx_code, scale_of_mx_code
from qparity.reference.rounding import round_to_quantized_type_dtype

from ..bits import Array
from . import operations
from .exact import code_bits, fraction, neighbours
from .steps import Step

_FP = ("nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp6-pack-quantized")
_BYTE = 8
_E4M3 = np.dtype(ml_dtypes.float8_e4m3fn)


@dataclass(frozen=True, slots=True)
class Storage:
    """How codes lie in a checkpoint.

    Attributes:
        format: the compression format.
        num_bits: of a code.
        word_bits: of a word that codes are packed into; 0 if each has a byte of its own.
        key: of the tensor that holds them.
    """

    format: str
    num_bits: int
    word_bits: int
    key: str

    def columns_beside(self, column: int, columns: int) -> range:
        """The columns that share the words of a column, itself included."""
        if not self.word_bits:
            return range(column, column + 1)
        first, last = self.words_of(column)
        start = first * self.word_bits // self.num_bits
        stop = -(-(last + 1) * self.word_bits // self.num_bits)
        return range(start, min(stop, columns))

    def words_of(self, column: int) -> tuple[int, int]:
        """The first and the last word that a code lies in."""
        start = column * self.num_bits
        return start // self.word_bits, (start + self.num_bits - 1) // self.word_bits


def storage_of(scheme: QuantizationScheme) -> Storage | None:
    """How the weights of a scheme are stored; None where no checkpoint format holds them."""
    args = scheme.weights
    if args is None:
        return None
    size = args.group_size if args.group_size is not None and args.group_size > 0 else 4
    one = np.ones((1, 1) if args.strategy == "block" else 1, np.float32)
    probe = {"weight": np.zeros((1, size), np.float32), "weight_scale": one}
    probe["weight_zero_point"] = np.zeros((1, 1), np.int8)
    try:
        compress(probe, scheme)
    except (ValueError, TypeError):
        return None
    name = resolve_format(scheme, None)
    if name == "dense":
        return None
    packed = name == "pack-quantized" or name in _FP
    word = (8 if name in _FP else 32) if packed else 0
    return Storage(name, args.num_bits, word, "weight_packed" if packed else "weight")


def own_bits(name: str, value: np.generic, row: FloatFormat | IntFormat) -> Iterator[Step]:
    """The bits of a number in a format of one's own, which no checkpoint format holds."""
    number = fraction(value)
    if number is None or row.bits > _BYTE or not row.min <= number <= row.max:
        return
    low, high = neighbours(number, row)
    if low == high:
        raw = code_bits(value, row)
        text = f"0x{raw:0{-(-row.bits // 4)}x}"
        yield Step("bits", f"{name}, {raw:0{row.bits}b}", 2, value, None, "", text, row.name)


def unit_stored(
    scale: Array,
    zero_point: Step | None,
    global_scale: Array | None,
    args: QuantizationArgs,
    storage: Storage,
    unit: tuple[int, ...],
) -> Iterator[Step]:
    """The scale as stored, and as loaded."""
    stored = _stored_scale(scale, args, storage)
    formula = "its exponent + 127" if args.is_mx else f"scale in {stored.dtype.name}"
    source = scale if not args.is_mx else stored
    yield operations.rounded("weight_scale", formula, 8, stored, source)
    loaded = _loaded_scale(stored, args, storage)
    yield operations.plain("loaded", f"weight_scale in {loaded.dtype.name}", 8, loaded)
    if global_scale is not None:
        yield operations.divide("s", "loaded / global_scale", 8, loaded, global_scale)
    if zero_point is not None and storage.word_bits and args.strategy in ("group", "channel"):
        offset = int(zero_point.value) + (1 << (args.num_bits - 1))
        bit = unit[0] * args.num_bits
        note = f"bits {bit % 32} to {bit % 32 + args.num_bits - 1} of word {bit // 32}, along rows"
        formula = f"zero_point + {1 << (args.num_bits - 1)}"
        yield operations.plain("weight_zero_point", formula, 8, np.array([offset], np.uint8), note)


def element_stored(
    code: Step,
    beside: Mapping[int, np.generic],
    element: tuple[int, int],
    args: QuantizationArgs,
    storage: Storage,
    unit: tuple[Step, ...],
) -> Iterator[Step]:
    """The bits of a code, the words that hold it, and the value that is loaded."""
    row, column = args.code_format, element[1]
    note = ""
    if isinstance(row, FloatFormat) and row.has_nan and np.isnan(code.value.astype(np.float64)):
        raw, note = (1 << (row.bits - 1)) - 1, "one of the codes that are NaN"
    elif not np.isfinite(code.value.astype(np.float64)):
        return
    else:
        raw = code_bits(code.value, row)
    if isinstance(row, IntFormat) and code.value == 0 and np.signbit(code.value):
        note = "-0 becomes +0: integers have one zero"
    if row.name.startswith("int") and storage.word_bits:
        raw = int(code.value) + (1 << (row.bits - 1))
        formula = f"code + {1 << (row.bits - 1)}, {raw:0{row.bits}b}"
    else:
        formula = f"code, {raw:0{row.bits}b}"
    text = f"0x{raw:0{-(-row.bits // 4)}x}"
    yield Step("bits", formula, 8, code.value, None, note, text, row.name)
    if storage.word_bits:
        yield from _words(beside, column, args, storage)
    yield from _loaded(code, args, unit)


def _words(
    beside: Mapping[int, np.generic], column: int, args: QuantizationArgs, storage: Storage
) -> Iterator[Step]:
    stream, width, half = 0, storage.num_bits, 1 << (storage.num_bits - 1)
    for index, value in beside.items():
        if not np.isfinite(value.astype(np.float64)):
            return
        integer = args.type == "int"
        raw = int(value) + half if integer else code_bits(value, args.code_format)
        stream |= raw << (index * width)
    first, last = storage.words_of(column)
    for word in range(first, last + 1):
        bits = (stream >> (word * storage.word_bits)) & ((1 << storage.word_bits) - 1)
        start = max(column * width - word * storage.word_bits, 0)
        stop = min((column + 1) * width - word * storage.word_bits, storage.word_bits) - 1
        dtype = np.uint8 if storage.word_bits == 8 else np.uint32
        packed: Array = np.array([bits], dtype)
        packed = packed if dtype == np.uint8 else packed.view(np.int32)
        yield operations.plain(
            f"{storage.key}[{word}]", f"the code is bits {start} to {stop}", 8, packed
        )


def _loaded(code: Step, args: QuantizationArgs, unit: tuple[Step, ...]) -> Iterator[Step]:
    """What decompress gives: the stored code times the loaded scale."""
    found = {step.name: step.value for step in unit if step.section in (5, 8)}
    scale = np.asarray(found["loaded"]).reshape(1)
    s = np.asarray(found.get("s", found["loaded"])).reshape(1)
    values = arithmetic.cast(np.asarray(code.value).reshape(1), s.dtype)
    if args.type == "int":
        values = arithmetic.positive_zero(values)
    if not args.symmetric:
        point = np.asarray(found["zero_point"]).reshape(1)
        values = arithmetic.subtract(values, arithmetic.cast(point, s.dtype))
    left, right = ("code" if args.symmetric else "shifted"), ("s" if "s" in found else "loaded")
    value = operations.multiply("loaded", f"{left} * {right}, as loaded", 8, values, s)
    yield value
    if args.strategy in ("group", "tensor_group") and scale.dtype != s.dtype:
        last = np.asarray(value.value).reshape(1)
        yield operations.cast("loaded", f"loaded in {scale.dtype.name}", 8, last, scale.dtype)


def _stored_scale(scale: Array, args: QuantizationArgs, storage: Storage) -> Array:
    if args.is_mx:
        return mx_code(scale)
    nvfp4 = _E4M3 if storage.format == "nvfp4-pack-quantized" else None
    dtype = args.resolved_scale_dtype or nvfp4
    if dtype is None:
        return scale
    return round_to_quantized_type_dtype(scale, dtype, cast_to_original_dtype=False)


def _loaded_scale(stored: Array, args: QuantizationArgs, storage: Storage) -> Array:
    if args.is_mx:
        return scale_of_mx_code(stored)
    small = stored.dtype.itemsize == 1
    return arithmetic.cast(stored, BFLOAT16) if small or storage.format in _FP else stored
