"""Packing and unpacking against compressed-tensors."""

import numpy as np
import pytest

from qparity import reference
from tests.peers import generators, upstream
from tests.peers.bits import assert_same, dtype_of

SHAPES = [
    *((rows, columns) for rows in (1, 3, 33) for columns in generators.LENGTHS),
    *((columns, 5) for columns in generators.LENGTHS),
    (3, 17, 33),
    (2, 40, 9),
    (2, 3, 9, 5),
]


@pytest.mark.parametrize("packed_dim", [0, 1])
@pytest.mark.parametrize("bits", range(1, 9))
def test_int32_words(bits: int, packed_dim: int) -> None:
    """Codes pack to upstream's words, and any words unpack to upstream's codes."""
    rng = np.random.default_rng([bits, packed_dim])
    for shape in SHAPES:
        codes = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape).astype(np.int8)
        words = upstream.pack_to_int32(codes, bits, packed_dim)
        ours = reference.pack_to_int32(generators.strided(codes), bits, packed_dim)
        assert_same(ours, words, shape=shape)
        assert_same(reference.unpack_from_int32(words, bits, shape, packed_dim), codes)
        if bits == 4 and packed_dim == 0 and words.shape[-2] == 1:
            continue
        any_words = rng.integers(-(1 << 31), 1 << 31, words.shape).astype(np.int32)
        for packed in (words, any_words):
            ours, theirs = (
                f.unpack_from_int32(packed, bits, shape, packed_dim) for f in (reference, upstream)
            )
            assert_same(ours, theirs, shape=shape)


@pytest.mark.parametrize("dtype", generators.WORKING)
@pytest.mark.parametrize("bits", [4, 6])
def test_float_bytes(bits: int, dtype: str) -> None:
    """All bytes unpack to upstream's fp4 and fp6 values, -0.0 too, and pack to upstream's bytes."""
    rng = np.random.default_rng(bits)
    pack = f"pack_fp{bits}_to_uint8"
    unpack = f"unpack_fp{bits}_from_uint8"
    for rows, columns in ((1, 4), (16, 128), (33, 12), (3, 260), (40, 2 * bits)):
        packed = rng.integers(0, 256, (rows, columns * bits // 8)).astype(np.uint8)
        if packed.size >= 256:
            packed.reshape(-1)[:256] = np.arange(256)
        ours, theirs = (
            getattr(f, unpack)(packed, rows, columns, dtype_of(dtype))
            for f in (reference, upstream)
        )
        assert_same(ours, theirs)
        assert_same(getattr(reference, pack)(theirs), getattr(upstream, pack)(theirs))
        assert_same(getattr(reference, pack)(generators.strided(theirs)), packed)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (2, 0, 4), (2, 4, 0)])
@pytest.mark.parametrize("packed_dim", [0, 1])
@pytest.mark.parametrize("bits", range(1, 9))
def test_nothing(bits: int, packed_dim: int, shape: tuple[int, ...]) -> None:
    """An empty array packs to upstream's empty words, which unpack to it."""
    codes = np.zeros(shape, np.int8)
    words = reference.pack_to_int32(codes, bits, packed_dim)
    assert_same(words, upstream.pack_to_int32(codes, bits, packed_dim))
    assert_same(reference.unpack_from_int32(words, bits, shape, packed_dim), codes)
    if len(shape) == 2:
        empty = codes.astype(np.float32)
        for pack in ("pack_fp4_to_uint8", "pack_fp6_to_uint8"):
            assert_same(getattr(reference, pack)(empty), getattr(upstream, pack)(empty))
