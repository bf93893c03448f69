"""Calls of quantize, dequantize and fake_quantize that seek ties, and how they are judged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from qparity.reference import QuantizationArgs
from tests.oracle.args import Args, calculate_range
from tests.oracle.formats import FORMATS, INTEGER_BITS, magnitude
from tests.oracle.layout import Index, position
from tests.oracle.rounding import Scalar
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    array_of,
    assert_same,
    oracle_args,
    scalars_of,
)
from tests.reference.oracle_inputs import (
    SEEDS,
    any_code,
    code_near,
    drawn,
    midpoint,
    near,
    ordinary_code,
)

TYPES = [("int", bits) for bits in (1, 2, 3, 4, 8)] + [("float", bits) for bits in (4, 6, 8)]
ZP_DTYPES = [None, "int8", "uint8", "float8_e4m3fn", "float8_e5m2", *WORKING]
LAYOUTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
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
class Setting:
    """What Hypothesis chooses of a call: args, layout, dtypes, and a seed for the codes."""

    args: QuantizationArgs
    layout: str
    dtype: str
    scale_dtype: str
    zero_point_dtype: str | None
    global_scale_dtype: str | None
    seed: int


@dataclass(frozen=True)
class Case:
    """The arrays of one call, and where each element finds its scale."""

    args: QuantizationArgs
    x: Array
    scale: Array
    zero_point: Array | None
    global_scale: Array | None
    where: tuple[Index, ...]

    def inputs(self) -> list[Array]:
        """The inputs, element by element, for a report of what differs."""
        found: list[Array] = [self.x, np.array([self.scale[at] for at in self.where])]
        if self.zero_point is not None:
            found.append(np.array([self.zero_point[at] for at in self.where]))
        return found if self.global_scale is None else [*found, self.global_scale]

    def check(self, actual: Array, one: Callable[..., Scalar], **options: str | None) -> None:
        """The result is what a function of the oracle gives for each element, in x's shape."""
        own = oracle_args(self.args)
        whole = element(self.global_scale, (0,))
        expected = [
            one(
                x,
                element(self.scale, at),
                element(self.zero_point, at),
                own,
                global_scale=whole,
                **options,
            )
            for x, at in zip(scalars_of(self.x), self.where, strict=True)
        ]
        assert_same(actual, expected, *self.inputs(), shape=self.x.shape)


def element(array: Array | None, at: Index) -> Scalar | None:
    """One element of an array."""
    return None if array is None else scalars_of(array[at].reshape(1))[0]


@st.composite
def chosen(draw: st.DrawFn, kind: str, num_bits: int, layout: str) -> Setting:
    """A call of a type and a layout; of one dtype in half of the draws."""
    args = QuantizationArgs(
        num_bits=num_bits, type=kind, strategy=layout.split()[0], **LAYOUTS[layout][2]
    )
    names = draw(st.tuples(*[st.sampled_from(WORKING)] * 3))
    if draw(st.booleans()):
        names = (names[0],) * 3
    zero_point = draw(st.sampled_from(ZP_DTYPES))
    whole = draw(st.sampled_from([None, names[2]]))
    return Setting(args, layout, names[0], names[1], zero_point, whole, draw(SEEDS))


def positions(layout: str, args: QuantizationArgs) -> Iterator[Index]:
    """For each element in order, the index of its scale."""
    shape = LAYOUTS[layout][0]
    for index in product(*map(range, shape)):
        by_rows = layout == "group by rows"
        yield index[:1] if by_rows else position(oracle_args(args), shape, index)


def scale_code(name: str, rng: Random) -> int:
    """The code of a scale: of ordinary size in most draws, else anything."""
    return ordinary_code(name, rng) if rng.random() < 0.8 else any_code(name, rng)


def zero_point_code(name: str, rng: Random) -> int:
    """The code of a zero-point: a small integer in most draws of the wide dtypes."""
    if name in INTEGER_BITS or FORMATS[name].bits == 8:
        return rng.randrange(256)
    if rng.random() < 0.7:
        return code_near(FORMATS[name], Fraction(rng.randint(-128, 128)))
    return any_code(name, rng)


def boundary(own: Args, rng: Random) -> Fraction:
    """A scaled value at which the code changes, or a code, or a little beyond the range."""
    if own.type == "int":
        low, high = (int(end.value) for end in calculate_range(own))
        return Fraction(rng.randint(2 * low - 4, 2 * high + 4), 2)
    code = rng.randint(0, own.format.largest_code)
    value = midpoint(own.format, code) if rng.random() < 0.7 else magnitude(own.format, code)
    return rng.choice((value, -value))


def x_code(
    own: Args,
    name: str,
    scale: Scalar,
    zero_point: Scalar | None,
    whole: Scalar | None,
    rng: Random,
) -> int:
    """The code of x: within 2 ulp of (boundary - zp) * s in most draws, else anything."""
    parts = [part for part in (scale, zero_point, whole) if part is not None]
    finite = all(part.number.kind == "finite" for part in parts)
    if not finite or rng.random() < 0.2 or (whole is not None and whole.number.is_zero):
        return any_code(name, rng)
    offset = Fraction(0) if zero_point is None else zero_point.number.value
    size = scale.number.value / (Fraction(1) if whole is None else whole.number.value)
    return near(FORMATS[name], (boundary(own, rng) - offset) * size, rng)


def stored_code(own: Args, name: str, rng: Random) -> int:
    """The code of a code in a dtype: any byte of the narrow ones, near a code of the wide ones."""
    if name in INTEGER_BITS or FORMATS[name].bits == 8:
        return rng.randrange(256)
    near_code = rng.random() < 0.7
    return code_near(FORMATS[name], boundary(own, rng)) if near_code else any_code(name, rng)


def case_of(setting: Setting, stored_dtype: str | None = None) -> Case:
    """The arrays of a setting; with `stored_dtype`, x holds codes in that dtype."""
    shape, scale_shape, _ = LAYOUTS[setting.layout]
    own, rng = oracle_args(setting.args), Random(setting.seed)
    scale = drawn(scale_code, setting.scale_dtype, scale_shape, rng)
    zero_point = global_scale = None
    if setting.zero_point_dtype is not None:
        zero_point = drawn(zero_point_code, setting.zero_point_dtype, scale_shape, rng)
    if setting.global_scale_dtype is not None:
        global_scale = drawn(scale_code, setting.global_scale_dtype, (1,), rng)
    where = tuple(positions(setting.layout, setting.args))
    if stored_dtype is not None:
        codes = [stored_code(own, stored_dtype, rng) for _ in where]
    else:
        whole = element(global_scale, (0,))
        codes = [
            x_code(own, setting.dtype, s, element(zero_point, at), whole, rng)
            for at in where
            if (s := element(scale, at)) is not None
        ]
    x = array_of(codes, stored_dtype or setting.dtype, shape)
    return Case(setting.args, x, scale, zero_point, global_scale, where)
