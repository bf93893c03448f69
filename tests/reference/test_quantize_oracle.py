"""quantize, dequantize and fake_quantize against the exact oracle, element by element."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import QuantizationArgs, dequantize, fake_quantize, quantize
from tests.oracle import quantize as exact
from tests.oracle.args import Args, calculate_range
from tests.oracle.formats import FORMATS, INTEGER_BITS, magnitude
from tests.oracle.layout import Index, position
from tests.oracle.rounding import Scalar
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    array_of,
    assert_same,
    codes_of,
    dtype_of,
    oracle_args,
    scalar_of,
    scalars_of,
)
from tests.reference.oracle_strategies import (
    code_near,
    codes_near_anything,
    midpoint,
    moved,
    ordinary_codes,
)

TYPES = [("int", bits) for bits in (1, 2, 3, 4, 8)] + [("float", bits) for bits in (4, 6, 8)]
ZP_DTYPES = [None, "int8", "uint8", "float8_e4m3fn", "float8_e5m2", *WORKING]
GROUPS = ("group", "tensor_group")
LAYOUTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, object]]] = {
    "tensor": ((3, 5), (1,), {}),
    "tensor of one axis": ((7,), (1,), {}),
    "channel": ((3, 5), (3, 1), {}),
    "token": ((2, 3, 4), (2, 3, 1), {"dynamic": True}),
    "attn_head": ((2, 3, 2, 2), (3, 1, 1), {}),
    "block": ((5, 7), (3, 3), {"block_structure": (2, 3)}),
    "group": ((3, 6), (3, 3), {"group_size": 2}),
    "group of one axis": ((6,), (3,), {"group_size": 2}),
    "group by rows": ((3, 6), (3,), {"group_size": 2}),
    "group of three axes": ((2, 2, 4), (2, 2, 2), {"group_size": 2}),
    "tensor_group": ((2, 8), (2, 2), {"group_size": 4}),
}


@dataclass(frozen=True)
class Case:
    """The arrays of one call, and the scale that each element uses."""

    args: QuantizationArgs
    x: Array
    scale: Array
    zero_point: Array | None
    global_scale: Array | None
    layout: str

    def positions(self) -> Iterator[Index]:
        """For each element in order, the index of its scale."""
        for index in product(*map(range, self.x.shape)):
            if self.layout == "group by rows":
                yield index[:1]
            else:
                yield position(oracle_args(self.args), self.x.shape, index)

    def arrays(self) -> tuple[Array, ...]:
        """The inputs, element by element, for a report of what differs."""
        where = list(self.positions())
        found: list[Array] = [self.x, np.array([self.scale[at] for at in where])]
        if self.zero_point is not None:
            found.append(np.array([self.zero_point[at] for at in where]))
        if self.global_scale is not None:
            found.append(self.global_scale)
        return tuple(found)

    def expected(self, one: Callable[..., Scalar], **options: str | None) -> list[Scalar]:
        """What a function of the oracle gives for each element."""
        own = oracle_args(self.args)
        whole = None if self.global_scale is None else scalars_of(self.global_scale)[0]
        return [
            one(
                x,
                at(self.scale, where),
                at(self.zero_point, where),
                own,
                global_scale=whole,
                **options,
            )
            for x, where in zip(scalars_of(self.x), self.positions(), strict=True)
        ]


def at(array: Array | None, where: Index) -> Scalar | None:
    """One element of an array."""
    return None if array is None else scalars_of(array[where].reshape(1))[0]


def boundaries(own: Args) -> st.SearchStrategy[Fraction]:
    """Scaled values at which the code changes, or that are a code, a little beyond the range too."""
    if own.type == "int":
        low, high = (int(end.value) for end in calculate_range(own))
        return st.integers(2 * low - 4, 2 * high + 4).map(lambda half: Fraction(half, 2))
    codes = st.integers(0, own.format.largest_code)
    unsigned = st.one_of(
        codes.map(lambda code: midpoint(own.format, code)),
        codes.map(lambda code: magnitude(own.format, code)),
    )
    return st.builds(lambda value, sign: sign * value, unsigned, st.sampled_from([1, -1]))


def scale_codes(name: str) -> st.SearchStrategy[int]:
    """Codes of scales: of ordinary size in most draws, else anything."""
    positive = ordinary_codes(name).map(lambda code: code % FORMATS[name].sign_bit)
    return st.one_of(positive, positive, positive, codes_near_anything(name))


def zero_point_codes(name: str) -> st.SearchStrategy[int]:
    """Codes of zero-points of a dtype; small integers in the wide dtypes."""
    if name in INTEGER_BITS or FORMATS[name].bits == 8:
        return st.integers(0, 255)
    whole = st.integers(-128, 128).map(lambda n: code_near(FORMATS[name], Fraction(n)))
    return st.one_of(whole, whole, codes_near_anything(name))


@st.composite
def cases(draw: st.DrawFn, kind: str, num_bits: int, layout: str, codes: bool = False) -> Case:
    """A call of a layout: x within 2 ulp of (k + 1/2 - zp) * s, or anything; any dtypes.

    With `codes`, x holds codes, in any dtype that may hold them.
    """
    shape, scale_shape, fields = LAYOUTS[layout]
    strategy = layout.split()[0]
    args = QuantizationArgs(num_bits=num_bits, type=kind, strategy=strategy, **fields)  # type: ignore[arg-type]
    names = draw(st.tuples(*[st.sampled_from(WORKING)] * 3))
    if draw(st.booleans()):
        names = (names[0],) * 3
    scale = draw_array(draw, scale_codes(names[1]), names[1], scale_shape)
    whole = draw(st.sampled_from([None, None, names[2]]))
    global_scale = None if whole is None else draw_array(draw, scale_codes(whole), whole, (1,))
    zp_name = draw(st.sampled_from(ZP_DTYPES))
    zero_point = (
        None
        if zp_name is None
        else draw_array(draw, zero_point_codes(zp_name), zp_name, scale_shape)
    )
    empty = Case(args, np.zeros(shape), scale, zero_point, global_scale, layout)
    x_name = names[0]
    if codes:
        x_name = draw(st.sampled_from([names[0], "int8" if kind == "int" else "float8_e4m3fn"]))
        drawn = [draw(code_strategy(args, x_name)) for _ in empty.positions()]
    else:
        drawn = [draw(x_codes(empty, where, x_name)) for where in empty.positions()]
    x = array_of(drawn, x_name, shape)
    return Case(args, x, scale, zero_point, global_scale, layout)


def draw_array(
    draw: st.DrawFn, codes: st.SearchStrategy[int], name: str, shape: Sequence[int]
) -> Array:
    """An array of drawn codes."""
    size = int(np.prod(shape))
    return array_of(draw(st.lists(codes, min_size=size, max_size=size)), name, shape)


def x_codes(case: Case, where: Index, name: str) -> st.SearchStrategy[int]:
    """Codes of x within 2 ulp of a boundary of the code, or anything."""
    fmt, ulps = FORMATS[name], st.integers(-2, 2)
    scale, zero_point = at(case.scale, where), at(case.zero_point, where)
    assert scale is not None
    parts = [scale, *([] if zero_point is None else [zero_point])]
    if case.global_scale is not None:
        parts += scalars_of(case.global_scale)
    if any(part.number.kind != "finite" for part in parts):
        return codes_near_anything(name)
    offset = Fraction(0) if zero_point is None else zero_point.number.value
    size = scale.number.value
    if case.global_scale is not None:
        whole = scalars_of(case.global_scale)[0].number.value
        size = size / whole if whole else Fraction(0)
    ties = boundaries(oracle_args(case.args)).map(lambda k: code_near(fmt, (k - offset) * size))
    near = st.builds(lambda code, n: moved(fmt, code, n), ties, ulps)
    return st.one_of(near, near, near, codes_near_anything(name))


def code_strategy(args: QuantizationArgs, name: str) -> st.SearchStrategy[int]:
    """Codes of a dtype that hold codes of the args, or anything in float dtypes."""
    if name == "int8":
        return st.integers(0, 255)
    if FORMATS[name].bits == 8:
        return st.integers(0, 255)
    ties = boundaries(oracle_args(args)).map(lambda k: code_near(FORMATS[name], k))
    return st.one_of(ties, codes_near_anything(name))


def stored_dtypes(args: QuantizationArgs) -> list[str | None]:
    """Dtypes that codes are asked for in."""
    if args.type == "int":
        return [None, "int8", *WORKING]
    return [None, *WORKING, *(["float8_e4m3fn"] if args.num_bits == 8 else [])]


def assert_equal(actual: Array, expected: list[Scalar], case: Case) -> None:
    """The result is the oracle's, in the shape of x."""
    assert_same(actual, expected, *case.arrays(), shape=case.x.shape)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_quantize_and_fake_quantize(
    kind: str, num_bits: int, layout: str, data: st.DataObject
) -> None:
    """Each code, and each fake-quantized value, is the oracle's for its element and scale."""
    case = data.draw(cases(kind, num_bits, layout))
    before = [codes_of(array) for array in case.arrays()]
    dtype = data.draw(st.sampled_from(stored_dtypes(case.args)))
    compute = data.draw(st.sampled_from([None, "float32"]))
    options = {
        "global_scale": case.global_scale,
        "compute_dtype": None if compute is None else dtype_of(compute),
    }
    call = (case.x, case.scale, case.zero_point, case.args)
    codes = quantize(*call, dtype=None if dtype is None else dtype_of(dtype), **options)
    assert_equal(codes, case.expected(exact.quantize, dtype=dtype, compute_dtype=compute), case)
    values = fake_quantize(*call, **options)
    assert_equal(values, case.expected(exact.fake_quantize, compute_dtype=compute), case)
    assert [codes_of(array) for array in case.arrays()] == before


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@settings(max_examples=5, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_dequantize(kind: str, num_bits: int, layout: str, data: st.DataObject) -> None:
    """Each value of a code is the oracle's for its element and scale."""
    case = data.draw(cases(kind, num_bits, layout, codes=True))
    dtype = data.draw(st.sampled_from([None, *WORKING]))
    values = dequantize(
        case.x,
        case.scale,
        case.zero_point,
        case.args,
        dtype=None if dtype is None else dtype_of(dtype),
        global_scale=case.global_scale,
    )
    assert_equal(values, case.expected(exact.dequantize, dtype=dtype), case)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_columns_by_group_index(kind: str, num_bits: int, name: str, data: st.DataObject) -> None:
    """With g_idx column j uses the scale of group g_idx[j]; a negative entry means not given."""
    args = QuantizationArgs(num_bits=num_bits, type=kind, group_size=2)
    own = oracle_args(args)
    x = draw_array(data.draw, codes_near_anything(name), name, (2, 6))
    scale = draw_array(data.draw, scale_codes(name), name, (2, 3))
    g_idx = data.draw(
        st.lists(st.integers(-1 if data.draw(st.booleans()) else 0, 2), min_size=6, max_size=6)
    )
    groups = [j // 2 for j in range(6)] if min(g_idx) < 0 else g_idx
    each = [(i, groups[j]) for i in range(2) for j in range(6)]
    index = np.array(g_idx, dtype=np.int32)
    elements = list(zip(scalars_of(x), (at(scale, where) for where in each), strict=True))
    codes = quantize(x, scale, None, args, g_idx=index)
    values = fake_quantize(x, scale, None, args, g_idx=index)
    back = dequantize(codes, scale, None, args, g_idx=index)
    restored = [
        (code, at(scale, where)) for code, where in zip(scalars_of(codes), each, strict=True)
    ]
    assert_same(
        codes, [exact.quantize(v, s, None, own) for v, s in elements if s], x, shape=x.shape
    )
    assert_same(values, [exact.fake_quantize(v, s, None, own) for v, s in elements if s], x)
    assert_same(back, [exact.dequantize(v, s, None, own) for v, s in restored if s], codes)


@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@pytest.mark.parametrize("compute", [None, "float32"])
def test_every_boundary_of_a_scale_of_a_third(
    kind: str, num_bits: int, compute: str | None
) -> None:
    """Every (k + 1/2) * s and what is 2 ulp around falls to the oracle's code."""
    args = QuantizationArgs(num_bits=num_bits, type=kind)
    own = oracle_args(args)
    for name in WORKING:
        fmt = FORMATS[name]
        scale = code_near(fmt, Fraction(1, 3))
        size = scalar_of(scale, name).number.value
        if kind == "int":
            low, high = (int(end.value) for end in calculate_range(own))
            ties = [Fraction(2 * k + 1, 2) for k in range(low - 1, high + 1)]
        else:
            ties = [midpoint(own.format, code) for code in range(own.format.largest_code + 1)]
        near = {moved(fmt, code_near(fmt, tie * size), n) for tie in ties for n in range(-2, 3)}
        x = array_of(sorted(near), name)
        s = array_of([scale], name)
        dtype = None if compute is None else dtype_of(compute)
        codes = quantize(x, s, None, args, compute_dtype=dtype)
        one = scalars_of(s)[0]
        expected = [exact.quantize(v, one, None, own, compute_dtype=compute) for v in scalars_of(x)]
        assert_same(codes, expected, x, s)
