"""Every code in every place of the packed words, among zeros and among ones."""

from collections.abc import Iterator
from functools import partial
from math import lcm

import numpy as np

from qparity.reference import FORMATS

from ..bits import Array
from ..case import Case
from ..quantized import WORKING
from .sweep import Sweep

_WORD = 32


def packing_sweeps() -> Iterator[Sweep]:
    """Integers of each width along both dimensions; fp4 and fp6 to and from each working dtype."""
    for bits in range(1, 9):
        codes = codes_in_places(bits, lcm(bits, _WORD) // bits)
        for op, packed_dim in (
            *(("pack_to_int32", dim) for dim in (1, 0)),
            *(("unpack_from_int32", dim) for dim in (1, 0)),
        ):
            name = f"every int{bits} code in every place, packed_dim {packed_dim}"
            make = partial(_int32_case, op, bits, packed_dim)
            yield Sweep(op, name, codes.size, codes.size, make)
    for bits, per in ((4, 2), (6, 4)):
        total = codes_in_places(bits, per).size
        for op in (f"pack_fp{bits}_to_uint8", f"unpack_fp{bits}_from_uint8"):
            way = "from" if op.startswith("pack") else "to"
            for dtype in WORKING:
                name = f"every fp{bits} code in every place, {way} {dtype.name}"
                yield Sweep(op, name, total, total, partial(_float_case, op, bits, per, dtype))


def codes_in_places(bits: int, places: int) -> Array:
    """Rows of unsigned codes: each code in each place, the other places all 0, then all 1."""
    lowest, highest = 0, (1 << bits) - 1
    blocks = []
    for others in (lowest, highest):
        block = np.full((places, highest + 1, places), others, np.uint8)
        for place in range(places):
            block[place, :, place] = np.arange(highest + 1)
        blocks.append(block.reshape(-1, places))
    return np.concatenate(blocks)


def packed_bytes(codes: Array, bits: int) -> Array:
    """Rows of codes as bytes, code i from bit i * b on, little-endian."""
    rows = codes.shape[0]
    stream = np.unpackbits(codes[..., None], axis=-1, count=bits, bitorder="little")
    return np.packbits(stream.reshape(rows, -1), axis=-1, bitorder="little")


def _int32_case(op: str, bits: int, packed_dim: int, start: int, stop: int) -> Case:
    places = lcm(bits, _WORD) // bits
    codes = codes_in_places(bits, places)[start // places : stop // places]
    if op == "pack_to_int32":
        value = (codes.astype(np.int16) - (1 << (bits - 1))).astype(np.int8)
        value = value if packed_dim == 1 else np.ascontiguousarray(value.T)
        return Case(op, {"value": value, "num_bits": bits, "packed_dim": packed_dim})
    packed = packed_bytes(codes, bits).view("<i4").astype(np.int32)
    packed = packed if packed_dim == 1 else np.ascontiguousarray(packed.T)
    shape = codes.shape if packed_dim == 1 else codes.shape[::-1]
    inputs = {"packed": packed, "num_bits": bits, "shape": shape, "packed_dim": packed_dim}
    return Case(op, inputs)


def _float_case(op: str, bits: int, per: int, dtype: np.dtype, start: int, stop: int) -> Case:
    codes = codes_in_places(bits, per)[start // per : stop // per]
    if op.startswith("unpack"):
        m, n = codes.shape
        return Case(op, {"packed": packed_bytes(codes, bits), "m": m, "n": n, "dtype": dtype})
    row = FORMATS["float4_e2m1fn" if bits == 4 else "float6_e2m3fn"]
    return Case(op, {"x": codes.view(row.dtype).astype(np.float64).astype(dtype)})
