"""Generated ranges put scales and zero-points at the ties of their own dtypes."""

import numpy as np
import pytest

from qparity.conformance.bits import nan_mask
from qparity.conformance.quantized import WORKING
from qparity.conformance.ranges import amaxes, filled, global_scales, ranges
from qparity.conformance.spec import FORMATS_OF_CODES, Spec
from qparity.conformance.values import ties_of
from qparity.reference import FORMATS, QuantizationArgs, preset_name_to_scheme
from tests.conformance.test_values import within_ulps

SIZE = 4000
FLOAT32 = np.dtype(np.float32)


@pytest.mark.parametrize("scale_dtype", ["float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("whole", [1.0, 448.0])
def test_scales_are_at_ties_of_a_small_scale_dtype(scale_dtype: str, whole: float) -> None:
    """At least 15 % of the unrounded scales lie within 4 ulps of a tie of ``scale_dtype``."""
    args = QuantizationArgs(num_bits=4, type="float", scale_dtype=scale_dtype)
    amax = amaxes(np.random.default_rng(1), (SIZE,), FLOAT32, args, whole)
    amax = amax[np.isfinite(amax)]
    with np.errstate(over="ignore"):
        scale = np.float32(whole) * (amax / np.float32(6))
    at_ties = within_ulps(scale, ties_of(FORMATS[scale_dtype]), 4)
    assert at_ties.mean() >= 0.15


@pytest.mark.parametrize("scale_dtype", ["bfloat16", "float16"])
def test_scales_are_at_ties_of_a_wide_scale_dtype(scale_dtype: str) -> None:
    """At least 25 % of the unrounded scales lie within 4 ulps of a tie of a 16-bit dtype."""
    args = QuantizationArgs(scale_dtype=scale_dtype)
    amax = amaxes(np.random.default_rng(2), (SIZE,), FLOAT32, args, 1.0)
    scale = amax[np.isfinite(amax) & (amax > 1e-4)] / np.float32(127.5)
    last_bits = {"bfloat16": 16, "float16": 13}[scale_dtype]
    normal = scale[(scale > 1e-4) & (scale < 6e4)]
    below_tie = normal.view(np.uint32) & np.uint32((1 << last_bits) - 1)
    from_tie = np.abs(below_tie.astype(np.int64) - (1 << (last_bits - 1)))
    assert (from_tie <= 4).mean() >= 0.25


@pytest.mark.parametrize(("preset", "mantissa"), [("MXFP4", 1), ("MXFP6A16", 3), ("MXFP8", 1)])
def test_mx_ranges_are_at_the_threshold(preset: str, mantissa: int) -> None:
    """Of MX ranges, at least 2 % lie within 2 ulps of where they round up to a power of two."""
    args = preset_name_to_scheme(preset).weights
    assert args is not None
    amax = amaxes(np.random.default_rng(3), (SIZE,), FLOAT32, args, 1.0)
    thresholds = 2.0 ** np.arange(-12, 12) * (2 - 2.0 ** -(mantissa + 1))
    assert within_ulps(amax, thresholds).mean() >= 0.02


@pytest.mark.parametrize("dtype", WORKING, ids=str)
@pytest.mark.parametrize(("kind", "bits"), FORMATS_OF_CODES)
def test_ranges_are_never_nan(kind: str, bits: int, dtype: np.dtype) -> None:
    """Whatever the format, NaN comes into ranges only where a check asks for it."""
    spec = Spec(kind, bits, dtype)
    for symmetric in (True, False) if spec.may_be_asymmetric else (True,):
        args = spec.make_args(symmetric=symmetric)
        lo, hi = ranges(np.random.default_rng(4), (SIZE,), dtype, args)
        assert (lo.dtype, hi.dtype) == (dtype, dtype)
        assert not (nan_mask(lo) | nan_mask(hi)).any()


def test_ranges_are_of_every_kind() -> None:
    """Two-sided, one-sided on either side, all zero, infinite, and subnormal ranges occur."""
    lo, hi = ranges(np.random.default_rng(5), (SIZE,), FLOAT32, QuantizationArgs())
    assert ((lo < 0) & (hi > 0)).any()
    assert ((lo > 0) & (hi > 0)).any()
    assert ((lo < 0) & (hi < 0)).any()
    assert ((lo == 0) & (hi == 0)).any()
    assert np.isinf(hi).any()
    assert ((hi > 0) & (hi < np.finfo(np.float32).smallest_normal)).any()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_zero_points_are_at_ties(bits: int) -> None:
    """Of asymmetric ranges, at least 20 % have q_min - lo / scale within 0.001 of a half."""
    args = QuantizationArgs(num_bits=bits, symmetric=False)
    lo, hi = (
        v.astype(np.float64) for v in ranges(np.random.default_rng(6), (SIZE,), FLOAT32, args)
    )
    with np.errstate(all="ignore"):
        scale = (np.maximum(hi, 0) - np.minimum(lo, 0)) / (2**bits - 1)
        zero_point = -np.minimum(lo, 0) / scale
        from_half = np.abs(zero_point - np.floor(zero_point) - 0.5)
    assert (from_half < 0.001).mean() >= 0.2


@pytest.mark.parametrize("length", [1, 2, 17])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_filled_rows_have_the_given_extremes(shape: tuple[int, ...], length: int) -> None:
    """Every row of two or more numbers lies within its range, and has its larger extreme."""
    rng = np.random.default_rng(7)
    for _ in range(50):
        lo, hi = ranges(rng, shape, FLOAT32, QuantizationArgs())
        x = filled(rng, lo, hi, length)
        low, high = np.minimum(lo, hi), np.maximum(lo, hi)
        assert x.shape == (*shape, length)
        assert ((x >= low[..., None]) & (x <= high[..., None])).all()
        assert (x.max(axis=-1) == high).all()


def test_extremes_stand_everywhere() -> None:
    """The largest number of a row is at its first place, at its last, and between them."""
    rng = np.random.default_rng(8)
    x = filled(rng, np.full(500, -1, np.float32), np.full(500, 9, np.float32), 7)
    assert set(x.argmax(axis=-1).tolist()) == set(range(7))
    assert (x.argmax(axis=-1) == 6).mean() > 0.3


@pytest.mark.parametrize("dtype", WORKING, ids=str)
def test_global_scales_are_one_positive_number(dtype: np.dtype) -> None:
    """A global scale is positive and finite, of shape (1,), in the dtype asked for."""
    rng = np.random.default_rng(9)
    for _ in range(200):
        scale = global_scales(rng, dtype)
        assert (scale.shape, scale.dtype) == ((1,), dtype)
        assert 0 < float(scale[0]) < np.inf
