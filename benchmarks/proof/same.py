"""Equal bits, compared on the device: same dtype, same shape; any NaN equals any NaN."""

import torch

_RAW = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_PIECE = 1 << 27


def unequal(expected: torch.Tensor, actual: torch.Tensor) -> torch.Tensor:
    """How many elements differ, as one int64 on the device; all, if dtype or shape do.

    Args:
        expected: any dtype and shape.
        actual: on the same device.
    """
    if expected.dtype != actual.dtype or expected.shape != actual.shape:
        return torch.tensor(max(expected.numel(), 1), device=expected.device)
    count = torch.zeros((), dtype=torch.int64, device=expected.device)
    left, right = (tensor.reshape(-1) for tensor in (expected, actual))
    for pieces in zip(left.split(_PIECE), right.split(_PIECE), strict=True):
        different = torch.ne(*(piece.view(_RAW[piece.itemsize]) for piece in pieces))
        both = [_is_nan(piece) for piece in pieces if expected.is_floating_point()]
        if both:
            different &= ~(both[0] & both[1])
        count += different.sum()
    return count


def _is_nan(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dtype == torch.float8_e4m3fn:
        return (tensor.view(torch.uint8) & 0x7F) == 0x7F
    return tensor.isnan()
