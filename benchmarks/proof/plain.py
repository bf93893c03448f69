"""Packing, rounding and ranges of more than 2^31 elements: the whole against slices of rows."""

from collections.abc import Callable
from typing import Any

import torch

from qparity.reference import FORMATS, QuantizationArgs, preset_name_to_scheme

from .large import free, shape_of, slices_of, weight_of
from .line import Proof, Tally


def plain(proof: Proof) -> None:
    """Each verb that takes no scheme, and ``minmax``, against eager torch."""
    rows, cols = shape_of(1 << 14 if proof.tiny else 1 << 31, proof.tiny)
    _integers(proof, rows, cols)
    free(proof.device)
    for bits, row in ((4, "float4_e2m1fn"), (6, "float6_e2m3fn")):
        _floats(proof, bits, row, rows, cols)
        free(proof.device)
    weight = weight_of(rows, cols, proof.device)
    with proof.line(f"round_to_quantized_type_dtype to e4m3, {rows:,} x {cols:,}") as tally:
        inputs = ("float8_e4m3fn", False)
        _by_rows(proof, tally, "round_to_quantized_type_dtype", weight, *inputs)
    for preset in ("FP8_DYNAMIC", "W4A16", "FP8_BLOCK"):
        args = preset_name_to_scheme(preset).weights
        assert args is not None
        with proof.line(f"minmax by {args.strategy}, {rows:,} x {cols:,}") as tally:
            tall = args.block_structure[0] if args.block_structure else 1
            _by_rows(proof, tally, "minmax", weight, args, rows=lambda n, t=tall: -(-n // t))
    with proof.line(f"minmax by tensor, {rows:,} x {cols:,}") as tally:
        args = QuantizationArgs()
        parts = [
            proof.eager.minmax(weight[a:b], args) for a, b in slices_of(rows, cols, proof.tiny)
        ]
        low, high = (torch.cat(bounds) for bounds in zip(*parts, strict=True))
        whole = low.amin().reshape(1), high.amax().reshape(1)
        tally.same(whole, tuple(tally.call("minmax", weight, args)))


def _integers(proof: Proof, rows: int, cols: int) -> None:
    codes = torch.empty((rows, cols), dtype=torch.int8, device=proof.device)
    for part in codes.split(1 << 13):
        part.random_(-4, 4)
    for bits, dim in ((3, 1), (4, 1), (8, 1), (4, 0)):
        label = f"pack_to_int32 and unpack_from_int32, {bits} bits, dim {dim}, {rows:,} x {cols:,}"
        with proof.line(label) as tally:
            words = (lambda n, b=bits: -(-n * b // 32)) if dim == 0 else (lambda n: n)
            packed = _by_rows(proof, tally, "pack_to_int32", codes, bits, dim, rows=words)
            again = tally.call("unpack_from_int32", packed, bits, (rows, cols), dim)
            tally.same(codes, again, "unpacked")


def _floats(proof: Proof, bits: int, name: str, rows: int, cols: int) -> None:
    row = FORMATS[name]
    table = torch.arange(1 << bits, dtype=torch.uint8).numpy().view(row.dtype).astype("float32")
    values = torch.empty((rows, cols), dtype=torch.bfloat16, device=proof.device)
    numbers = torch.from_numpy(table).to(torch.bfloat16).to(proof.device)
    for part in values.split(1 << 13):
        part.copy_(numbers[torch.randint(0, 1 << bits, part.shape, device=proof.device)])
    pack, unpack = f"pack_fp{bits}_to_uint8", f"unpack_fp{bits}_from_uint8"
    with proof.line(f"{pack} and {unpack}, {rows:,} x {cols:,}") as tally:
        packed = _by_rows(proof, tally, pack, values)
        tally.same(values, tally.call(unpack, packed, rows, cols, "bfloat16"), "unpacked")


def _by_rows(
    proof: Proof,
    tally: Tally,
    verb: str,
    x: torch.Tensor,
    *more: Any,  # noqa: ANN401 - of any verb
    rows: Callable[[int], int] = lambda n: n,
) -> Any:  # noqa: ANN401 - a tensor, or some
    """What a verb of the Triton backend returns; by slices it is what eager torch does."""
    whole = tally.call(verb, x, *more)
    parts = tuple(whole) if isinstance(whole, tuple) else (whole,)
    for start, stop in slices_of(*x.shape, proof.tiny):
        expected = getattr(proof.eager, verb)(x[start:stop], *more)
        expected = tuple(expected) if isinstance(expected, tuple) else (expected,)
        tally.same(expected, tuple(part[rows(start) : rows(stop)] for part in parts), verb)
    return whole
