"""The comparison itself: it must see every kind of difference, and planted faults."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.reference import QuantizationArgs
from tests.peers import generators, test_packing, test_qparams, test_quantize, test_rounding
from tests.peers.bits import Array, assert_same, bits_of, difference, dtype_of

DTYPES = (*generators.ZP_DTYPES, "int32")


@pytest.mark.parametrize("name", DTYPES)
def test_every_bit_counts(name: str) -> None:
    """Two arrays that differ in one bit of one element are told apart, whatever the dtype."""
    dtype = dtype_of(name)
    expected = np.arange(33).astype(dtype)
    for bit in range(8 * dtype.itemsize):
        changed = bits_of(expected).copy()
        changed[17] ^= changed.dtype.type(1 << bit)
        found = difference(changed.view(dtype), expected)
        assert found is not None
        assert found.startswith("1 of 33 elements differ")
        assert "[17]" in found


def test_zeros_shapes_and_dtypes_count() -> None:
    """The sign of zero, the shape and the dtype count; the bits of a NaN do not."""
    zero, nan = np.zeros(1, np.float32), np.array([np.nan], np.float32)
    assert difference(-zero, zero) is not None
    assert difference(zero.reshape(()), zero) is not None
    assert difference(zero.astype(np.float64), zero) is not None
    assert difference(nan, zero) is not None
    assert difference(zero, nan) is not None
    other_nan = (bits_of(nan) ^ np.uint32(0x80000001)).view(np.float32)
    assert difference(other_nan, nan) is None
    assert difference(-zero, zero, np.array([True])) is None
    with pytest.raises(AssertionError, match="0x80000000"):
        assert_same(-zero, zero)


def reciprocal_multiply(original: Callable[..., Array]) -> Callable[..., Array]:
    """A quantize that multiplies by the reciprocal of the scale."""

    def mutant(x: Array, scale: Array, *rest: Any, **options: Any) -> Array:  # noqa: ANN401
        inverse = np.divide(scale.dtype.type(1), scale).astype(scale.dtype)
        product = np.multiply(x, inverse).astype(x.dtype)
        return original(product, np.ones_like(scale), *rest, **options)

    return mutant


def zero_loses_its_sign(original: Callable[..., Array]) -> Callable[..., Array]:
    """A function whose results have no -0.0."""

    def mutant(*given: Any, **options: Any) -> Array:  # noqa: ANN401
        result = original(*given, **options)
        return np.where(result == 0, np.abs(result), result)

    return mutant


def one_ulp_larger(original: Callable[..., Any]) -> Callable[..., Any]:
    """Qparams whose scale is one representable value larger."""

    def mutant(*given: Any, **options: Any) -> tuple[Array, Array]:  # noqa: ANN401
        scale, zero_point = original(*given, **options)
        return generators.moved(scale, 1), zero_point

    return mutant


def first_code_is_high(original: Callable[..., Array]) -> Callable[..., Array]:
    """A packing that swaps the two codes of a byte."""

    def mutant(x: Array) -> Array:
        return original(x.reshape(*x.shape[:-1], -1, 2)[..., ::-1].reshape(x.shape))

    return mutant


FAULTS: list[tuple[str, Callable[..., Any], Callable[..., None], tuple[object, ...]]] = [
    ("quantize", reciprocal_multiply, test_quantize.test_of_every_dtype, ("tensor", "int", 8)),
    ("quantize", zero_loses_its_sign, test_quantize.test_of_every_dtype, ("group", "float", 4)),
    ("fake_quantize", zero_loses_its_sign, test_quantize.test_of_every_dtype, ("block", "int", 4)),
    (
        "round_to_quantized_type_args",
        zero_loses_its_sign,
        test_rounding.test_round_to_code,
        (QuantizationArgs(), "bfloat16", True),
    ),
    ("calculate_qparams", one_ulp_larger, test_qparams.test_qparams, (8, "int", True, "float32")),
    ("pack_fp4_to_uint8", first_code_is_high, test_packing.test_float_bytes, (4, "bfloat16")),
]


@pytest.mark.parametrize(
    ("name", "fault", "test", "given"),
    FAULTS,
    ids=[f"{name}-{fault.__name__}" for name, fault, _, _ in FAULTS],
)
def test_planted_faults_are_found(
    name: str,
    fault: Callable[..., Any],
    test: Callable[..., None],
    given: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A test of this folder passes on the reference and fails on it with a fault planted."""
    test(*given)
    monkeypatch.setattr(reference, name, fault(getattr(reference, name)))
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match="differ"):
        test(*given)
