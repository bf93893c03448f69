"""Codes packed as one big integer: the code at position i stands at bit i * bits."""

from collections.abc import Sequence

from .number import Number
from .rounding import encode

Matrix = Sequence[Sequence[int]]


def bit_string(codes: Sequence[int], bits: int) -> int:
    """The integer that holds codes[i] at bit i * bits."""
    total = 0
    for i, code in enumerate(codes):
        if not 0 <= code < 1 << bits:
            raise ValueError(f"codes: {code} has more than {bits} bits")
        total += code << (i * bits)
    return total


def cut(total: int, width: int, count: int) -> list[int]:
    """The first `count` unsigned pieces of `width` bits."""
    return [(total >> (i * width)) % (1 << width) for i in range(count)]


def transpose(rows: Matrix) -> list[list[int]]:
    """The columns as rows."""
    return [list(column) for column in zip(*rows, strict=True)]


def pack_row(values: Sequence[int], num_bits: int) -> list[int]:
    """Signed integers of num_bits as signed 32-bit words."""
    total = bit_string([v + (1 << (num_bits - 1)) for v in values], num_bits)
    words = cut(total, 32, -(-len(values) * num_bits // 32))
    return [w - (1 << 32) if w >= 1 << 31 else w for w in words]


def unpack_row(words: Sequence[int], num_bits: int, count: int) -> list[int]:
    """The first `count` signed integers of num_bits in signed 32-bit words."""
    total = bit_string([w % (1 << 32) for w in words], 32)
    return [code - (1 << (num_bits - 1)) for code in cut(total, num_bits, count)]


def pack_to_int32(value: Matrix, num_bits: int, packed_dim: int = 1) -> list[list[int]]:
    """A matrix packed along its rows (packed_dim 1) or its columns (0)."""
    if packed_dim == 0:
        return transpose([pack_row(column, num_bits) for column in transpose(value)])
    return [pack_row(row, num_bits) for row in value]


def unpack_from_int32(
    packed: Matrix, num_bits: int, shape: tuple[int, int], packed_dim: int = 1
) -> list[list[int]]:
    """The inverse of pack_to_int32 for a matrix of that shape."""
    if packed_dim == 0:
        columns = [unpack_row(column, num_bits, shape[0]) for column in transpose(packed)]
        return transpose(columns)
    return [unpack_row(row, num_bits, shape[1]) for row in packed]


def pack_floats(values: Sequence[Number], dtype: str, bits: int) -> list[int]:
    """One row of values as the bytes of their codes. ValueError if one is no code."""
    total = bit_string([encode(dtype, value) for value in values], bits)
    return cut(total, 8, len(values) * bits // 8)


def unpack_codes(packed: Sequence[int], bits: int, count: int) -> list[int]:
    """The first `count` codes of `bits` bits in a row of bytes."""
    return cut(bit_string(packed, 8), bits, count)
