"""Rounding by examples: the formats' ends, narrower ranges, NaN, words that are cut or filled."""

import ml_dtypes
import numpy as np
import pytest

from qparity.reference import (
    FORMATS,
    FloatFormat,
    QuantizationArgs,
    pack_to_int32,
    round_to_quantized_type_args,
    round_to_quantized_type_dtype,
    unpack_from_int32,
)

WITH_ZERO = [row for row in FORMATS.values() if isinstance(row, FloatFormat)]


@pytest.mark.parametrize("row", WITH_ZERO, ids=lambda row: row.name)
def test_the_ends_of_a_format_are_those_of_its_dtype(row: FloatFormat) -> None:
    """The largest, the smallest normal and the smallest subnormal value are those of finfo."""
    info = ml_dtypes.finfo(row.dtype)
    assert row.max == float(info.max)
    assert row.smallest_normal == float(info.smallest_normal)
    assert row.smallest_subnormal == float(info.smallest_subnormal)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_narrower_range_clamps_first(bits: int) -> None:
    """What lies beyond the given ends is the given end."""
    x = np.array([-9, -2.5, 0.5, 1.5, 9], np.float32)
    args = QuantizationArgs(num_bits=bits)
    assert round_to_quantized_type_args(x, args, -3, 2).tolist() == [-3, -2, 0, 2, 2]


def test_nan_becomes_zero_where_a_dtype_has_none() -> None:
    """NaN is +0 in fp4 and fp6, and stays NaN in fp8."""
    x = np.array([np.nan, -np.nan], np.float32)
    for name in ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn"):
        rounded = round_to_quantized_type_dtype(x, np.dtype(getattr(ml_dtypes, name)))
        assert rounded.view(np.uint32).tolist() == [0, 0]
    for name in ("float8_e4m3fn", "float8_e5m2"):
        rounded = round_to_quantized_type_dtype(x, np.dtype(getattr(ml_dtypes, name)))
        assert np.isnan(rounded).all()


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("packed_dim", [0, 1])
def test_words_are_filled_and_cut(bits: int, packed_dim: int) -> None:
    """Any number of codes comes back from its words."""
    for size in (1, 7, 8, 9, 31, 32, 33, 65):
        codes = np.arange(3 * size, dtype=np.int64) % (1 << bits) - (1 << (bits - 1))
        value = codes.astype(np.int8).reshape((size, 3) if packed_dim == 0 else (3, size))
        packed = pack_to_int32(value, bits, packed_dim)
        assert (unpack_from_int32(packed, bits, value.shape, packed_dim) == value).all()
