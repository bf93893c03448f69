"""Formats and scale rules of one's own against the exact oracle, which lists every value."""

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FLOAT8_E8M0FNU,
    FORMATS,
    FloatFormat,
    FormatArgs,
    IntFormat,
    QuantizationArgs,
    calculate_qparams,
    calculate_range,
    fake_quantize,
    generate_gparam,
    preset_name_to_scheme,
    quantize,
    round_to_quantized_type_args,
)
from tests.oracle import arithmetic, rows
from tests.oracle import quantize as exact_quantize
from tests.oracle import rounding as exact
from tests.oracle.args import Args
from tests.oracle.args import calculate_range as exact_range
from tests.oracle.formats import FORMATS as EXACT_FORMATS
from tests.oracle.formats import power_of_two
from tests.oracle.number import Number, exactly
from tests.oracle.rows import Row, magnitudes, midpoints, round_to_row
from tests.reference.oracle_bridge import (
    WORKING,
    Array,
    array_of,
    assert_same,
    oracle_args,
    row_of,
    scalars_of,
)
from tests.reference.oracle_cases import Case, scale_code
from tests.reference.oracle_inputs import (
    DETERMINISTIC,
    SEEDS,
    any_code,
    any_sign,
    drawn,
    near,
)
from tests.reference.test_qparams_oracle import check
from tests.reference.test_rounding_oracle import codes_around

Format = FloatFormat | IntFormat

E3M0 = FloatFormat(exponent_bits=3, mantissa_bits=0)
UE5M3 = FloatFormat(exponent_bits=5, mantissa_bits=3, has_nan=True, signed=False)
CODES: dict[str, Format] = {
    **{name: FORMATS[name] for name in ("int2", "int4", "int8", "float4_e2m1fn", "float6_e2m3fn")},
    **{name: FORMATS[name] for name in ("float6_e3m2fn", "float8_e4m3fn", "float8_e5m2")},
    "e3m0": E3M0,
    "e1m6": FloatFormat(exponent_bits=1, mantissa_bits=6),
    "e3m2 with NaN, cut at 20": FloatFormat(exponent_bits=3, mantissa_bits=2, max=20, has_nan=True),
    "e2m3 without subnormals": FloatFormat(exponent_bits=2, mantissa_bits=3, has_subnormals=False),
    "e4m3 of bias 11": FloatFormat(exponent_bits=4, mantissa_bits=3, bias=11),
}
UNSIGNED: dict[str, Format] = {
    "uint4": IntFormat(bits=4, signed=False),
    "uint8": IntFormat(bits=8, signed=False),
    "ue4m4": FloatFormat(exponent_bits=4, mantissa_bits=4, has_nan=True, signed=False),
    "ue1m7": FloatFormat(exponent_bits=1, mantissa_bits=7, signed=False),
    "ue3m2 without subnormals": FloatFormat(
        exponent_bits=3, mantissa_bits=2, signed=False, has_subnormals=False
    ),
}
SCALES: dict[str, Format] = {
    "e8m0": FLOAT8_E8M0FNU,
    "e8m0 of bias 133": replace(FLOAT8_E8M0FNU, name="", bias=133, max=2.0**121),
    "ue5m3": UE5M3,
    "e4m3": FLOAT8_E4M3FN,
    "e2m1": FLOAT4_E2M1FN,
    "ue4m4, no NaN": FloatFormat(exponent_bits=4, mantissa_bits=4, signed=False),
    "ue3m2 without subnormals": UNSIGNED["ue3m2 without subnormals"],
    "small": FloatFormat(exponent_bits=2, mantissa_bits=2, bias=20, signed=False),
    "large": FloatFormat(exponent_bits=2, mantissa_bits=2, bias=-12, signed=False),
    "uint6": IntFormat(bits=6, signed=False),
    "int4": IntFormat(bits=4),
}
RULES = ("nearest", "rceil", "floor", "ceil", "even")


def args_of(code: Format, **fields: object) -> FormatArgs:
    """Args of a format of codes; with a zero-point where it has no sign."""
    return FormatArgs(code_format=code, symmetric=code.min < 0, **fields)  # type: ignore[arg-type]


def boundaries(row: Row) -> list[Fraction]:
    """Every value and every midpoint of the magnitudes, and what is half-way below the least."""
    values = [value for value, _ in magnitudes(row)]
    return [*values, *midpoints(row), min(v for v in values if v) / 2]


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("code", [*CODES, *UNSIGNED])
def test_rounding_to_codes(code: str, name: str) -> None:
    """Each value and midpoint of a format, 2 ulp around too, rounds as the oracle says."""
    args = args_of({**CODES, **UNSIGNED}[code])
    own = oracle_args(args)
    assert own.row is not None
    # of many, each third, another third for each dtype
    every = boundaries(own.row)
    some = every if len(every) < 100 else [*every[WORKING.index(name) % 3 :: 3], every[-2]]
    x = array_of(codes_around(name, some), name)
    low, high = exact_range(own)
    q_min, q_max = calculate_range(args)
    assert (exactly(Fraction(q_min)), exactly(Fraction(q_max))) == (low, high)
    expected = [exact.round_to_quantized_type_args(v, own, low, high) for v in scalars_of(x)]
    actual = round_to_quantized_type_args(x, args, q_min, q_max)
    assert_same(actual, expected, x, shape=x.shape)


def tie(own: Args, rng: Random) -> Fraction:
    """A range at a value or midpoint of the scale's format, or at a power of two or beside it."""
    assert own.row is not None
    assert own.scale_row is not None
    if own.scale_rule in ("floor", "ceil", "even") and rng.random() < 0.6:
        bits = rng.choice([0, own.row.mantissa_bits + 1])
        return power_of_two(rng.randint(-24, 12)) * (2 - power_of_two(-bits))
    low, high = (end.value for end in exact_range(own))
    scale = rng.choice(boundaries(own.scale_row))
    return scale * (high - low) / (2 if own.symmetric else 1)


def ranges(name: str, args: FormatArgs, rng: Random) -> tuple[Array, Array]:
    """12 minima and maxima: a tie on one side, a zero or anything on the other."""
    fmt, own = EXACT_FORMATS[name], oracle_args(replace_dtype(args))
    low, high = [], []
    for _ in range(12):
        aimed = rng.random() < 0.8
        at = near(fmt, tie(own, rng), rng) if aimed else any_code(name, rng)
        other = any_sign(fmt, rng) if rng.random() < 0.4 else any_code(name, rng)
        pair = rng.choice([(other, at), (at | fmt.sign_bit, other), (at | fmt.sign_bit, at)])
        low.append(pair[0])
        high.append(pair[1])
    return array_of(low, name, (3, 4)), array_of(high, name, (3, 4))


def replace_dtype(args: FormatArgs) -> FormatArgs:
    """Args of another rule, so that the oracle sees the row of a scale that has a dtype, too."""
    return args if args.scale_dtype is None else replace(args, scale_rule="rceil")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scale", SCALES)
@settings(DETERMINISTIC, max_examples=4)
@given(name=st.sampled_from(WORKING), code=st.sampled_from(list(CODES)), seed=SEEDS)
def test_scales(scale: str, rule: str, name: str, code: str, seed: int) -> None:
    """A range near a value, a tie or a power of two gives the oracle's scale, by every rule."""
    fields = {"scale_format": SCALES[scale], "scale_rule": rule}
    args = args_of(CODES[code], **fields)
    check(*ranges(name, args, Random(seed)), args)


@pytest.mark.parametrize("code", [*CODES, *UNSIGNED])
@settings(DETERMINISTIC, max_examples=5)
@given(
    name=st.sampled_from(WORKING),
    scale=st.sampled_from([None, *SCALES]),
    rule=st.sampled_from(RULES[:2]),
    zp_dtype=st.sampled_from([None, "int8", "uint8", "float8_e5m2", "bfloat16"]),
    seed=SEEDS,
)
def test_zero_points(
    code: str, name: str, scale: str | None, rule: str, zp_dtype: str | None, seed: int
) -> None:
    """A range that is no scale's own gives the oracle's scale and zero-point."""
    row = {**CODES, **UNSIGNED}[code]
    if row.max - row.min > 65504:
        row = replace(FLOAT8_E4M3FN, name="", has_nan=False, max=None)
    fields: dict[str, Any] = {"code_format": row, "symmetric": False, "zp_dtype": zp_dtype}
    if scale is not None:
        fields |= {"scale_format": SCALES[scale], "scale_rule": rule}
    args = FormatArgs(**fields)
    rng = Random(seed)
    pair = [drawn(any_code, name, (12,), rng) for _ in range(2)]
    check(*(pair if scale is None else ranges(name, args, rng)), args)


@pytest.mark.parametrize("scale", SCALES)
@settings(DETERMINISTIC, max_examples=5)
@given(
    name=st.sampled_from(WORKING),
    code=st.sampled_from(list(CODES)),
    rule=st.sampled_from(RULES[:2]),
    whole=st.sampled_from(WORKING),
    seed=SEEDS,
)
def test_two_levels(scale: str, name: str, code: str, rule: str, whole: str, seed: int) -> None:
    """A global scale, negative ones too, multiplies before the rule rounds."""
    rng = Random(seed)
    args = args_of(
        CODES[code],
        scale_format=SCALES[scale],
        scale_rule=rule,
        strategy="tensor_group",
        group_size=16,
    )
    draw = any_code if rng.random() < 0.3 else scale_code
    check(*ranges(name, args, rng), args, drawn(draw, whole, (1,), rng))


def case_of(args: FormatArgs, name: str, scale_name: str, rng: Random) -> Case:
    """A tensor of two rows of two groups of three, at the boundaries of its own codes."""
    scale = drawn(scale_code, scale_name, (2, 2), rng)
    zero_point = None
    own = oracle_args(args)
    assert own.row is not None
    if not args.symmetric:
        whole = [v for v, _ in magnitudes(own.row) if v <= 100 and v.denominator == 1]
        values = [float(rng.choice(whole)) for _ in range(4)]
        zero_point = np.array(values).astype(args.zp_dtype).reshape(2, 2)
    where = tuple((i, j // 3) for i in range(2) for j in range(6))
    codes = []
    for at in where:
        size = scalars_of(scale[at].reshape(1))[0].number
        value = rng.choice(boundaries(own.row)) * rng.choice((1, -1))
        if size.kind == "finite" and rng.random() < 0.85:
            offset = Fraction(0) if zero_point is None else Fraction(float(zero_point[at]))
            codes.append(near(EXACT_FORMATS[name], (value - offset) * size.value, rng))
        else:
            codes.append(any_code(name, rng))
    return Case(args, array_of(codes, name, (2, 6)), scale, zero_point, None, where)


@pytest.mark.parametrize("code", [*CODES, *UNSIGNED])
@settings(DETERMINISTIC, max_examples=5)
@given(
    name=st.sampled_from(WORKING),
    scale=st.sampled_from(WORKING),
    compute=st.sampled_from([None, np.dtype("float32")]),
    seed=SEEDS,
)
def test_codes_and_values(
    code: str, name: str, scale: str, compute: np.dtype | None, seed: int
) -> None:
    """Each code and each value of a format of one's own is the oracle's."""
    args = args_of({**CODES, **UNSIGNED}[code], group_size=3)
    case = case_of(args, name, scale, Random(seed))
    call = (case.x, case.scale, case.zero_point, args)
    compute_name = None if compute is None else compute.name
    codes = quantize(*call, compute_dtype=compute)
    case.check(codes, exact_quantize.quantize, compute_dtype=compute_name)
    values = fake_quantize(*call, compute_dtype=compute)
    case.check(values, exact_quantize.fake_quantize, compute_dtype=compute_name)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(
    ("preset", "own"),
    [
        ("NVFP4A16", {"code_format": FLOAT4_E2M1FN, "scale_format": FLOAT8_E4M3FN}),
        ("W4A16", {"code_format": "int4", "scale_format": None}),
        ("MXFP4A16", {"scale_rule": "even", "code_format": FLOAT4_E2M1FN}),
        ("MXFP6A16", {"scale_rule": "even", "code_format": "float6_e2m3fn"}),
    ],
)
def test_a_preset_said_as_data_is_the_preset(preset: str, own: dict[str, Any], name: str) -> None:
    """Finite ranges give the preset's scales where its formats and rule are given as data."""
    plain = preset_name_to_scheme(preset).weights
    assert plain is not None
    fields = {"strategy": plain.strategy, "group_size": plain.group_size}
    mx = {"scale_format": FLOAT8_E8M0FNU} if plain.is_mx else {}
    args = FormatArgs(**fields, **mx, **own, zp_dtype=plain.zp_dtype)
    rng = Random(name)
    high = drawn(any_code, name, (400,), rng)
    least, most = (2.0**-14, 2.0**15) if name == "float16" else (2.0**-126, 2.0**127)
    numbers = [abs(float(value)) for value in high]
    kept = np.abs(high[[least <= value <= most for value in numbers]])
    whole = np.array([3.0], np.float32) if plain.strategy == "tensor_group" else None
    expected = calculate_qparams(-kept, kept, plain, whole)
    actual = calculate_qparams(-kept, kept, args, whole)
    assert_same(actual[0], scalars_of(expected[0]), kept)
    assert_same(actual[1], scalars_of(expected[1]), kept)


@pytest.mark.parametrize("scale", ["ue5m3", "uint6"])
def test_global_scale_of_other_formats(scale: str) -> None:
    """The global scale takes the largest local scale to the largest value of its format."""
    row = SCALES[scale]
    amax = np.array([3.0], np.float32)
    whole = generate_gparam(-amax, amax, scale_data=row, quant_data=FLOAT4_E2M1FN)
    reciprocal = arithmetic.divide_scalar(exactly(Fraction(row.max * 6)), scalars_of(amax)[0])
    assert_same(whole, [reciprocal], amax)


@pytest.mark.parametrize("scale", SCALES)
def test_the_oracle_rounds_to_the_nearest_of_all(scale: str) -> None:
    """The oracle's rounding is of least distance; down is not above it, nor up below."""
    row, rng = row_of(SCALES[scale]), Random(scale)
    values = [value for value, _ in magnitudes(row)]
    every = boundaries(row)
    for at in [*rng.sample(every, min(len(every), 60)), *every[-3:]]:
        value = exactly(at * (1 + rng.randint(-1, 1) * Fraction(1, 2**60)))
        found = round_to_row(row, value).magnitude
        inside = min(max(value.magnitude, values[0]), values[-1])
        assert abs(found - inside) == min(abs(inside - other) for other in values)
        down, up = (round_to_row(row, value, way).magnitude for way in (rows.DOWN, rows.UP))
        assert down <= inside <= up
        assert down == up or values.index(up) == values.index(down) + 1


def round_ties_up(row: Row, x: Number, direction: str = "nearest") -> Number:
    """Rounding in which every tie goes away from zero."""
    nearest, up = round_to_row(row, x, direction), round_to_row(row, x, "up")
    tied = abs(up.magnitude - x.magnitude) == abs(nearest.magnitude - x.magnitude)
    return up if tied and x.kind == "finite" else nearest


@pytest.mark.parametrize("code", ["e3m0", "float8_e5m2", "uint4"])
def test_a_wrong_tie_is_seen(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with the oracle fails once every tie goes up; between powers of two all do."""
    monkeypatch.setattr(exact, "round_to_row", round_ties_up)
    with pytest.raises(AssertionError, match="differ"):
        test_rounding_to_codes(code, "float32")


def test_plain_args_know_their_formats() -> None:
    """Plain args say as rows what they round the codes and the scale to, and by which rule."""
    plain = QuantizationArgs()
    assert (plain.code_format.name, plain.scale_format, plain.scale_rule) == (
        "int8",
        None,
        "nearest",
    )
    nvfp4, mxfp4 = (preset_name_to_scheme(name).weights for name in ("NVFP4", "MXFP4"))
    assert nvfp4 is not None
    assert mxfp4 is not None
    assert (nvfp4.scale_format, nvfp4.scale_rule) == (FLOAT8_E4M3FN, "nearest")
    assert (mxfp4.scale_format, mxfp4.scale_rule) == (FLOAT8_E8M0FNU, "mx")
    by_integers = replace(plain, scale_dtype="uint8")  # type: ignore[arg-type]
    assert by_integers.scale_format == IntFormat(bits=8, signed=False)
