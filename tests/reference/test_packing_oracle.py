"""Packing against the oracle's big-integer bit strings."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import (
    pack_fp4_to_uint8,
    pack_fp6_to_uint8,
    pack_to_int32,
    unpack_fp4_from_uint8,
    unpack_fp6_from_uint8,
    unpack_from_int32,
)
from tests.oracle import packing as exact
from tests.oracle.formats import FORMATS
from tests.oracle.rounding import Scalar, cast
from tests.reference.oracle_bridge import WORKING, array_from, assert_same, dtype_of, scalar_of
from tests.reference.oracle_inputs import DETERMINISTIC, SEEDS

FP4, FP6 = "float4_e2m1fn", "float6_e2m3fn"
FLOAT_PACKERS = {
    FP4: (pack_fp4_to_uint8, unpack_fp4_from_uint8),
    FP6: (pack_fp6_to_uint8, unpack_fp6_from_uint8),
}


SIZES = st.one_of(
    st.tuples(st.integers(1, 5), st.integers(1, 70)),
    st.tuples(st.integers(1, 70), st.integers(1, 5)),
)


def matrix(size: tuple[int, int], low: int, high: int, seed: int) -> list[list[int]]:
    """A matrix of that size, of integers from low to high, the ends more often."""
    rng = Random(seed)
    rows, columns = size
    return [
        [rng.choice((low, high, rng.randint(low, high))) for _ in range(columns)]
        for _ in range(rows)
    ]


@pytest.mark.parametrize("packed_dim", [0, 1])
@pytest.mark.parametrize("num_bits", range(1, 9))
@settings(DETERMINISTIC, max_examples=20)
@given(size=SIZES, seed=SEEDS)
def test_integers_pack_to_the_bit_string(
    num_bits: int, packed_dim: int, size: tuple[int, int], seed: int
) -> None:
    """Element i of a packed row stands at bit i * num_bits, offset by half the range."""
    half = 1 << (num_bits - 1)
    value = matrix(size, -half, half - 1, seed)
    array = np.array(value, dtype=np.int8)
    expected = exact.pack_to_int32(value, num_bits, packed_dim)
    packed = pack_to_int32(array, num_bits, packed_dim)
    assert packed.dtype == np.int32
    assert packed.tolist() == expected
    unpacked = unpack_from_int32(packed, num_bits, array.shape, packed_dim)
    assert unpacked.dtype == np.int8
    assert unpacked.tolist() == value


@pytest.mark.parametrize("packed_dim", [0, 1])
@pytest.mark.parametrize("num_bits", range(1, 9))
@settings(DETERMINISTIC, max_examples=20)
@given(size=SIZES, seed=SEEDS)
def test_any_words_unpack_to_the_bit_string(
    num_bits: int, packed_dim: int, size: tuple[int, int], seed: int
) -> None:
    """Unpacking reads num_bits at bit i * num_bits of any words, whatever stands in the rest."""
    words = matrix(size, -(1 << 31), (1 << 31) - 1, seed)
    along, across = (len(words[0]), len(words)) if packed_dim else (len(words), len(words[0]))
    most = along * 32 // num_bits
    least = (along - 1) * 32 // num_bits + 1
    count = Random(seed).randint(least, most)
    shape = (across, count) if packed_dim else (count, across)
    unpacked = unpack_from_int32(np.array(words, dtype=np.int32), num_bits, shape, packed_dim)
    assert unpacked.dtype == np.int8
    assert unpacked.shape == shape
    assert unpacked.tolist() == exact.unpack_from_int32(words, num_bits, shape, packed_dim)


@pytest.mark.parametrize("packed_dim", [0, 1])
def test_three_dimensions_pack_by_slices(packed_dim: int) -> None:
    """A 3-D array packs as the stack of its packed slices."""
    array = (np.arange(2 * 9 * 11) % 16 - 8).astype(np.int8).reshape(2, 9, 11)
    packed = pack_to_int32(array, 4, packed_dim)
    assert packed.tolist() == [exact.pack_to_int32(m, 4, packed_dim) for m in array.tolist()]
    assert unpack_from_int32(packed, 4, array.shape, packed_dim).tolist() == array.tolist()


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("target", FLOAT_PACKERS)
@settings(DETERMINISTIC, max_examples=20)
@given(rows=st.integers(1, 4), units=st.integers(1, 8), seed=SEEDS)
def test_floats_pack_to_the_bit_string(
    target: str, name: str, rows: int, units: int, seed: int
) -> None:
    """fp4 and fp6 codes stand at bit i * bits of the bytes of a row, in every float dtype."""
    bits = FORMATS[target].bits
    columns = (4 if bits == 6 else 2) * units
    codes = matrix((rows, columns), 0, (1 << bits) - 1, seed)
    numbers = [[scalar_of(code, target).number for code in line] for line in codes]
    flat = [Scalar(number, name) for line in numbers for number in line]
    pack, unpack = FLOAT_PACKERS[target]

    packed = pack(array_from(flat, name, (rows, columns)))
    assert packed.dtype == np.uint8
    assert packed.tolist() == [exact.pack_floats(line, target, bits) for line in numbers]
    assert [exact.unpack_codes(line, bits, columns) for line in packed.tolist()] == codes

    unpacked = unpack(packed, rows, columns, dtype=dtype_of(name))
    assert_same(unpacked, flat, shape=(rows, columns))


@pytest.mark.parametrize("target", FLOAT_PACKERS)
def test_every_byte_unpacks_to_bfloat16(target: str) -> None:
    """Any bytes unpack to the values of their codes, by default in bfloat16."""
    bits = FORMATS[target].bits
    data = [(7 * i + i // 256) % 256 for i in range(768)]
    columns = len(data) * 8 // bits
    codes = exact.unpack_codes(data, bits, columns)
    expected = [cast(scalar_of(code, target), "bfloat16") for code in codes]
    unpacked = FLOAT_PACKERS[target][1](np.array([data], dtype=np.uint8), 1, columns)
    assert_same(unpacked, expected, shape=(1, columns))


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("target", FLOAT_PACKERS)
def test_values_that_are_no_code_are_refused(target: str, name: str) -> None:
    """A value that the oracle cannot encode is refused, by a ValueError."""
    pack = FLOAT_PACKERS[target][0]
    for value in (0.25 / 4, 5.0 + 1 / 8, 100.0, float("inf"), float("nan")):
        array = np.array([[1.0, value, 1.0, 1.0]]).astype(dtype_of(name))
        with pytest.raises(ValueError, match="x"):
            pack(array)
