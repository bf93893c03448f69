"""Codes of a few bits, end to end in bytes, and back (SPEC section 8).

Eight codes are one 64-bit integer, so that neighbours are merged with shifts and masks: bytes in
pairs, pairs in fours, fours in eights. Little-endian machines only, as CUDA devices all are.
"""

import sys
from collections.abc import Iterator

import torch

_EIGHT = 8


def join_bits(codes: torch.Tensor, num_bits: int) -> torch.Tensor:
    """Codes of ``num_bits`` bits, element i at bit i * num_bits of its row, little-endian.

    Args:
        codes: uint8 (rows, columns), each below ``2 ** num_bits``; it may be overwritten.
        num_bits: 1 to 8.

    Returns:
        uint8, (rows, columns in whole eights * num_bits / 8); bits beyond the codes are 0.
    """
    _check_byte_order()
    rows, columns = codes.shape
    eights = -(-columns // _EIGHT)
    if columns != eights * _EIGHT:
        codes = torch.nn.functional.pad(codes, (0, eights * _EIGHT - columns))
    if num_bits == 8:
        return codes
    words = flat(codes).view(torch.int64)
    lanes = {16: torch.int16, 32: torch.int32, 64: torch.int64}
    for width, used in ((8, num_bits), (16, 2 * num_bits), (32, 4 * num_bits)):
        even = words & _lanes(used, width, 0)
        words.bitwise_right_shift_(width - used).bitwise_and_(_lanes(used, width, used))
        words.bitwise_or_(even)
        if 2 * used == 8:
            return words.view(lanes[2 * width]).to(torch.uint8).view(rows, eights * num_bits)
    data = words.view(torch.uint8).view(rows, eights, _EIGHT)
    return data[..., :num_bits].reshape(rows, eights * num_bits)


def split_bits(data: torch.Tensor, num_bits: int) -> torch.Tensor:
    """The inverse of ``join_bits``: uint8 codes, as many as fit, in whole eights.

    Args:
        data: uint8 (rows, bytes).
        num_bits: 1 to 8.
    """
    _check_byte_order()
    if num_bits == 8:
        return data
    rows, size = data.shape
    eights = -(-size // num_bits)
    data = torch.nn.functional.pad(data, (0, eights * num_bits - size))
    data = data.reshape(rows, eights, num_bits)
    words = torch.nn.functional.pad(data, (0, _EIGHT - num_bits)).view(torch.int64)
    for width, used in ((32, 4 * num_bits), (16, 2 * num_bits), (8, num_bits)):
        even = words & _lanes(used, width, 0)
        words.bitwise_left_shift_(width - used).bitwise_and_(_lanes(used, width, width))
        words.bitwise_or_(even)
    return words.view(torch.uint8).reshape(rows, eights * _EIGHT)


def flat(tensor: torch.Tensor) -> torch.Tensor:
    """All elements in a row, one after the other in memory, to be viewed as larger or smaller ones.

    To torch a tensor of one element is contiguous whatever its stride, but cannot be viewed so.
    """
    row = tensor.reshape(-1)
    if row.stride(0) == 1 and row.storage_offset() % _EIGHT == 0:
        return row
    return row.clone(memory_format=torch.contiguous_format)


def _lanes(used: int, width: int, offset: int) -> int:
    """A mask of ``used`` bits from ``offset`` on, in every other lane of ``width`` bits."""
    mask = ((1 << used) - 1) << offset
    return sum(mask << start for start in _starts(width))


def _starts(width: int) -> Iterator[int]:
    yield from range(0, 64, 2 * width)


def _check_byte_order() -> None:
    if sys.byteorder != "little":
        raise NotImplementedError("packing needs a little-endian machine")
