"""Every number of a dtype, by its bits, in chunks on the device."""

from collections.abc import Iterator

import torch

_INTEGER = {torch.float32: torch.int32, torch.bfloat16: torch.int16, torch.float16: torch.int16}
_PLACES = (0x0000, 0x0080, 0x3F7F, 0x3FC0, 0x40B0, 0x43DF, 0x7F7F, 0x7F80, 0x8000, 0xC0E0, 0xFF80)


def chunks(dtype: torch.dtype, per_chunk: int, device: str, tiny: bool) -> Iterator[torch.Tensor]:
    """All numbers of a dtype, 1-D, ``per_chunk`` (a power of two) at a time.

    Args:
        dtype: float32, bfloat16 or float16.
        per_chunk: elements of each tensor; in tiny parts 64.
        device: where they are.
        tiny: only around some places: zero, one, the largest, infinity, NaN.
    """
    integer, bits = _INTEGER[dtype], 8 * dtype.itemsize
    if tiny:
        around = [(place << (bits - 16)) + i for place in _PLACES for i in range(-32, 32)]
        yield torch.tensor([_signed(n, bits) for n in around], dtype=integer, device=device).view(
            dtype
        )
        return
    per_chunk = min(per_chunk, 1 << bits)
    base = torch.arange(per_chunk, dtype=torch.int32, device=device)
    for start in range(0, 1 << bits, per_chunk):
        numbers = base + _signed(start, 32)
        yield numbers.to(integer).view(dtype)


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number
