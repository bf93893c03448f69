"""Bit equality, and the proof that each way to be unequal is found."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.conformance.compare import differing, equal_bits, find_difference
from tests.conformance.test_bits import dtype_of, patterns

DTYPES = (
    *("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32", "float64"),
    *("int8", "uint8", "int32", "int64"),
)
fixed = settings(max_examples=200, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize("name", DTYPES)
def test_an_array_equals_its_copy(name: str) -> None:
    """Every bit pattern equals itself, whatever its layout in memory."""
    x = patterns(name)
    assert equal_bits(x, x.copy())
    assert equal_bits(x[::2], x[::2].copy())
    assert equal_bits(x.reshape(2, -1), np.asfortranarray(x.reshape(2, -1)))


@pytest.mark.parametrize("name", DTYPES[:6])
def test_minus_zero_is_not_zero(name: str) -> None:
    """-0.0 and 0.0 differ, though they are equal as numbers."""
    zeros = np.zeros(3, dtype_of(name))
    minus = np.array([0.0, -0.0, 0.0], dtype_of(name))
    assert (zeros == minus).all()
    found = find_difference(zeros, minus)
    assert found is not None
    assert (found.reason, found.index, found.count, found.total) == ("bits", (1,), 1, 3)


@pytest.mark.parametrize("name", DTYPES[:6])
def test_any_nan_equals_any_nan(name: str) -> None:
    """NaN of either sign and any payload are equal."""
    x = patterns(name)
    with np.errstate(invalid="ignore"):
        nans = x[np.isnan(x)]
    assert nans.size > 1
    assert equal_bits(nans, nans[::-1])


@pytest.mark.parametrize("name", DTYPES[:6])
def test_nan_equals_no_number(name: str) -> None:
    """NaN differs from a number, on whichever side it stands."""
    one, nan = np.array([1], dtype_of(name)), np.array([np.nan], dtype_of(name))
    assert not equal_bits(one, nan)
    assert not equal_bits(nan, one)


@fixed
@given(st.sampled_from(DTYPES), st.integers(0, 1 << 32), st.data())
def test_one_flipped_bit_is_found(name: str, seed: int, data: st.DataObject) -> None:
    """Any single bit of any element, once flipped, is found at its index, NaN to NaN aside."""
    dtype = dtype_of(name)
    rng = np.random.default_rng(seed)
    shape = data.draw(st.sampled_from([(1,), (7,), (3, 5), (2, 3, 4)]))
    raw = rng.integers(0, 256, (*shape[:-1], shape[-1] * dtype.itemsize), dtype=np.uint8)
    expected = raw.view(dtype)
    index = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    bit = data.draw(st.integers(0, 8 * dtype.itemsize - 1))
    actual = expected.copy()
    uint = np.dtype(f"u{dtype.itemsize}").type
    actual.view(uint)[index] ^= uint(1 << bit)
    both_nan = expected[index] != expected[index] and actual[index] != actual[index]
    found = find_difference(expected, actual, "scale")
    if both_nan:
        assert found is None
    else:
        assert found is not None
        assert (found.output, found.reason, found.index, found.count) == ("scale", "bits", index, 1)


@fixed
@given(st.integers(0, 1 << 32), st.integers(0, 50))
def test_every_difference_is_counted(seed: int, count: int) -> None:
    """The count is the number of elements that differ, the index that of the first one."""
    rng = np.random.default_rng(seed)
    expected = rng.standard_normal((5, 10)).astype(np.float32)
    places = rng.permutation(50)[:count]
    actual = expected.copy()
    actual.reshape(-1)[places] += np.float32(1)
    found = find_difference(expected, actual)
    assert (0 if found is None else found.count) == count
    assert set(np.flatnonzero(differing(expected, actual))) == set(places)
    if found is not None:
        assert found.index == tuple(np.unravel_index(places.min(), (5, 10)))


@pytest.mark.parametrize(
    ("actual", "reason", "detail"),
    [
        (np.ones(3, np.float64), "dtype", "expected dtype float32, actual float64"),
        (np.ones(3, np.int32), "dtype", "expected dtype float32, actual int32"),
        (
            np.ones(3, ">f4"),
            "dtype",
            "expected dtype float32, actual >f4 (big-endian float32)",
        ),
        (np.ones((3, 1), np.float32), "shape", "expected shape (3,), actual (3, 1)"),
        (np.ones((), np.float32), "shape", "expected shape (3,), actual ()"),
        (np.ones(0, np.float32), "shape", "expected shape (3,), actual (0,)"),
        ([1.0, 1.0, 1.0], "type", "expected an array, actual list"),
        (None, "type", "expected an array, actual NoneType"),
    ],
)
def test_equal_numbers_of_another_kind_differ(actual: object, reason: str, detail: str) -> None:
    """The same numbers in another dtype, shape or type are a difference that says so."""
    found = find_difference(np.ones(3, np.float32), actual)
    assert found is not None
    assert (found.reason, found.detail, found.count) == (reason, detail, 3)


def test_empty_arrays_of_one_shape_are_equal() -> None:
    """Nothing equals nothing, in the same dtype and shape only."""
    empty = np.zeros((0, 3), ml_dtypes.bfloat16)
    assert equal_bits(empty, empty.copy())
    assert not equal_bits(empty, np.zeros((3, 0), ml_dtypes.bfloat16))
