"""Scales, zero-points and global scales against the exact oracle."""

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import FORMATS as REFERENCE_FORMATS
from qparity.reference import FloatFormat, QuantizationArgs, calculate_qparams, generate_gparam
from tests.oracle import qparams as exact
from tests.oracle.args import calculate_range
from tests.oracle.formats import FORMATS, INTEGER_BITS
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    array_of,
    assert_same,
    codes_of,
    oracle_args,
    scalars_of,
)
from tests.reference.oracle_strategies import code_near, codes_near_anything, midpoint, moved

SCALE_DTYPES = [None, *WORKING, "float8_e4m3fn", "float8_e5m2", "uint8"]
ZP_DTYPES = ["int8", "uint8", "float8_e4m3fn", "float8_e5m2", *WORKING]
LINEAR = [("int", bits) for bits in range(1, 9)] + [("float", bits) for bits in (4, 6, 8)]


@dataclass(frozen=True)
class Ranges:
    """Minima and maxima, of which the asymmetric range or the amax seeks the ties."""

    min_vals: Array
    max_vals: Array


def half_width(args: QuantizationArgs) -> Fraction:
    """Half the range of the codes: amax of a scale of 1."""
    low, high = calculate_range(oracle_args(args))
    return (high.value - low.value) / 2


def amax_codes(name: str, args: QuantizationArgs) -> st.SearchStrategy[int]:
    """Codes of a dtype whose scale is within 2 ulp of half-way between two of scale_dtype."""
    fmt, ulps = FORMATS[name], st.integers(-2, 2)
    scale_dtype = oracle_args(args).resolved_scale_dtype
    if args.is_mx:
        mantissa = 3 if args.num_bits == 6 else 1
        threshold = (1 << fmt.mantissa_bits) - (1 << (fmt.mantissa_bits - mantissa - 1))
        fields = st.integers(0, (1 << fmt.exponent_bits) - 1)
        return st.builds(
            lambda field, n: moved(fmt, (field << fmt.mantissa_bits) + threshold, n), fields, ulps
        )
    if scale_dtype in INTEGER_BITS:
        ties = st.integers(0, 512).map(lambda n: Fraction(n, 2))
    else:
        row = FORMATS[scale_dtype or name]
        ties = st.integers(0, row.largest_code).map(lambda code: midpoint(row, code))
    width = half_width(args) * (1 if args.symmetric else 2)
    return st.builds(lambda tie, n: moved(fmt, code_near(fmt, tie * width), n), ties, ulps)


@st.composite
def ranges(draw: st.DrawFn, name: str, args: QuantizationArgs) -> Ranges:
    """Up to 12 ranges of a dtype: ties on one side, anything on the other, zeros on both."""
    sign = FORMATS[name].sign_bit
    pairs = []
    for _ in range(draw(st.integers(1, 12))):
        tie = draw(st.one_of(amax_codes(name, args), codes_near_anything(name)))
        other = draw(st.one_of(st.sampled_from([0, sign]), codes_near_anything(name)))
        pairs.append(draw(st.sampled_from([(other, tie), (tie | sign, other), (tie | sign, tie)])))
    low, high = zip(*pairs, strict=True)
    return Ranges(array_of(low, name), array_of(high, name))


@st.composite
def linear_args(draw: st.DrawFn, kind: str, num_bits: int) -> QuantizationArgs:
    """Args that are not MX, with any scale and zero-point dtype."""
    symmetric = draw(st.booleans()) or (kind == "float" and num_bits < 8)
    grouped = kind == "float" and num_bits == 4 and draw(st.booleans())
    return QuantizationArgs(
        num_bits=num_bits,
        type=kind,
        symmetric=symmetric,
        strategy="tensor_group" if grouped else None,
        group_size=16 if grouped else None,
        scale_dtype=draw(st.sampled_from(SCALE_DTYPES)),
        zp_dtype=draw(st.sampled_from([None, *ZP_DTYPES])),
    )


def check(found: Ranges, args: QuantizationArgs, global_scale: Array | None = None) -> None:
    """Scale and zero-point equal the oracle's, and the inputs stay as they were."""
    before = codes_of(found.min_vals), codes_of(found.max_vals)
    scale, zero_point = calculate_qparams(found.min_vals, found.max_vals, args, global_scale)
    own = oracle_args(args)
    whole = None if global_scale is None else scalars_of(global_scale)[0]
    expected = [
        exact.calculate_qparams(lo, hi, own, whole)
        for lo, hi in zip(scalars_of(found.min_vals), scalars_of(found.max_vals), strict=True)
    ]
    inputs = [found.min_vals, found.max_vals]
    inputs += [] if global_scale is None else [global_scale]
    shape = found.min_vals.shape
    assert_same(scale, [s for s, _ in expected], *inputs, shape=shape)
    assert_same(zero_point, [zp for _, zp in expected], *inputs, shape=shape)
    assert (codes_of(found.min_vals), codes_of(found.max_vals)) == before


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("kind", "num_bits"), LINEAR)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_linear_qparams(kind: str, num_bits: int, name: str, data: st.DataObject) -> None:
    """A range near a tie of scale_dtype, an edge or a special gives the oracle's qparams."""
    args = data.draw(linear_args(kind, num_bits))
    check(data.draw(ranges(name, args)), args)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("num_bits", [4, 6, 8])
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_mx_qparams(num_bits: int, name: str, data: st.DataObject) -> None:
    """A range near the threshold of a power of two gives the oracle's MX scale."""
    args = QuantizationArgs(num_bits=num_bits, type="float", group_size=32, scale_dtype="uint8")
    check(data.draw(ranges(name, args)), args)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("whole", WORKING)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_qparams_with_a_global_scale(whole: str, name: str, data: st.DataObject) -> None:
    """A global scale multiplies in the promoted dtype, before the scale is rounded."""
    kind, num_bits = data.draw(st.sampled_from([("float", 4), ("float", 8), ("int", 8)]))
    args = data.draw(linear_args(kind, num_bits))
    global_scale = array_of([data.draw(codes_near_anything(whole))], whole)
    check(data.draw(ranges(name, args)), args, global_scale)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_qparams_of_two_dtypes(data: st.DataObject) -> None:
    """Minima and maxima of different dtypes are first promoted."""
    kind, num_bits = data.draw(st.sampled_from(LINEAR))
    args = data.draw(linear_args(kind, num_bits))
    low, high = (
        array_of([data.draw(codes_near_anything(name)) for _ in range(6)], name)
        for name in data.draw(st.permutations(WORKING))[:2]
    )
    check(Ranges(low, high), args)


@pytest.mark.parametrize("name", WORKING)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_global_scale_of_a_range(name: str, data: st.DataObject) -> None:
    """The global scale is the oracle's, for any range and any two formats."""
    low, high = (array_of([data.draw(codes_near_anything(name))], name) for _ in range(2))
    scale_data, quant_data = data.draw(
        st.sampled_from(
            [
                ("float8_e4m3fn", "float4_e2m1fn"),
                ("float8_e4m3fn", "float6_e2m3fn"),
                ("float8_e5m2", "float4_e2m1fn"),
            ]
        )
    )
    rows = {"scale_data": scale_data, "quant_data": quant_data}
    formats: dict[str, FloatFormat] = {}
    for field, row_name in rows.items():
        row = REFERENCE_FORMATS[row_name]
        assert isinstance(row, FloatFormat)
        formats[field] = row
    expected = exact.generate_gparam(
        scalars_of(low)[0], scalars_of(high)[0], FORMATS[scale_data], FORMATS[quant_data]
    )
    assert_same(generate_gparam(low, high, **formats), [expected], low, high, shape=(1,))
