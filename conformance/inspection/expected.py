"""The tensors that a module has under its scheme (SPEC section 8)."""

from dataclasses import dataclass

import numpy as np

from qparity.reference import QuantizationArgs, QuantizationScheme

from ..checkpoint.dtypes import DTYPES
from .finding import NOTE, VIOLATION

__all__ = ["WORKING", "Expected", "codes_name", "columns_of", "expected_tensors", "packed_shape"]

Shape = tuple[int, ...]
WORKING = ("BF16", "F16", "F32", "F64")
PACKED_FLOATS = {"nvfp4-pack-quantized": 4, "mxfp4-pack-quantized": 4, "mxfp6-pack-quantized": 6}
_TAGS = {dtype: tag for tag, dtype in DTYPES.items() if tag != "F8_E8M0"}


@dataclass(frozen=True, slots=True)
class Expected:
    """One tensor of a module.

    Attributes:
        local: its name, without the module's.
        logical: what its numbers are: a format or a dtype, as the config has it.
        tags: the dtypes it may be stored in; the first is the usual one.
        shapes: the shapes it may have, the first is the usual one; None: any.
        absent: what it is if there is none: a violation, a note, or nothing.
    """

    local: str
    logical: str
    tags: tuple[str, ...]
    shapes: tuple[Shape, ...] | None = None
    absent: str | None = VIOLATION


def codes_name(format: str) -> str:
    """The tensor that holds the codes."""
    packed = format == "pack-quantized" or format in PACKED_FLOATS
    return "weight_packed" if packed else "weight"


def packed_shape(shape: Shape, args: QuantizationArgs, format: str) -> Shape:
    """The shape of the codes of a weight as they are stored."""
    *rows, columns = shape
    if format == "pack-quantized":
        return (*rows, -(-columns * args.num_bits // 32))
    return (*rows, columns * args.num_bits // 8) if format in PACKED_FLOATS else shape


def columns_of(stored: int, args: QuantizationArgs, format: str) -> int:
    """The most columns that the last axis of stored codes holds."""
    if format == "pack-quantized":
        return stored * 32 // args.num_bits
    return stored * 8 // args.num_bits if format in PACKED_FLOATS else stored


def expected_tensors(
    scheme: QuantizationScheme, format: str, shape: Shape | None
) -> list[Expected]:
    """What a module holds besides its bias, as far as the shape of its weight is known."""
    found = [] if scheme.weights is None else _of_weight(scheme.weights, format, shape)
    columns = None if shape is None else shape[-1]
    found += _of_activation("input", scheme.input_activations, columns)
    rows = None if shape is None or len(shape) < 2 else shape[-2]
    return found + _of_activation("output", scheme.output_activations, rows)


def _of_weight(args: QuantizationArgs, format: str, shape: Shape | None) -> list[Expected]:
    format_name = args.code_format.name
    units = None if shape is None else _unit_shapes(args, shape)
    dtype = args.resolved_scale_dtype
    scale_tags = WORKING if dtype is None else (_TAGS[dtype],)
    scale = Expected("weight_scale", _scale_name(args), scale_tags, units)
    if format == "dense":
        dense = Expected("weight", "fake-quantized floats", WORKING, _one(shape))
        zero_point = Expected("weight_zero_point", _zp_name(args), _zp_tags(args), units, None)
        return [dense, Expected(scale.local, scale.logical, WORKING, units, NOTE), zero_point]
    tag = "U8" if format in PACKED_FLOATS else "I8" if args.type == "int" else "F8_E4M3"
    tag = "I32" if format == "pack-quantized" else tag
    stored = None if shape is None else packed_shape(shape, args, format)
    found = [Expected(codes_name(format), format_name, (tag,), _one(stored)), scale]
    if format == "pack-quantized":
        sizes = None if shape is None else (len(shape),)
        found.append(Expected("weight_shape", "int64", ("I64",), _one(sizes)))
    if args.strategy == "tensor_group":
        found.append(Expected("weight_global_scale", "float32", ("F32",), ((1,), ())))
    if not args.symmetric:
        found.append(_zero_point(args, format, shape, units))
    if args.strategy in ("group", "tensor_group"):
        indices = None if shape is None else (shape[-1],)
        absent = VIOLATION if args.actorder == "group" else None
        found.append(Expected("weight_g_idx", "int32", ("I32", "I64"), _one(indices), absent))
    return found


def _zero_point(
    args: QuantizationArgs, format: str, shape: Shape | None, units: tuple[Shape, ...] | None
) -> Expected:
    name = "weight_zero_point"
    if format != "pack-quantized" or args.strategy not in ("group", "channel"):
        return Expected(name, _zp_name(args), _zp_tags(args), units)
    packed = None
    if shape is not None and units is not None and len(shape) >= 2:
        words = -(-shape[-2] * args.num_bits // 32)
        packed = ((*shape[:-2], words, units[0][-1]),)
    return Expected(name, _zp_name(args), ("I32",), packed)


def _of_activation(side: str, args: QuantizationArgs | None, size: int | None) -> list[Expected]:
    """Static scales; a dynamic scheme has none, a local one has the global scale alone."""
    if args is None or args.dynamic is True:
        return []
    found = []
    if args.strategy == "tensor_group":
        whole: tuple[Shape, ...] = ((1,), ())
        found.append(Expected(f"{side}_global_scale", "float32", ("F32",), whole, NOTE))
    if args.dynamic == "local":
        return found
    shapes: tuple[Shape, ...] | None = None
    if args.strategy == "tensor":
        shapes = ((1,), ())
    elif args.group_size and args.group_size > 0 and size is not None:
        shapes = ((-(-size // args.group_size),),)
    stored = () if args.resolved_scale_dtype is None else (_TAGS[args.resolved_scale_dtype],)
    tags = (*stored, *(tag for tag in WORKING if tag not in stored))
    found.append(Expected(f"{side}_scale", _scale_name(args), tags, shapes, NOTE))
    if not args.symmetric:
        found.append(Expected(f"{side}_zero_point", _zp_name(args), _zp_tags(args), shapes, NOTE))
    return found


def _unit_shapes(args: QuantizationArgs, shape: Shape) -> tuple[Shape, ...] | None:
    """The shape of the scales: one for each tensor, row, group or block."""
    if args.strategy == "tensor":
        return (1,), ()
    if args.strategy == "channel":
        return ((*shape[:-1], 1),)
    if args.group_size and args.group_size > 0:
        return ((*shape[:-1], -(-shape[-1] // args.group_size)),)
    if args.block_structure is not None and len(shape) == 2:
        height, width = args.block_structure
        return ((-(-shape[0] // height), -(-shape[1] // width)),)
    return None


def _one(shape: Shape | None) -> tuple[Shape, ...] | None:
    return None if shape is None else (shape,)


def _scale_name(args: QuantizationArgs) -> str:
    if args.is_mx:
        return "uint8 (E8M0)"
    return "null" if args.scale_dtype is None else args.scale_dtype.name


def _zp_name(args: QuantizationArgs) -> str:
    return "null" if args.zp_dtype is None else args.zp_dtype.name


def _zp_tags(args: QuantizationArgs) -> tuple[str, ...]:
    return (_TAGS[args.zp_dtype if args.zp_dtype is not None else np.dtype(np.int8)],)
