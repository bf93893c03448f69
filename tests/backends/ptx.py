"""A small machine for PTX texts without branches and memory, on arrays: those of ``pair_codes``.

Registers are uint32; what ``.reg`` declares is not looked at. Sums are rounded once, ties to even.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint32]]
Wide = np.ndarray[Any, np.dtype[np.float64]]


def run(text: str, *operands: Words, results: int) -> list[Words]:
    """The results of a text, whose operands come after them as $0, $1, and so on."""
    registers: dict[str, Words] = {f"${results + i}": x for i, x in enumerate(operands)}
    for line in re.sub(r"\.reg [^;]*;", "", text.strip().removeprefix("{").removesuffix("}")).split(
        ";"
    ):
        if line.strip():
            name, rest = line.split(maxsplit=1)
            target, *sources = (part.strip() for part in rest.split(","))
            values = [
                registers[s] if s in registers else _immediate(s, operands[0]) for s in sources
            ]
            registers[target] = STEPS[name](*values)
    return [registers[f"${i}"] for i in range(results)]


def _immediate(text: str, like: Words) -> Words:
    is_float = text.startswith("0f")
    number = int.from_bytes(bytes.fromhex(text[2:])) if is_float else int(text, 0)
    return np.full_like(like, number % 2**32)


def halves(x: Words) -> tuple[Words, Words]:
    """The two bfloat16 of each word, as float32 bits: the lower, the upper."""
    return x << np.uint32(16), x & np.uint32(0xFFFF0000)


def pairs(low: Words, high: Words) -> Words:
    """Words of two numbers of 16 bits each, which the upper halves of these are."""
    return (low >> np.uint32(16)) | (high & np.uint32(0xFFFF0000))


def _real(bits: Words) -> Wide:
    return bits.view(np.float32).astype(np.float64)


def _bits(value: Any) -> Words:  # noqa: ANN401
    return np.asarray(value, np.float32).view(np.uint32)


def _to_float32(value: Wide, rest: Wide) -> Words:
    """``value + rest``, of which float64 has but ``value``, to float32."""
    return _bits(_odd(value, rest).astype(np.float32))


def _to_bfloat16(value: Wide, rest: Wide | float = 0.0) -> Words:
    """So too, to bfloat16, in the upper half of a word."""
    exact = _odd(value, rest)
    narrow = exact.astype(np.float32)
    # of an inexact float32 the last bit says so, and no second rounding goes wrong
    bits = narrow.view(np.uint32)
    left = np.where(np.isfinite(exact) & np.isfinite(narrow), exact - narrow, 0)
    toward = np.where(np.abs(narrow) > np.abs(exact), bits - 1, bits)
    bits = np.where(left == 0, bits, toward | 1)
    rounded = bits.view(np.float32).astype(ml_dtypes.bfloat16)
    return rounded.view(np.uint16).astype(np.uint32) << np.uint32(16)


def _odd(value: Wide, rest: Wide | float) -> Wide:
    """float64, of which the last bit is set where a rest was cut off."""
    bits = np.ascontiguousarray(value).view(np.uint64)
    away = np.sign(rest) * np.sign(value) < 0
    lower = np.where(away, bits - np.uint64(1), bits)
    inexact = (rest != 0) & np.isfinite(value)
    return np.where(inexact, lower | np.uint64(1), bits).view(np.float64)


def _sum(a: Wide, b: Wide) -> tuple[Wide, Wide]:
    """The sum in float64, and what it lacks."""
    total = a + b
    back = total - a
    rest = (a - (total - back)) + (b - back)
    return total, np.where(np.isfinite(total), rest, 0)


def _of_both(step: Callable[..., Words]) -> Callable[..., Words]:
    def of_pairs(*operands: Words) -> Words:
        low, high = zip(*(halves(x) for x in operands), strict=True)
        return pairs(step(*low), step(*high))

    return of_pairs


def _fma(a: Words, b: Words, c: Words) -> Words:
    return _to_float32(*_sum(_real(a) * _real(b), _real(c)))


def _fma_bfloat16(a: Words, b: Words, c: Words) -> Words:
    return _to_bfloat16(*_sum(_real(a) * _real(b), _real(c)))


def _ordered(x: Words) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Integers in the order of the numbers, +0 above -0."""
    size = (x & np.uint32(0x7FFFFFFF)).astype(np.int64)
    return np.where(x >> np.uint32(31) > 0, -size - 1, size)


def _extreme(a: Words, b: Words, *, most: bool, nan: bool) -> Words:
    first = _ordered(a) >= _ordered(b) if most else _ordered(a) <= _ordered(b)
    a_nan, b_nan = np.isnan(_real(a)), np.isnan(_real(b))
    found = np.where(b_nan | (first & ~a_nan), a, b)
    canonical = (a_nan | b_nan) if nan else (a_nan & b_nan)
    return np.where(canonical, np.uint32(0x7FFF0000), found)


def _lop3(a: Words, b: Words, c: Words, table: Words) -> Words:
    found = np.zeros_like(a)
    for row in range(8):
        if int(table.flat[0]) >> row & 1:
            bits = [x if row >> k & 1 else ~x for x, k in ((a, 2), (b, 1), (c, 0))]
            found |= bits[0] & bits[1] & bits[2]
    return found


def _prmt(a: Words, b: Words, selector: Words) -> Words:
    both = a.astype(np.uint64) | (b.astype(np.uint64) << np.uint64(32))
    found = np.zeros_like(a)
    for i in range(4):
        nibble = int(selector.flat[0]) >> (4 * i) & 15
        byte = ((both >> np.uint64(8 * (nibble & 7))) & np.uint64(255)).astype(np.uint32)
        if nibble & 8:
            byte = np.where(byte & np.uint32(128), np.uint32(255), np.uint32(0))
        found |= byte << np.uint32(8 * i)
    return found


def _dp2a(a: Words, b: Words, c: Words, first: int) -> Words:
    factors = (a & np.uint32(0xFFFF), a >> np.uint32(16))
    for i, factor in enumerate(factors):
        c = c + factor * ((b >> np.uint32(8 * (first + i))) & np.uint32(255))
    return c


def _larger_magnitude(a: Words, b: Words) -> Words:
    size = np.uint32(0x7FFFFFFF)
    found = _extreme(a & size, b & size, most=True, nan=True)
    return np.where(np.isnan(_real(found)), found, found | ((a ^ b) & ~size))


STEPS: Mapping[str, Callable[..., Words]] = {
    "mov.b32": lambda a: a.copy(),
    "shl.b32": lambda a, n: a << n,
    "and.b32": lambda a, b: a & b,
    "sub.u32": lambda a, b: a - b,
    "lop3.b32": _lop3,
    "prmt.b32": _prmt,
    "min.s32": lambda a, b: np.minimum(a.view(np.int32), b.view(np.int32)).view(np.uint32),
    "mad.lo.u32": lambda a, b, c: a * b + c,
    "dp2a.lo.u32.u32": lambda a, b, c: _dp2a(a, b, c, 0),
    "dp2a.hi.u32.u32": lambda a, b, c: _dp2a(a, b, c, 2),
    "mul.rn.f32": lambda a, b: _bits(a.view(np.float32) * b.view(np.float32)),
    "add.rn.f32": lambda a, b: _bits(a.view(np.float32) + b.view(np.float32)),
    "fma.rn.f32": _fma,
    # the first of the two becomes the upper half
    "cvt.rn.bf16x2.f32": lambda a, b: pairs(_to_bfloat16(_real(b)), _to_bfloat16(_real(a))),
    "fma.rn.bf16x2": _of_both(_fma_bfloat16),
    "min.bf16x2": _of_both(lambda a, b: _extreme(a, b, most=False, nan=False)),
    "max.bf16x2": _of_both(lambda a, b: _extreme(a, b, most=True, nan=False)),
    "max.NaN.bf16x2": _of_both(lambda a, b: _extreme(a, b, most=True, nan=True)),
    "max.NaN.xorsign.abs.bf16x2": _of_both(_larger_magnitude),
    "set.lt.bf16x2.bf16x2": _of_both(lambda a, b: _bits(_real(a) < _real(b))),
}
