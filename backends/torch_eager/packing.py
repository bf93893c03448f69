"""Codes packed into words, and back (SPEC section 8)."""

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from qparity.reference import FLOAT4_E2M1FN, FLOAT6_E2M3FN, FloatFormat

from .bits import flat, join_bits, split_bits
from .dtypes import WORKING, DTypeLike, as_dtype, as_tensor
from .rounding import code_bits, nan_to_zero, wide_copy

_WORD = 32
# how many codes of 4 and 6 bits fill whole bytes
_PER_BYTES = {4: 2, 6: 4}


def pack_to_int32(value: torch.Tensor, num_bits: int, packed_dim: int = 1) -> torch.Tensor:
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
    """
    value = as_tensor(value, "value", (torch.int8,))
    _check(value, "value", num_bits, packed_dim)
    half = 1 << (num_bits - 1)
    if value.numel() and num_bits < 8:
        low, high = (int(bound) for bound in torch.aminmax(value))
        if low < -half or high >= half:
            raise ValueError(
                f"value: {low} to {high} are not all codes of {num_bits} bits; "
                f"allowed: {-half} to {half - 1}"
            )
    # modulo 256, so that -2^(b-1) becomes 0
    codes = value.view(torch.uint8) + half
    if packed_dim == 0:
        codes = codes.transpose(-1, -2)
    words = join_words(codes, num_bits)
    return words.transpose(-1, -2).contiguous() if packed_dim == 0 else words


def join_words(codes: torch.Tensor, num_bits: int) -> torch.Tensor:
    """uint8 codes (..., columns), which may be overwritten, as int32 words (..., words)."""
    *leading, columns = codes.shape
    data = join_bits(codes.reshape(prod(leading), columns), num_bits)
    count = -(-columns * num_bits // _WORD)
    data = torch.nn.functional.pad(data, (0, count * _WORD // 8 - data.shape[1]))
    return flat(data).view(torch.int32).reshape(*leading, count)


def unpack_from_int32(
    packed: torch.Tensor,
    num_bits: int,
    shape: Sequence[int] | torch.Tensor,
    packed_dim: int = 1,
) -> torch.Tensor:
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
    """
    packed = as_tensor(packed, "packed", (torch.int32,))
    _check(packed, "packed", num_bits, packed_dim)
    sizes = sizes_of(shape, "shape")
    axis = len(sizes) - 2 + packed_dim
    needed = tuple(-(-n * num_bits // _WORD) if i == axis else n for i, n in enumerate(sizes))
    if tuple(packed.shape) != needed:
        raise ValueError(
            f"packed: shape {tuple(packed.shape)} is not allowed; "
            f"allowed: {needed}, which codes of shape {sizes} need"
        )
    words = packed.transpose(-1, -2) if packed_dim == 0 else packed
    *leading, count = words.shape
    data = flat(words).view(torch.uint8)
    codes = split_bits(data.view(prod(leading), count * _WORD // 8), num_bits)
    codes = codes.reshape(*leading, codes.shape[-1])[..., : sizes[axis]]
    if packed_dim == 0:
        codes = codes.transpose(-1, -2)
    # modulo 256, so that 0 becomes -2^(b-1)
    return codes.sub(1 << (num_bits - 1)).contiguous().view(torch.int8)


def pack_fp4_to_uint8(x: torch.Tensor) -> torch.Tensor:
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
    """
    return join_bytes(_codes_of_values(x, FLOAT4_E2M1FN), 4)


def pack_fp6_to_uint8(x: torch.Tensor) -> torch.Tensor:
    """fp6 (e2m3) values as bytes: code = sign << 5 | index, four codes in 24 bits, little-endian.

    Args:
        x: (rows, columns) of e2m3 values in a float dtype; columns a multiple of 4.

    Returns:
        uint8, (rows, columns * 3 / 4). -0.0 is code 32.

    Raises:
        TypeError: if ``x`` has another dtype.
        ValueError: if the rank is not 2, the columns do not divide, or a value is no e2m3 value.

    Source: SPEC section 8; upstream ``pack_fp6_to_uint8``.
    """
    return join_bytes(_codes_of_values(x, FLOAT6_E2M3FN), 6)


def join_bytes(codes: torch.Tensor, num_bits: int) -> torch.Tensor:
    """uint8 codes (rows, columns), which may be overwritten, as bytes that they fill exactly."""
    size = codes.shape[1] * num_bits // 8
    return join_bits(codes, num_bits)[:, :size].contiguous()


def unpack_fp4_from_uint8(
    packed: torch.Tensor, m: int, n: int, dtype: DTypeLike = "bfloat16"
) -> torch.Tensor:
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
    """
    return _values_of_packed(packed, m, n, dtype, FLOAT4_E2M1FN)


def unpack_fp6_from_uint8(
    packed: torch.Tensor, m: int, n: int, dtype: DTypeLike = "bfloat16"
) -> torch.Tensor:
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
    """
    return _values_of_packed(packed, m, n, dtype, FLOAT6_E2M3FN)


def check_packable(x: torch.Tensor, field: str, row: FloatFormat) -> None:
    """Refuse values that are not 2-D, or whose columns do not fill whole bytes."""
    per = _PER_BYTES[row.bits]
    if x.ndim != 2 or x.shape[1] % per:
        raise ValueError(
            f"{field}: shape {tuple(x.shape)} cannot be packed; "
            f"allowed: 2-D, its columns a multiple of {per}"
        )


def _codes_of_values(x: torch.Tensor, row: FloatFormat) -> torch.Tensor:
    """The code of every value, all of which must be values of the format."""
    x = as_tensor(x, "x")
    check_packable(x, "x", row)
    y = nan_to_zero(wide_copy(x).clamp_(row.min, row.max))
    codes = code_bits(y, row)
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[x.itemsize]
    wrong = _values_of_codes(codes, row, x.dtype).view(bits) != x.view(bits)
    if bool(wrong.any()):
        raise ValueError(f"x: {float(x[wrong][0])} is no value of {row.name}; allowed: its values")
    return codes


def _values_of_packed(
    packed: torch.Tensor, m: int, n: int, dtype: DTypeLike, row: FloatFormat
) -> torch.Tensor:
    data = as_tensor(packed, "packed", (torch.uint8,))
    for field, size in (("m", m), ("n", n)):
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
            raise TypeError(f"{field}: {size!r} is not allowed; allowed: an int")
    per = _PER_BYTES[row.bits]
    if m < 0 or n < 0 or n % per:
        raise ValueError(
            f"m, n: {m}, {n} are not allowed; allowed: 0 or more, n a multiple of {per}"
        )
    if data.numel() * 8 != m * n * row.bits:
        raise ValueError(
            f"packed: shape {tuple(data.shape)} is not allowed; "
            f"allowed: ({m}, {n * row.bits // 8}), which ({m}, {n}) values need"
        )
    codes = split_bits(data.reshape(m, n * row.bits // 8), row.bits)[:, :n]
    return _values_of_codes(codes, row, as_dtype(dtype, "dtype", WORKING))


def _values_of_codes(codes: torch.Tensor, row: FloatFormat, dtype: torch.dtype) -> torch.Tensor:
    """The value of every code, by a table made from the exponent and the mantissa of each."""
    magnitudes = []
    for code in range(1 << (row.bits - 1)):
        exponent, mantissa = divmod(code, 1 << row.mantissa_bits)
        implied = (1 << row.mantissa_bits) if exponent else 0
        power = max(exponent, 1) - row.bias - row.mantissa_bits
        magnitudes.append((implied + mantissa) * 2.0**power)
    values = torch.tensor(magnitudes + [-value for value in magnitudes], dtype=dtype)
    table = values.to(codes.device)
    return table.index_select(0, codes.reshape(-1).to(torch.int32)).reshape(codes.shape)


def sizes_of(shape: Sequence[int] | torch.Tensor, field: str) -> tuple[int, ...]:
    """A shape as integers; a tensor of them is read at once.

    Raises:
        ValueError: if there is anything but integers of 0 or more.
    """
    sizes = shape.tolist() if isinstance(shape, (torch.Tensor, np.ndarray)) else shape
    whole = isinstance(sizes, (list, tuple)) and all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in sizes
    )
    if not whole or any(n < 0 for n in sizes):
        raise ValueError(f"{field}: {sizes!r} is not allowed; allowed: sizes of 0 or more")
    return tuple(int(n) for n in sizes)


def _check(tensor: torch.Tensor, field: str, num_bits: int, packed_dim: int) -> None:
    if isinstance(num_bits, bool) or not isinstance(num_bits, int) or not 1 <= num_bits <= 8:
        raise ValueError(f"num_bits: {num_bits!r} is not allowed; allowed: 1 to 8")
    if isinstance(packed_dim, bool) or not isinstance(packed_dim, int) or packed_dim not in (0, 1):
        raise ValueError(f"packed_dim: {packed_dim!r} is not allowed; allowed: 0 or 1")
    if tensor.ndim < 2:
        raise ValueError(
            f"{field}: shape {tuple(tensor.shape)} is not allowed; allowed: 2-D or more"
        )
