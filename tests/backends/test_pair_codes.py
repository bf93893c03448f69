"""The PTX that makes codes of pairs, run by a small machine, against the reference."""

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from qparity.backends.triton_fused.pair_codes import (
    LARGEST,
    LEAST,
    MOST,
    codes_of_integers,
    codes_of_small_floats,
    codes_of_two_levels,
)
from qparity.reference import QuantizationArgs, quantize

from . import ptx

Array = np.ndarray[Any, Any]
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
ALL = np.arange(1 << 16, dtype=np.uint16).view(BFLOAT16)
FINITE = ALL[np.isfinite(ALL.astype(np.float32))]
SMALL = {4: ml_dtypes.float4_e2m1fn, 6: ml_dtypes.float6_e2m3fn}


def codes_by(text: str, x: Array, reciprocal: float, more: float, bits: int) -> Array:
    """The codes of numbers, of which there are eights, as a text makes them."""
    halves = x.view(np.uint16).reshape(-1, 8).astype(np.uint32)
    words = [halves[:, 2 * i] | (halves[:, 2 * i + 1] << np.uint32(16)) for i in range(4)]
    floats = [
        np.full(len(halves), v, np.float32).view(np.uint32) for v in (np.float32(reciprocal), more)
    ]
    with np.errstate(all="ignore"):
        found = ptx.run(text, *words, *floats, results=1 if bits == 4 else 2)
    each = 8 if bits == 4 else 4
    parts = [
        (word[:, None] >> (np.arange(each, dtype=np.uint32) * bits)) & (2**bits - 1)
        for word in found
    ]
    return np.concatenate(parts, axis=1).reshape(-1)


def codes_of_reference(
    x: Array, scale: Array, args: QuantizationArgs, zero_point: int | None = None
) -> Array:
    """The codes of numbers with one scale; integers as their distance from the least."""
    given = None if zero_point is None else np.full((1, 1), zero_point, np.int8)
    with np.errstate(all="ignore"):
        values = quantize(x[None], scale.reshape(1, 1), given, args)[0].astype(np.float32)
    if args.type == "int":
        return values.astype(np.int64) + (1 << (args.num_bits - 1))
    codes = values.astype(SMALL[args.num_bits]).view(np.uint8)
    return codes.astype(np.int64) & ((1 << args.num_bits) - 1)


def in_eights(x: Array) -> Array:
    """Numbers, and of the first ones so many again that there are eights."""
    return np.concatenate([x, x[: -len(x) % 8]])


def small_float_differences(bits: int, text: str) -> int:
    """How many codes differ, of all finite bfloat16 by powers of two."""
    args = QuantizationArgs(num_bits=bits, type="float", strategy="channel")
    x, wrong = in_eights(FINITE), 0
    for exponent in (*range(-127, 128, 9), -126, -1, 1, 126, 127):
        scale = np.ldexp(np.float32(1), exponent).astype(BFLOAT16)
        reciprocal = 1 / np.float32(scale)
        expected = codes_of_reference(x, scale, args, None if bits == 6 else 0)
        wrong += int((codes_by(text, x, reciprocal, 0.0, bits) != expected).sum())
    return wrong


@pytest.mark.parametrize(("bits", "mantissa"), [(4, 1), (6, 3)])
def test_small_floats(bits: int, mantissa: int) -> None:
    """Every finite bfloat16 over powers of two has the reference's code, zeros their sign."""
    assert small_float_differences(bits, codes_of_small_floats(bits, mantissa)) == 0


def integer_differences(bits: int, zero_point: int | None, text: str) -> int:
    """How many codes differ, of all finite bfloat16 by scales of any mantissa."""
    args = QuantizationArgs(num_bits=bits, strategy="channel", symmetric=zero_point is None)
    x, wrong = in_eights(FINITE), 0
    for pattern in (0x3F80, 0x3F81, 0x3FAB, 0x3FFF, 0x0DC3, 0x71E7):
        scale = np.array(pattern, np.uint16).view(BFLOAT16)
        reciprocal = np.float32(1) / np.float32(scale)
        expected = codes_of_reference(x, scale, args, zero_point)
        actual = codes_by(text, x, reciprocal, float(zero_point or 0), bits)
        wrong += int((actual != expected).sum())
    return wrong


@pytest.mark.parametrize("bits", range(2, 8))
def test_integers(bits: int) -> None:
    """Every finite bfloat16 over any scale has the reference's code, with each zero-point."""
    half = 1 << (bits - 1)
    for zero_point in (None, 0, -half, half - 1, 1):
        text = codes_of_integers(bits, has_zero_point=zero_point is not None)
        assert integer_differences(bits, zero_point, text) == 0, zero_point


def cases_of_two_levels() -> Iterator[tuple[np.float32, Array]]:
    """Scales, and numbers about the midpoints of the codes they make, and beyond."""
    rng = np.random.default_rng(0)
    scales = [rng.uniform(1, 2) * 2.0 ** rng.integers(-60, 15) for _ in range(40)]
    # of these a number of 8 bits is a tie, or all but one
    scales += [k * 2.0**-9 / m for k in range(128, 256) for m in (1, 3, 5, 7)]
    midpoints = np.array([0, 0.25, 0.5, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6, 7, 8, 1000])
    for scale in (np.float32(s) for s in scales):
        near = (midpoints * np.float64(scale)).astype(BFLOAT16).view(np.uint16)
        bits = (near[:, None].astype(np.int64) + np.arange(-3, 4)).clip(0, 0x7F7F)
        x = bits.astype(np.uint16).view(BFLOAT16).reshape(-1)
        yield scale, in_eights(np.concatenate([x, -x]))


def two_level_differences(text: str) -> int:
    """How many codes differ, of numbers near midpoints and others."""
    args = QuantizationArgs(num_bits=4, type="float", strategy="channel")
    wrong = 0
    for scale, x in cases_of_two_levels():
        expected = codes_of_reference(x, np.array(scale), args)
        actual = codes_by(text, x, np.float32(1) / scale, float(-scale), 4)
        wrong += int((actual != expected).sum())
    return wrong


def test_two_levels() -> None:
    """A bfloat16 over a float32 has the reference's code, at and beside the midpoints of codes."""
    assert two_level_differences(codes_of_two_levels()) == 0


def test_ranges() -> None:
    """The largest of pairs is a NaN if there is one, in magnitude too; the least passes it by."""
    rng = np.random.default_rng(0)
    two = np.ascontiguousarray([rng.permutation(ALL), ALL])
    a, b = two.astype(np.float32)
    with np.errstate(invalid="ignore"):
        pairs = two.view(np.uint32)
        most, least, largest = (
            ptx.run(text, *pairs, results=1)[0].view(BFLOAT16).astype(np.float32)
            for text in (MOST, LEAST, LARGEST)
        )
        assert np.array_equal(most, np.maximum(a, b), equal_nan=True)
        assert np.array_equal(least, np.fmin(a, b), equal_nan=True)
        sizes = np.maximum(np.abs(a), np.abs(b))
    assert np.array_equal(np.abs(largest), sizes, equal_nan=True)
    assert np.isnan(most).any()
    assert not np.isnan(least).all()


FP4, FP6 = codes_of_small_floats(4, 1), codes_of_small_floats(6, 3)
INT4 = codes_of_integers(4, has_zero_point=True)
TWO_LEVELS = codes_of_two_levels()


@pytest.mark.parametrize(
    ("text", "part", "instead"),
    [
        (FP4, "set.lt.bf16x2.bf16x2 s, y, zero;", "mov.b32 s, zero;"),  # no sign
        (FP4, "set.lt.bf16x2.bf16x2 s, y, zero;", "lop3.b32 s, y, minus_zero, one, 0xea;"),
        (FP4, "min.bf16x2 y, y, most;", ""),  # no saturation
        (FP4, "middle, 0x42824282;", "middle, 0x42834283;"),  # another anchor
        (FP4, "0x6420", "0x6240"),  # another order
        (FP6, "0xea;", "0xe0;"),  # no sign
        (FP6, "min.bf16x2 c3, c3, b;", ""),  # fewer ranges
        (INT4, "fma.rn.bf16x2 c0, c0, one, z;", ""),  # no zero-point
        (INT4, "min.bf16x2 c3, c3, most;", ""),  # no saturation
        (INT4, "mul.rn.f32 g, g, $5;", ""),  # not divided
        (TWO_LEVELS, "min.bf16x2 m, m, most;", ""),  # no saturation
        (TWO_LEVELS, "zero, 0x00000000", "zero, 0x80008000"),  # -0 stays
        (TWO_LEVELS, "fma.rn.f32 y, x, $5, y;", ""),  # no step of Newton's method
        (TWO_LEVELS, "lop3.b32 c0, c0, s1, 0x08080808, 0xf8;", ""),  # signs lost
    ],
)
def test_a_changed_text_is_found(text: str, part: str, instead: str) -> None:
    """With one step left out, or another in its place, some codes differ."""
    assert part in text
    changed = text.replace(part, instead)
    differences = {
        FP4: lambda: small_float_differences(4, changed),
        FP6: lambda: small_float_differences(6, changed),
        INT4: lambda: integer_differences(4, -3, changed),
        TWO_LEVELS: lambda: two_level_differences(changed),
    }
    assert differences[text]() > 0
