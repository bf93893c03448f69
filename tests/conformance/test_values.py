"""Generated numbers are where the roundings part: ties really are ties."""

import numpy as np
import pytest

from qparity.conformance.bits import bits_of, nan_mask, ordinals
from qparity.conformance.quantized import WORKING
from qparity.conformance.spec import FORMATS_OF_CODES, Spec
from qparity.conformance.values import (
    any_bits,
    codes_of,
    jitter,
    near_codes,
    near_values_of,
    scales,
    specials_of,
    ties_of,
    with_nan,
)
from qparity.reference import FORMATS, QuantizationArgs, round_to_quantized_type_args
from tests.conformance.planted import Array

SIZE = 4000
SMALL = [name for name, row in FORMATS.items() if row.bits <= 8]


def within_ulps(x: Array, targets: Array, ulps: int = 2) -> Array:
    """Which numbers are at most ``ulps`` steps of their dtype from one of the targets."""
    at = np.unique(ordinals(targets.astype(x.dtype)))
    place = np.clip(np.searchsorted(at, ordinals(x)), 1, len(at) - 1)
    near = np.minimum(np.abs(ordinals(x) - at[place - 1]), np.abs(ordinals(x) - at[place]))
    return np.asarray(near <= ulps)


@pytest.mark.parametrize("name", SMALL)
def test_codes_are_all_values_of_the_format(name: str) -> None:
    """Every finite code occurs once, in order; both zeros are one value."""
    row = FORMATS[name]
    codes = codes_of(row)
    specials = {"float8_e4m3fn": 2, "float8_e5m2": 8}.get(name, 0)
    assert len(codes) == 2**row.bits - specials - (0 if name.startswith("int") else 1)
    assert (np.diff(codes) > 0).all()
    assert (codes[0], codes[-1]) == (row.min, row.max)


@pytest.mark.parametrize("name", SMALL)
def test_ties_are_ties(name: str) -> None:
    """Each tie is exactly as far from the code below it as from the code above it."""
    codes, ties = codes_of(FORMATS[name]), ties_of(FORMATS[name])
    inside = ties[:-2]
    assert (inside - codes[:-1] == codes[1:] - inside).all()
    assert ties[-2] == codes[0] - (codes[-1] - codes[-2]) / 2
    assert ties[-1] == codes[-1] + (codes[-1] - codes[-2]) / 2


@pytest.mark.parametrize(("kind", "bits"), FORMATS_OF_CODES)
def test_a_nudge_off_a_tie_decides_the_code(kind: str, bits: int) -> None:
    """The reference gives a tie the even neighbour, and one ulp to either side the nearer one."""
    args = Spec(kind, bits, np.dtype(np.float32)).make_args()
    row = args.code_format
    ties = ties_of(row)[:-2].astype(np.float32)
    below, above = codes_of(row)[:-1], codes_of(row)[1:]
    rounded = [
        round_to_quantized_type_args(x, args, row.min, row.max).astype(np.float64)
        for x in (np.nextafter(ties, np.float32(-1e9)), ties, np.nextafter(ties, np.float32(1e9)))
    ]
    assert (rounded[0] == below).all()
    assert ((rounded[1] == below) | (rounded[1] == above)).all()
    assert (rounded[2] == above).all()
    assert (np.diff(rounded[1]) >= 0).all()


@pytest.mark.parametrize("dtype", WORKING, ids=str)
@pytest.mark.parametrize(("kind", "bits"), FORMATS_OF_CODES)
def test_x_is_at_ties_of_its_own_scale(kind: str, bits: int, dtype: np.dtype) -> None:
    """At least 45 % of the generated x lie within 2 ulps of a tie times their own scale."""
    rng = np.random.default_rng(1)
    args = Spec(kind, bits, dtype).make_args()
    scale = float((1 + rng.random(1)).astype(dtype)[0])
    x = near_codes(rng, np.full(SIZE, scale), 0.0, args, dtype)
    assert within_ulps(x, ties_of(args.code_format) * scale).mean() >= 0.45


def test_x_that_is_not_aimed_misses_the_ties() -> None:
    """The measure above tells aimed numbers from others: of normal ones, under 1 % are at ties."""
    x = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32) * 100
    assert within_ulps(x, ties_of(FORMATS["int8"]) * 1.9375).mean() < 0.01


def test_x_is_at_ties_of_the_sum_with_its_zero_point() -> None:
    """With a zero-point, it is x / scale + zero_point that is aimed at the ties."""
    rng = np.random.default_rng(2)
    args = QuantizationArgs(symmetric=False)
    x = near_codes(rng, np.full(SIZE, 1.5), 7.0, args, np.dtype(np.float32))
    assert within_ulps(x, (ties_of(args.code_format) - 7) * 1.5).mean() >= 0.45


@pytest.mark.parametrize("dtype", WORKING, ids=str)
def test_x_has_edges_specials_and_any_bits(dtype: np.dtype) -> None:
    """Among the x are both zeros, both infinities, subnormals and values beyond the range."""
    rng = np.random.default_rng(3)
    args = QuantizationArgs()
    x = near_codes(rng, np.ones(SIZE), 0.0, args, dtype)
    zeros = bits_of(x[x == 0])
    tiny = specials_of(dtype)[2]
    assert len(np.unique(zeros)) == 2
    assert {-np.inf, np.inf} <= set(x[np.isinf(x)].tolist())
    assert ((np.abs(x) < tiny) & (x != 0)).any()
    assert (x > 127).any()
    assert (x < -128).any()
    assert not nan_mask(x).any()


@pytest.mark.parametrize("dtype", WORKING, ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_values_are_at_ties_of_a_small_format(name: str, dtype: np.dtype) -> None:
    """At least 40 % of the values meant for a format lie within 2 ulps of a tie of it."""
    x = near_values_of(np.random.default_rng(4), (SIZE,), FORMATS[name], dtype)
    assert within_ulps(x, ties_of(FORMATS[name])).mean() >= 0.40
    assert not nan_mask(x).any()


@pytest.mark.parametrize(
    ("name", "source"),
    [
        *(("bfloat16", "float32"), ("bfloat16", "float64")),
        *(("float16", "float32"), ("float16", "float64"), ("float32", "float64")),
    ],
)
def test_values_are_at_ties_of_a_wide_format(name: str, source: str) -> None:
    """At least 20 % of the values meant for a narrower float are halfway between two of its."""
    row = FORMATS[name]
    x = near_values_of(np.random.default_rng(5), (SIZE,), row, np.dtype(source))
    exact = x[np.isfinite(x)].astype(np.float64)
    with np.errstate(all="ignore"):
        narrow = exact.astype(row.dtype)
        up = np.nextafter(narrow, row.dtype.type(np.inf)).astype(np.float64)
        down = np.nextafter(narrow, row.dtype.type(-np.inf)).astype(np.float64)
        middle = narrow.astype(np.float64)
        tie = (exact == (middle + up) / 2) | (exact == (middle + down) / 2)
    assert (tie & (exact != middle)).mean() >= 0.20


@pytest.mark.parametrize("dtype", WORKING, ids=str)
def test_jitter_moves_by_two_ulps_at_most(dtype: np.dtype) -> None:
    """Of jittered numbers some stay, and the others move by one or two ulps, both ways."""
    x = np.ones(SIZE, dtype)
    moved = ordinals(jitter(np.random.default_rng(6), x)) - ordinals(x)
    assert set(moved.tolist()) == {-2, -1, 0, 1, 2}
    assert 0.35 < (moved == 0).mean() < 0.5


@pytest.mark.parametrize("dtype", WORKING, ids=str)
def test_any_bits_are_finite_and_of_every_magnitude(dtype: np.dtype) -> None:
    """Random bit patterns are finite, of both signs, and spread over the exponents."""
    x = any_bits(np.random.default_rng(7), (SIZE,), dtype)
    exponents = np.frexp(x.astype(np.float64))[1]
    assert np.isfinite(x).all()
    assert 0.3 < (x < 0).mean() < 0.7
    assert len(np.unique(exponents)) > 20


@pytest.mark.parametrize("dtype", WORKING, ids=str)
def test_nan_comes_in_both_signs_with_payloads(dtype: np.dtype) -> None:
    """The share of NaN is as asked for; their bits differ; the other numbers stay."""
    x = np.ones(SIZE, dtype)
    mixed = with_nan(np.random.default_rng(8), x, 0.25)
    nan = nan_mask(mixed)
    assert 0.2 < nan.mean() < 0.3
    assert len(np.unique(bits_of(mixed[nan]))) >= 4
    assert (mixed[~nan] == 1).all()


@pytest.mark.parametrize("dtype", WORKING, ids=str)
@pytest.mark.parametrize("on", [None, "float8_e4m3fn", "float8_e5m2"])
def test_scales_are_positive_but_for_a_few(dtype: np.dtype, on: str | None) -> None:
    """Scales are above 0; one in a hundred is a zero, infinite or negative; none is NaN."""
    rounded = None if on is None else FORMATS[on]
    scale = scales(np.random.default_rng(9), (SIZE,), dtype, rounded)
    odd = scale[~((scale > 0) & np.isfinite(scale))]
    assert 0.003 < odd.size / scale.size < 0.05
    told = {str(value) for value in odd.astype(np.float64)}
    assert told >= {"0.0", "-0.0", "inf", "-inf", "-1.5"}
    assert not nan_mask(scale).any()
    if on == "float8_e4m3fn":
        codes = codes_of(FORMATS[on])
        assert np.isin(scale.astype(np.float64), codes).mean() >= 0.3


def test_the_same_seed_gives_the_same_numbers() -> None:
    """Generated bits depend on the seed alone, and on all of it."""
    args, dtype = QuantizationArgs(), np.dtype(np.float16)
    drawn = [
        bits_of(near_codes(np.random.default_rng(seed), np.ones(99), 0.0, args, dtype))
        for seed in (1, 1, 2)
    ]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()
