"""Codes packed into words, and back (SPEC section 8)."""

from collections.abc import Sequence

import numpy as np

from .arithmetic import bits, cast, quiet
from .bitstream import join_bits, split_bits
from .dtypes import BFLOAT16, FLOAT32, INT8, INT32, UINT8, WORKING_DTYPES, Array, as_array, as_dtype
from .formats import FLOAT4_E2M1FN, FLOAT6_E2M3FN, FloatFormat
from .rows import by_rows
from .tables import tabulated

__all__ = [
    "pack_fp4_to_uint8",
    "pack_fp6_to_uint8",
    "pack_to_int32",
    "unpack_fp4_from_uint8",
    "unpack_fp6_from_uint8",
    "unpack_from_int32",
]

_WORD = 32
_NO_CODE = 255


def pack_to_int32(value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """Integer codes as dense words: element i, plus 2^(b-1), at bit i * b, little-endian.

    Args:
        value: int8, (rows, columns) or with leading dimensions, each slice packed by itself.
        num_bits: b, 1 to 8.
        packed_dim: 1 packs along the columns, 0 along the rows.

    Returns:
        int32; n packed elements take ceil(n * b / 32) words, elements may cross words.

    Raises:
        TypeError: if ``value`` is not int8.
        ValueError: if a value is no code of b bits, the rank is below 2, or an argument is wrong.

    Source: SPEC section 8; upstream ``pack_to_int32``.

    >>> codes = np.array([[-8, 7, 0]], np.int8)
    >>> [hex(word) for word in pack_to_int32(codes, 4)[0]]
    ['0x8f0']
    """
    value = as_array(value, "value", (INT8,))
    _check(value, "value", num_bits, packed_dim)
    half = 1 << (num_bits - 1)
    if value.size and (int(value.min()) < -half or int(value.max()) >= half):
        raise ValueError(
            f"value: {int(value.min())} to {int(value.max())} are not all codes of {num_bits} "
            f"bits; allowed: {-half} to {half - 1}"
        )
    value = value.swapaxes(-1, -2) if packed_dim == 0 else value

    def words(block: slice) -> Array:
        codes = value[block].view(UINT8) + UINT8.type(half)
        return join_bits(codes, num_bits, _WORD // 8).view(INT32)

    packed = by_rows(words, value)
    return np.ascontiguousarray(packed.swapaxes(-1, -2)) if packed_dim == 0 else packed


def unpack_from_int32(
    packed: Array, num_bits: int, shape: Sequence[int] | Array, packed_dim: int = 1
) -> Array:
    """The inverse of ``pack_to_int32``.

    Args:
        packed: int32, as ``pack_to_int32`` returns it.
        num_bits: b, 1 to 8.
        shape: shape of the codes; bits beyond it are ignored.
        packed_dim: the dimension that was packed.

    Returns:
        int8 codes of that shape.

    Raises:
        TypeError: if ``packed`` is not int32.
        ValueError: if ``packed`` has not the words that ``shape`` needs, or an argument is wrong.

    Source: SPEC section 8; upstream ``unpack_from_int32``.

    >>> unpack_from_int32(np.array([[0x8F0]], np.int32), 4, (1, 3))
    array([[-8,  7,  0]], dtype=int8)
    """
    packed = as_array(packed, "packed", (INT32,))
    _check(packed, "packed", num_bits, packed_dim)
    sizes = _sizes(shape)
    axis = len(sizes) - 2 + packed_dim
    needed = tuple(-(-n * num_bits // _WORD) if i == axis else n for i, n in enumerate(sizes))
    if packed.shape != needed:
        raise ValueError(
            f"packed: shape {packed.shape} is not allowed; "
            f"allowed: {needed}, which codes of shape {sizes} need"
        )
    words = packed.swapaxes(-1, -2) if packed_dim == 0 else packed

    def value(block: slice) -> Array:
        data = np.ascontiguousarray(words[block]).view(UINT8)
        codes = split_bits(data, num_bits)[..., : sizes[axis]]
        return (codes - UINT8.type(1 << (num_bits - 1))).view(INT8)

    unpacked = by_rows(value, words)
    return np.ascontiguousarray(unpacked.swapaxes(-1, -2)) if packed_dim == 0 else unpacked


def pack_fp4_to_uint8(x: Array) -> Array:
    """fp4 (e2m1) values as bytes: code = sign << 3 | index, the first value in the low nibble.

    Args:
        x: (rows, columns) of values 0 .5 1 1.5 2 3 4 6 and their negatives, in a float dtype; an
            even number of columns.

    Returns:
        uint8, (rows, columns / 2). -0.0 is code 8.

    Raises:
        TypeError: if ``x`` has another dtype.
        ValueError: if the rank is not 2, the columns are odd, or a value is none of these.

    Source: SPEC section 8; upstream ``pack_fp4_to_uint8``.

    >>> [hex(byte) for byte in pack_fp4_to_uint8(np.array([[0.5, -6.0]], np.float32))[0]]
    ['0xf1']
    """
    return _pack_values(x, FLOAT4_E2M1FN, per=2)


def unpack_fp4_from_uint8(packed: Array, m: int, n: int, dtype: np.dtype = BFLOAT16) -> Array:
    """The inverse of ``pack_fp4_to_uint8``.

    Args:
        packed: uint8, (m, n / 2).
        m: rows.
        n: columns.
        dtype: of the values; all of them are exact in any working dtype.

    Returns:
        (m, n) values.

    Raises:
        TypeError: if ``packed`` is not uint8.
        ValueError: if its size is not m * n / 2, or n is odd.

    Source: SPEC section 8; upstream ``unpack_fp4_from_uint8``.

    >>> unpack_fp4_from_uint8(np.array([[0xF1]], np.uint8), 1, 2, np.dtype(np.float32))
    array([[ 0.5, -6. ]], dtype=float32)
    """
    return _unpack_values(_packed_rows(packed, m, n, bits=4), FLOAT4_E2M1FN, dtype)


def pack_fp6_to_uint8(x: Array) -> Array:
    """fp6 (e2m3) values as bytes: code = sign << 5 | index, four codes in 24 bits, little-endian.

    Args:
        x: (rows, columns) of e2m3 values in a float dtype; columns a multiple of 4.

    Returns:
        uint8, (rows, columns * 3 / 4). -0.0 is code 32.

    Raises:
        TypeError: if ``x`` has another dtype.
        ValueError: if the rank is not 2, the columns do not divide, or a value is no e2m3 value.

    Source: SPEC section 8; upstream ``pack_fp6_to_uint8``.

    >>> x = np.array([[0.125, 0.25, 7.5, -7.5]], np.float32)
    >>> [hex(byte) for byte in pack_fp6_to_uint8(x)[0]]
    ['0x81', '0xf0', '0xfd']
    """
    return _pack_values(x, FLOAT6_E2M3FN, per=4)


def unpack_fp6_from_uint8(packed: Array, m: int, n: int, dtype: np.dtype = BFLOAT16) -> Array:
    """The inverse of ``pack_fp6_to_uint8``.

    Args:
        packed: uint8, (m, n * 3 / 4).
        m: rows.
        n: columns.
        dtype: of the values; all of them are exact in any working dtype.

    Returns:
        (m, n) values.

    Raises:
        TypeError: if ``packed`` is not uint8.
        ValueError: if its size is not m * n * 3 / 4, or n is no multiple of 4.

    Source: SPEC section 8; upstream ``unpack_fp6_from_uint8``.

    >>> packed = np.array([[0x81, 0xF0, 0xFD]], np.uint8)
    >>> unpack_fp6_from_uint8(packed, 1, 4, np.dtype(np.float32))
    array([[ 0.125,  0.25 ,  7.5  , -7.5  ]], dtype=float32)
    """
    return _unpack_values(_packed_rows(packed, m, n, bits=6), FLOAT6_E2M3FN, dtype)


@quiet
def _pack_values(x: Array, row: FloatFormat, per: int) -> Array:
    """The codes of values, joined; ``per`` of them fill whole bytes."""
    x = _two_dimensional(x, "x", WORKING_DTYPES)
    if x.shape[1] % per != 0:
        raise ValueError(f"x: {x.shape[1]} columns cannot be packed; allowed: a multiple of {per}")

    def packed(block: slice) -> Array:
        codes = tabulated(_codes_of_values, x[block], row)
        if codes.size and codes.max() == _NO_CODE:
            wrong = float(x[block][codes == _NO_CODE][0])
            raise ValueError(f"x: {wrong} is no value of {row.name}; allowed: its values")
        return join_bits(codes, row.bits)

    return by_rows(packed, x)


def _unpack_values(data: Array, row: FloatFormat, dtype: np.dtype) -> Array:
    """The values of codes that are joined in bytes."""
    values = _values_of_codes(row, as_dtype(dtype, "dtype", WORKING_DTYPES))
    return by_rows(lambda block: values.take(split_bits(data[block], row.bits)), data)


def _values_of_codes(row: FloatFormat, dtype: np.dtype) -> Array:
    """The value of every code of a format."""
    every_code = np.arange(1 << row.bits, dtype=UINT8)
    return cast(every_code.view(row.dtype).astype(FLOAT32), dtype)


def _codes_of_values(x: Array, row: FloatFormat) -> Array:
    """The code of every value, ``_NO_CODE`` where it is no value of the format."""
    codes = x.astype(row.dtype).view(UINT8) & UINT8.type((1 << row.bits) - 1)
    values = _values_of_codes(row, x.dtype)[codes]
    return np.where(bits(values) == bits(x), codes, UINT8.type(_NO_CODE))


def _packed_rows(packed: Array, m: int, n: int, bits: int) -> Array:
    data = as_array(packed, "packed", (UINT8,))
    for field, size in (("m", m), ("n", n)):
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
            raise TypeError(f"{field}: {size!r} is not allowed; allowed: an int")
    per = 4 if bits == 6 else 2
    if m < 0 or n < 0 or n % per:
        raise ValueError(
            f"m, n: {m}, {n} are not allowed; allowed: 0 or more, n a multiple of {per}"
        )
    if data.size * 8 != m * n * bits:
        raise ValueError(
            f"packed: shape {data.shape} is not allowed; "
            f"allowed: ({m}, {n * bits // 8}), which ({m}, {n}) values need"
        )
    return data.reshape(m, n * bits // 8)


def _sizes(shape: Sequence[int] | Array) -> tuple[int, ...]:
    whole = np.asarray(shape)
    # numpy reads a bool among integers as one of them
    truth = isinstance(shape, Sequence) and any(isinstance(n, (bool, np.bool_)) for n in shape)
    if truth or whole.dtype.kind not in "iu" or whole.ndim != 1 or (whole < 0).any():
        raise ValueError(f"shape: {shape!r} is not allowed; allowed: sizes of 0 or more")
    return tuple(int(n) for n in whole)


def _two_dimensional(x: Array, field: str, allowed: tuple[np.dtype, ...]) -> Array:
    array = as_array(x, field, allowed)
    if array.ndim != 2:
        raise ValueError(f"{field}: shape {array.shape} is not allowed; allowed: 2-D")
    return np.ascontiguousarray(array)


def _check(array: Array, field: str, num_bits: int, packed_dim: int) -> None:
    if isinstance(num_bits, bool) or not isinstance(num_bits, int) or not 1 <= num_bits <= 8:
        raise ValueError(f"num_bits: {num_bits!r} is not allowed; allowed: 1 to 8")
    if isinstance(packed_dim, bool) or not isinstance(packed_dim, int) or packed_dim not in (0, 1):
        raise ValueError(f"packed_dim: {packed_dim!r} is not allowed; allowed: 0 or 1")
    if array.ndim < 2:
        raise ValueError(f"{field}: shape {array.shape} is not allowed; allowed: 2-D or more")
