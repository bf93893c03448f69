"""Every number beside every largest of its unit: all that the fused compress may meet there.

A code of a symmetric scheme depends on the number and on the largest of its unit alone; for NVFP4
on the largest of the tensor too, which is here that of 2048 successive ones.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from qparity.reference import QuantizationScheme, preset_name_to_scheme

from .line import Proof
from .patterns import chunks
from .steps import compressed

_GROUPS = ("MXFP4A16", "MXFP6A16", "MXFP8A16", *(f"W{bits}A16" for bits in range(2, 9)))
_ROWS = ("FP8_DYNAMIC", "W8A8")
_GROUP, _ROW = 32, 21_761
_LARGEST = 2048


def pairs(proof: Proof) -> None:
    """``compress`` of 16-bit floats, against eager torch: codes, scales."""
    for dtype in (torch.bfloat16,) if proof.tiny else (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        values = _finite(dtype, proof)
        for preset, scheme, length in _schemes(proof.tiny):
            with proof.line(f"every {name} by every largest of its unit, {preset}") as tally:
                for largest in _largest(values, proof.tiny):
                    x = _units(values, largest, length, by_row=preset in _ROWS)
                    expected = compressed(proof.eager, x, scheme)
                    tally.same(expected, tally.call("compress", {"weight": x}, scheme))


def _schemes(tiny: bool) -> Iterator[tuple[str, QuantizationScheme, int]]:
    for preset in ("NVFP4A16", "MXFP4A16", "MXFP8A16") if tiny else ("NVFP4A16", *_GROUPS, *_ROWS):
        scheme = preset_name_to_scheme(preset)
        args = scheme.weights
        assert args is not None
        length = _ROW if preset in _ROWS else min(int(args.group_size or 0), _GROUP)
        if args.group_size not in (None, length):
            scheme = replace(scheme, weights=replace(args, group_size=length))
        yield preset, scheme, length


def _finite(dtype: torch.dtype, proof: Proof) -> torch.Tensor:
    """All finite numbers of a dtype, ascending in magnitude, positive first."""
    found = next(chunks(dtype, 1 << 16, proof.device, tiny=False))
    found = found[found.isfinite()]
    return found[::997] if proof.tiny else found


def _largest(values: torch.Tensor, tiny: bool) -> Iterator[torch.Tensor]:
    positive = values[values > 0]
    yield from positive[-3:].split(3) if tiny else positive.split(_LARGEST)


def _units(
    values: torch.Tensor, largest: torch.Tensor, length: int, *, by_row: bool
) -> torch.Tensor:
    """Units that begin with their largest, then values limited to it; all values of each."""
    rest = length - 1
    count = -(-values.numel() // rest)
    spread = torch.zeros(count * rest, dtype=values.dtype, device=values.device)
    spread[: values.numel()] = values
    top = largest[:, None, None]
    x = top.repeat(1, count, length)
    x[:, :, 1:] = torch.minimum(torch.maximum(spread.view(1, count, rest), -top), top)
    return x.view(-1, length) if by_row else x.view(largest.numel(), -1)
