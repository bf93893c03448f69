"""Bits of numpy arrays to numbers of the oracle and back; nothing is cast by value."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from qparity.reference import FloatFormat, FormatArgs, IntFormat, QuantizationArgs
from tests.oracle.args import Args
from tests.oracle.formats import FORMATS, INTEGER_BITS, decode
from tests.oracle.number import exactly
from tests.oracle.rounding import Scalar, encode
from tests.oracle.rows import Row

Array = npt.NDArray[Any]

WORKING = ("float16", "bfloat16", "float32", "float64")


def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy or ml_dtypes dtype of a name."""
    return np.dtype(getattr(ml_dtypes, name, name))


def none_or_dtype(name: str | None) -> np.dtype[Any] | None:
    """The dtype of a name, if there is one."""
    return None if name is None else dtype_of(name)


def codes_of(array: Array) -> list[int]:
    """The bits of each element, in order, as unsigned integers."""
    unsigned = np.ascontiguousarray(array).view(np.dtype(f"u{array.dtype.itemsize}"))
    return [int(code) for code in unsigned.ravel()]


def array_of(codes: Sequence[int], name: str, shape: Sequence[int] | None = None) -> Array:
    """The array whose elements have these bits."""
    dtype = dtype_of(name)
    flat = np.array(codes, dtype=np.dtype(f"u{dtype.itemsize}")).view(dtype)
    return flat if shape is None else flat.reshape(shape)


def scalar_of(code: int, name: str) -> Scalar:
    """The oracle's value of one code of a dtype."""
    if name in INTEGER_BITS:
        signed, bits = INTEGER_BITS[name]
        wraps = signed and code >= 1 << (bits - 1)
        return Scalar(exactly(code - (1 << bits) if wraps else code), name)
    return Scalar(decode(FORMATS[name], code), name)


def scalars_of(array: Array) -> list[Scalar]:
    """The elements of an array, in order."""
    name = array.dtype.name
    return [scalar_of(code, name) for code in codes_of(array)]


def array_from(scalars: Sequence[Scalar], name: str, shape: Sequence[int] | None = None) -> Array:
    """The array that holds these numbers, which must all be values of the dtype."""
    return array_of([encode(name, scalar.number) for scalar in scalars], name, shape)


def oracle_args(args: QuantizationArgs) -> Args:
    """The fields of the args that the numbers depend on."""
    assert args.strategy is not None
    assert args.zp_dtype is not None
    own: dict[str, Any] = {}
    if isinstance(args, FormatArgs):
        own = {"row": row_of(args.code_format), "scale_rule": args.scale_rule}
        if args.scale_format is not None and (
            args.scale_dtype is None or args.scale_rule != "nearest"
        ):
            own["scale_row"] = row_of(args.scale_format)
    return Args(
        num_bits=args.num_bits,
        type=args.type,
        symmetric=args.symmetric,
        strategy=args.strategy,
        group_size=args.group_size,
        block_structure=args.block_structure,
        scale_dtype=None if args.scale_dtype is None else args.scale_dtype.name,
        zp_dtype=args.zp_dtype.name,
        **own,
    )


def row_of(row: FloatFormat | IntFormat) -> Row:
    """The oracle's row of a format."""
    if isinstance(row, IntFormat):
        return Row(0, row.bits - int(row.signed), signed=row.signed)
    fields = {name: getattr(row, name) for name in ("signed", "has_zero", "has_subnormals")}
    largest = Fraction(row.max)
    return Row(row.exponent_bits, row.mantissa_bits, row.bias, largest, row.has_nan, **fields)


def differences(actual: Array, expected: Sequence[Scalar], *inputs: Array) -> list[str]:
    """One line for each element that is not the number expected, with all bits.

    Inputs of one element are shown as they are, others at the place of the difference.
    """
    names = {scalar.dtype for scalar in expected}
    lines = [] if names <= {actual.dtype.name} else [f"dtype {actual.dtype.name}, not {names}"]
    if actual.size != len(expected):
        lines.append(f"{actual.size} elements, not {len(expected)}")
    if lines:
        return lines
    for i, (code, want) in enumerate(zip(codes_of(actual), expected, strict=True)):
        if scalar_of(code, want.dtype) != want:
            shown = " ".join(
                f"{a.dtype.name}:{codes_of(a)[i if a.size == actual.size else 0]:#x}"
                for a in inputs
            )
            wanted = encode(want.dtype, want.number)
            lines.append(f"[{i}] inputs {shown}: {want.dtype} {code:#x}, expected {wanted:#x}")
    return lines


def assert_same(
    actual: Array, expected: Sequence[Scalar], *inputs: Array, shape: Sequence[int] | None = None
) -> None:
    """Same dtype, same bits (any NaN is any NaN) and, if given, same shape."""
    assert shape is None or actual.shape == tuple(shape)
    lines = differences(actual, expected, *inputs)
    assert not lines, f"{len(lines)} of {len(expected)} differ\n" + "\n".join(lines[:8])
