"""Whether a tensor is read as pairs of bfloat16, and the PTX that makes its codes."""

import functools

import numpy as np
import torch

from qparity.reference import QuantizationArgs

from .arithmetic import INTERPRETED, POWER, RECIPROCAL
from .pair_codes import codes_of_integers, codes_of_small_floats, codes_of_two_levels
from .scales import E4M3_SCALE, MADE_GLOBAL, NO_GLOBAL

_FIRST = (9, 0)  # compute capability that has all instructions on two bfloat16


def pair_codes(
    x: torch.Tensor, args: QuantizationArgs, scale_mode: object, division: object, whole: object
) -> str:
    """The PTX for a 2-D ``x``, whose scales are made; empty where its numbers are taken singly.

    Args:
        x: (rows, columns), with columns that follow each other.
        args: of at most 7 bits.
        scale_mode: how its scales are made, see ``scales``.
        division: how it is divided by its scales.
        whole: how its global scale comes about.
    """
    if x.dtype != torch.bfloat16 or x.stride(0) % 2 or x.data_ptr() % 4 or not _has_pairs(x.device):
        return ""
    return _text(args, scale_mode, division, whole)


def most_registers(args: QuantizationArgs) -> int:
    """Of a thread that has pairs: with more there are too few threads; measured on an H200."""
    return 64 if args.is_mx else 96


@functools.lru_cache(maxsize=256)
def _text(args: QuantizationArgs, scale_mode: object, division: object, whole: object) -> str:
    bits, known = args.num_bits, args.code_format
    if args.type == "int":
        integer_zp = args.symmetric or args.zp_dtype in (np.int8, np.uint8)
        if not 1 < bits < 8 or whole is not NO_GLOBAL or division != RECIPROCAL or not integer_zp:
            return ""
        return codes_of_integers(bits, has_zero_point=not args.symmetric)
    if whole is MADE_GLOBAL and bits == 4 and scale_mode is E4M3_SCALE:
        return codes_of_two_levels()
    if whole is NO_GLOBAL and bits in (4, 6) and division == POWER:
        return codes_of_small_floats(bits, known.mantissa_bits)
    return ""


@functools.lru_cache(maxsize=64)
def _has_pairs(device: torch.device) -> bool:
    if INTERPRETED.value:
        return True
    return torch.version.hip is None and torch.cuda.get_device_capability(device) >= _FIRST
