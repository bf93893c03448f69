"""Shapes of x and of its scale: what is beside an element changes nothing."""

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from qparity.reference import (
    QuantizationArgs,
    calculate_qparams,
    dequantize,
    fake_quantize,
    minmax,
    quantize,
)

Array = npt.NDArray[Any]
CHANNEL = QuantizationArgs(strategy="channel", symmetric=False)


def same(a: Array, b: Array) -> bool:
    """Equal dtype, shape and bits."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("columns", [40_000, 200_000])
def test_large_tensors_are_as_their_rows(columns: int) -> None:
    """What is evaluated by blocks of rows has the bits of every row on its own."""
    x = np.random.default_rng(0).standard_normal((9, columns)).astype(np.float32)
    scale, zero_point = calculate_qparams(*minmax(x, CHANNEL), CHANNEL)
    for given in (zero_point, None):
        at_once = fake_quantize(x, scale, given, CHANNEL)
        for row in (slice(i, i + 1) for i in range(len(x))):
            zp = None if given is None else given[row]
            assert same(at_once[row], fake_quantize(x[row], scale[row], zp, CHANNEL))


def test_one_scale_serves_large_tensors() -> None:
    """A scale of fewer dimensions than x belongs to every block of rows."""
    x = np.random.default_rng(0).standard_normal((9, 40_000)).astype(np.float32)
    args, scale = QuantizationArgs(), np.full(1, 0.01, np.float32)
    assert same(quantize(x, scale, None, args)[8:], quantize(x[8:], scale, None, args))


def test_leading_ones_of_a_scale_are_no_rows() -> None:
    """A scale of shape (1, 1) beside a 1-D x is that of shape (1,)."""
    x, scale = np.array([1, -2, 300], np.float32), np.full((1, 1), 1.5, np.float32)
    for operation in (quantize, fake_quantize, dequantize):
        flat = operation(x, scale[0], None, QuantizationArgs())
        assert same(operation(x, scale, None, QuantizationArgs()), flat)


def test_columns_that_name_their_group_have_its_scale() -> None:
    """With ``g_idx``, column j is quantized by the scale of group ``g_idx[j]``."""
    x = np.arange(1, 9, dtype=np.float32).reshape(2, 4)
    scale = np.array([[1, 2], [4, 8]], np.float32)
    g_idx = np.array([1, 0, 0, 1])
    args = QuantizationArgs(group_size=2)
    found = quantize(x, scale, None, args, g_idx=g_idx)
    by_column = quantize(x, scale[:, g_idx], None, QuantizationArgs(group_size=1))
    assert same(found, by_column)
    assert not same(found, quantize(x, scale, None, args))


def test_one_dimension_is_one_row() -> None:
    """A 1-D x has the groups of a scale of shape (groups,) or (1, groups)."""
    x, scale = np.arange(1, 5, dtype=np.float32), np.array([1, 2], np.float32)
    args = QuantizationArgs(group_size=2)
    as_row = quantize(x[None], scale[None], None, args)[0]
    assert same(quantize(x, scale, None, args), as_row)
    assert same(quantize(x, scale[None], None, args), as_row)


def test_float32_may_be_computed_in() -> None:
    """37.25 / 2.25 = 16.56 is the tie 16.5 in bfloat16, and beyond it in float32."""
    bfloat16, float32 = np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32)
    x, scale = np.array([37.25], bfloat16), np.array([2.25], bfloat16)
    args, zero_point = QuantizationArgs(symmetric=False), np.zeros(1, np.int8)
    for zp in (None, zero_point):
        assert quantize(x, scale, zp, args).tolist() == [16]
        codes = quantize(x, scale, zp, args, compute_dtype=float32)
        assert (codes.dtype, codes.tolist()) == (bfloat16, [17])
        whole = np.ones(1, np.float32)
        codes = quantize(x, scale, zp, args, compute_dtype=float32, global_scale=whole)
        assert codes.tolist() == [17]
