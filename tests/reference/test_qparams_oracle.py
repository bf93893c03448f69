"""Scales, zero-points and global scales against the exact oracle."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import FORMATS as REFERENCE_FORMATS
from qparity.reference import FloatFormat, QuantizationArgs, calculate_qparams, generate_gparam
from tests.oracle import mx
from tests.oracle import qparams as exact
from tests.oracle.args import calculate_range
from tests.oracle.formats import FORMATS, INTEGER_BITS, power_of_two
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    array_of,
    assert_same,
    codes_of,
    dtype_of,
    none_or_dtype,
    oracle_args,
    scalar_of,
    scalars_of,
)
from tests.reference.oracle_inputs import (
    DETERMINISTIC,
    SEEDS,
    any_code,
    any_sign,
    drawn,
    midpoint,
    moved,
    near,
)

SCALE_DTYPES = [None, *WORKING, "float8_e4m3fn", "float8_e5m2", "uint8"]
ZP_DTYPES = [None, "int8", "uint8", "float8_e4m3fn", "float8_e5m2", *WORKING]
LINEAR = [("int", bits) for bits in range(1, 9)] + [("float", bits) for bits in (4, 6, 8)]
PAIRS = [
    ("float8_e4m3fn", "float4_e2m1fn"),
    ("float8_e4m3fn", "float6_e2m3fn"),
    ("float8_e5m2", "float4_e2m1fn"),
]


def mx_args(num_bits: int) -> QuantizationArgs:
    """MX args of a width."""
    return QuantizationArgs(
        num_bits=num_bits, type="float", group_size=32, scale_dtype=dtype_of("uint8")
    )


@st.composite
def linear_args(draw: st.DrawFn, kind: str, num_bits: int) -> QuantizationArgs:
    """Args that are not MX, with any scale and zero-point dtype."""
    symmetric = (kind == "float" and num_bits < 8) or draw(st.booleans())
    grouped = kind == "float" and num_bits == 4 and draw(st.booleans())
    return QuantizationArgs(
        num_bits=num_bits,
        type=kind,
        symmetric=symmetric,
        strategy="tensor_group" if grouped else None,
        group_size=16 if grouped else None,
        scale_dtype=none_or_dtype(draw(st.sampled_from(SCALE_DTYPES))),
        zp_dtype=none_or_dtype(draw(st.sampled_from(ZP_DTYPES))),
    )


def tie_code(name: str, args: QuantizationArgs, rng: Random) -> int:
    """A range whose scale is within 2 ulp of a tie of its rounding; its code in a dtype."""
    fmt, own = FORMATS[name], oracle_args(args)
    if args.is_mx:
        mantissa = 3 if args.num_bits == 6 else 1
        threshold = (1 << fmt.mantissa_bits) - (1 << (fmt.mantissa_bits - mantissa - 1))
        field = rng.randrange(1 << fmt.exponent_bits) << fmt.mantissa_bits
        return moved(fmt, field + threshold, rng.randint(-2, 2))
    if own.resolved_scale_dtype in INTEGER_BITS:
        tie = Fraction(rng.randint(0, 512), 2)
    else:
        row = FORMATS[own.resolved_scale_dtype or name]
        tie = midpoint(row, rng.randint(0, row.largest_code))
    low, high = calculate_range(own)
    width = high.value - low.value
    return near(fmt, tie * (width / 2 if args.symmetric else width), rng)


def ranges(name: str, args: QuantizationArgs, rng: Random) -> tuple[Array, Array]:
    """20 minima and maxima: a tie on one side, a zero or anything on the other."""
    fmt = FORMATS[name]
    low, high = [], []
    for _ in range(20):
        tie = tie_code(name, args, rng) if rng.random() < 0.7 else any_code(name, rng)
        other = any_sign(fmt, rng) if rng.random() < 0.4 else any_code(name, rng)
        pair = rng.choice([(other, tie), (tie | fmt.sign_bit, other), (tie | fmt.sign_bit, tie)])
        low.append(pair[0])
        high.append(pair[1])
    return array_of(low, name, (4, 5)), array_of(high, name, (4, 5))


def check(
    min_vals: Array, max_vals: Array, args: QuantizationArgs, global_scale: Array | None = None
) -> None:
    """Scale and zero-point equal the oracle's, and the inputs stay as they were."""
    before = codes_of(min_vals), codes_of(max_vals)
    scale, zero_point = calculate_qparams(min_vals, max_vals, args, global_scale)
    own = oracle_args(args)
    whole = None if global_scale is None else scalars_of(global_scale)[0]
    expected = [
        exact.calculate_qparams(lo, hi, own, whole)
        for lo, hi in zip(scalars_of(min_vals), scalars_of(max_vals), strict=True)
    ]
    inputs = [min_vals, max_vals, *([] if global_scale is None else [global_scale])]
    assert_same(scale, [s for s, _ in expected], *inputs, shape=min_vals.shape)
    assert_same(zero_point, [zp for _, zp in expected], *inputs, shape=min_vals.shape)
    assert (codes_of(min_vals), codes_of(max_vals)) == before


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("kind", "num_bits"), LINEAR)
@settings(DETERMINISTIC, max_examples=20)
@given(data=st.data(), seed=SEEDS)
def test_linear_qparams(
    kind: str, num_bits: int, name: str, data: st.DataObject, seed: int
) -> None:
    """A range near a tie of scale_dtype, an edge or a special gives the oracle's qparams."""
    args = data.draw(linear_args(kind, num_bits))
    check(*ranges(name, args, Random(seed)), args)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("num_bits", [4, 6, 8])
@settings(DETERMINISTIC, max_examples=25)
@given(seed=SEEDS)
def test_mx_qparams(num_bits: int, name: str, seed: int) -> None:
    """A range near the threshold of a power of two gives the oracle's MX scale."""
    args = mx_args(num_bits)
    check(*ranges(name, args, Random(seed)), args)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("whole", WORKING)
@settings(DETERMINISTIC, max_examples=15)
@given(data=st.data(), seed=SEEDS)
def test_qparams_with_a_global_scale(whole: str, name: str, data: st.DataObject, seed: int) -> None:
    """A global scale multiplies in the promoted dtype, before the scale is rounded."""
    rng = Random(seed)
    args = data.draw(linear_args(*rng.choice([("float", 4), ("float", 8), ("int", 8)])))
    global_scale = drawn(any_code, whole, (1,), rng)
    check(*ranges(name, args, rng), args, global_scale)


@pytest.mark.parametrize("low", WORKING)
@pytest.mark.parametrize("high", WORKING)
@settings(DETERMINISTIC, max_examples=6)
@given(data=st.data(), seed=SEEDS)
def test_qparams_of_two_dtypes(low: str, high: str, data: st.DataObject, seed: int) -> None:
    """Minima and maxima of different dtypes are first promoted."""
    rng = Random(seed)
    args = data.draw(linear_args(*rng.choice(LINEAR)))
    check(drawn(any_code, low, (12,), rng), drawn(any_code, high, (12,), rng), args)


@pytest.mark.parametrize("name", WORKING)
@settings(DETERMINISTIC, max_examples=20)
@given(pair=st.sampled_from(PAIRS), seed=SEEDS)
def test_global_scale_of_a_range(name: str, pair: tuple[str, str], seed: int) -> None:
    """The global scale is the oracle's, for any range and any two formats."""
    rng = Random(seed)
    scale_data, quant_data = (REFERENCE_FORMATS[row] for row in pair)
    assert isinstance(scale_data, FloatFormat)
    assert isinstance(quant_data, FloatFormat)
    for _ in range(10):
        low, high = drawn(any_code, name, (1,), rng), drawn(any_code, name, (1,), rng)
        expected = exact.generate_gparam(
            scalars_of(low)[0], scalars_of(high)[0], *(FORMATS[row] for row in pair)
        )
        actual = generate_gparam(low, high, scale_data=scale_data, quant_data=quant_data)
        assert_same(actual, [expected], low, high, shape=(1,))


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("num_bits", "mantissa", "offset"), [(4, 1, 2), (6, 3, 2), (8, 1, 8)])
def test_mx_code_is_the_exponent_of_amax(
    num_bits: int, mantissa: int, offset: int, name: str
) -> None:
    """Normal amax has the exponent e, one more from 2^e * (2 - 2^-(m+1)) on, minus an offset."""
    fmt, rng = FORMATS[name], Random(name)
    for field in rng.sample(range(1, (1 << fmt.exponent_bits) - 1), 24):
        power = power_of_two(field - fmt.bias)
        threshold = power * (2 - power_of_two(-mantissa - 1))
        first = field << fmt.mantissa_bits
        for code in {first, near(fmt, threshold, rng), near(fmt, threshold, rng), first + 1}:
            amax = scalar_of(code, name)
            if not power <= amax.number.magnitude < 2 * power or amax.number.is_inf:
                continue
            exponent = field - fmt.bias + (amax.number.magnitude >= threshold)
            assert mx.mx_code(amax, num_bits) == min(max(127 + exponent - offset, 0), 254)


@pytest.mark.parametrize("name", ["bfloat16", "float32", "float64"])
def test_stored_codes_come_back(name: str) -> None:
    """A scale of each code is stored as that code."""
    for code in range(256):
        assert mx.stored_code(mx.scale_of_code(code, name).number) == code
