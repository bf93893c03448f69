"""Bits, steps and the ways a number is shown."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.conformance.bits import (
    bits_of,
    decimal,
    hex_bits,
    hex_float,
    is_float,
    nan_mask,
    ordinals,
    step,
)
from tests.conformance.planted import Array

FLOATS = ("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32", "float64")
fixed = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def dtype_of(name: str) -> np.dtype:
    """The numpy or ml_dtypes dtype of a name."""
    return np.dtype(getattr(ml_dtypes, name, name))


def patterns(name: str) -> Array:
    """Every bit pattern of a dtype of at most 16 bits, and 65,536 patterns of a wider one."""
    dtype = dtype_of(name)
    bits = 8 * dtype.itemsize
    if bits <= 16:
        return np.arange(1 << bits).astype(f"u{dtype.itemsize}").view(dtype)
    raw = np.random.default_rng(0).integers(0, 1 << 64, 1 << 16, dtype=np.uint64)
    return (raw >> np.uint64(64 - bits)).astype(f"u{dtype.itemsize}").view(dtype)


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(("ulps", "towards"), [(1, np.inf), (-1, -np.inf)])
def test_a_step_of_one_is_nextafter(name: str, ulps: int, towards: float) -> None:
    """One ulp up or down is the neighbour that the library's own ``nextafter`` gives."""
    x = patterns(name)
    expected = np.nextafter(x, x.dtype.type(towards))
    moved = step(x, ulps)
    same = (bits_of(moved) == bits_of(expected)) | nan_mask(x)
    zero = (expected == 0) & (moved == 0)
    assert (same | zero).all()


@pytest.mark.parametrize("name", FLOATS)
def test_a_step_of_zero_changes_no_bit(name: str) -> None:
    """A step of 0 keeps every bit pattern: the sign of zero and NaN payloads too."""
    x = patterns(name)
    assert (bits_of(step(x, 0)) == bits_of(x)).all()


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_steps_end_at_infinity_and_leave_nan(name: str) -> None:
    """However far a step goes, it stops at an infinity, and NaN stays what it was."""
    x = np.array([1, -1, np.nan], dtype_of(name))
    for far in (1 << 62, np.array([1, -1, 1]) << 62):
        moved = step(x, far)
        assert moved[0] == np.inf
        assert bits_of(moved)[2] == bits_of(x)[2]
    assert moved[1] == -np.inf


@pytest.mark.parametrize("name", FLOATS)
def test_ordinals_order_as_the_numbers_do(name: str) -> None:
    """A smaller number has a smaller ordinal, equal ones the same: both zeros have 0."""
    x = patterns(name)
    x = x[~nan_mask(x)]
    order = np.argsort(ordinals(x), kind="stable")
    wide, ranks = x.astype(np.float64)[order], ordinals(x)[order]
    assert ((np.diff(wide) > 0) == (np.diff(ranks) > 0)).all()
    assert (ranks[wide == 0] == 0).all()


@fixed
@given(st.sampled_from(FLOATS[2:]), st.integers(0, 1 << 32), st.integers(-1000, 1000))
def test_a_step_moves_the_ordinal(name: str, seed: int, ulps: int) -> None:
    """The ordinal of a stepped number is its own plus the step, up to that of infinity."""
    raw = np.random.default_rng(seed).integers(0, 1 << 16, 64)
    half = raw.astype(np.uint16).view(np.float16)
    x = half[np.isfinite(half)].astype(dtype_of(name))
    infinity = int(ordinals(np.array([np.inf], x.dtype))[0])
    expected = np.clip(ordinals(x) + ulps, -infinity, infinity)
    assert (ordinals(step(x, ulps)) == expected).all()


def test_a_step_may_differ_by_element() -> None:
    """An array of steps moves each number by its own."""
    x = np.zeros(3, np.float32)
    assert ordinals(step(x, np.array([-2, 0, 5]))).tolist() == [-2, 0, 5]


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", FLOATS)
def test_a_hexadecimal_float_reads_back(name: str) -> None:
    """What ``hex_float`` shows is the number, exactly, in every dtype."""
    x = patterns(name)[:: 1 if name.startswith("float8") else 97]
    for value in x[np.isfinite(x)]:
        assert float.fromhex(hex_float(value)) == float(value)


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", FLOATS)
def test_a_decimal_reads_back(name: str) -> None:
    """What ``decimal`` shows is read back as the same number of the dtype."""
    x = patterns(name)[:: 1 if name.startswith("float8") else 97]
    for value in x[np.isfinite(x)]:
        again = np.array([float(decimal(value))], np.float64).astype(value.dtype)
        assert again[0] == value


@pytest.mark.parametrize("name", [*FLOATS, "int8", "int32", "uint8"])
def test_hexadecimal_bits_are_the_bits(name: str) -> None:
    """``hex_bits`` has two digits a byte, and they are the bits."""
    for value in patterns(name)[::977]:
        shown = hex_bits(value)
        assert len(shown) == 2 + 2 * value.dtype.itemsize
        assert int(shown, 16) == int(bits_of(np.array([value]))[0])


def test_the_numbers_of_the_specification_are_shown_so() -> None:
    """The example of SPEC section 12: bits, hexadecimal float and decimal."""
    x, scale = np.array([0xBF780001, 0x3FF80000], np.uint32).view(np.float32)
    assert (hex_bits(x), hex_float(x), decimal(x)) == (
        "0xbf780001",
        "-0x1.f00002p-1",
        "-0.96875006",
    )
    assert (hex_bits(scale), hex_float(scale), decimal(scale)) == (
        "0x3ff80000",
        "0x1.f00000p+0",
        "1.9375",
    )


@pytest.mark.parametrize("name", ["int8", "uint8", "int32", "int64", "bool"])
def test_integers_are_no_floats_and_never_nan(name: str) -> None:
    """An integer dtype is told from a float, and none of its values is NaN."""
    x = np.ones(3, name)
    assert not is_float(x.dtype)
    assert not nan_mask(x).any()


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", FLOATS)
def test_every_nan_is_seen(name: str) -> None:
    """The mask marks exactly the patterns that are not equal to themselves."""
    x = patterns(name)
    wide = x.astype(np.float64)
    assert is_float(x.dtype)
    assert (nan_mask(x) == (wide != wide)).all()
