"""Formats as rows of data, args that have them, and what is refused."""

import json
import pickle
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FLOAT8_E8M0FNU,
    FORMATS,
    SCALE_RULES,
    FloatFormat,
    FormatArgs,
    IntFormat,
    QuantizationArgs,
    QuantizationScheme,
    calculate_qparams,
    compress,
    decompress,
    infer_format,
    quantize,
    round_to_quantized_type_args,
)
from qparity.reference.format_args import NAMED_FORMATS

UE5M3 = FloatFormat(exponent_bits=5, mantissa_bits=3, has_nan=True, signed=False)
FLUSHED = FloatFormat(exponent_bits=2, mantissa_bits=3, has_subnormals=False)
UE3M3 = FloatFormat(exponent_bits=3, mantissa_bits=3, signed=False)
ONE = np.ones(1, np.float32)
SCHEMES = [
    FormatArgs(),
    FormatArgs(code_format="uint4", symmetric=False, group_size=32, zp_dtype="int8"),
    FormatArgs(code_format=FLUSHED, scale_dtype="bfloat16", group_size=128, dynamic=True),
    FormatArgs(code_format=FLOAT4_E2M1FN, scale_format=UE5M3, scale_rule="rceil", group_size=16),
    FormatArgs(code_format="float8_e5m2", scale_format="float8_e8m0fnu", scale_rule="floor"),
    FormatArgs(
        code_format="int8",
        scale_format=FLOAT8_E8M0FNU,
        scale_rule="ceil",
        strategy="block",
        block_structure="16x8",
        observer_kwargs={"averaging_constant": 0.5},
    ),
]

ROW_ERRORS: list[tuple[str, str, dict[str, Any]]] = [
    ("exponent_bits: 0", "1 to 11", {}),
    ("exponent_bits: 12", "1 to 11", {"exponent_bits": 12}),
    ("exponent_bits: True", "an int", {"exponent_bits": True}),
    ("mantissa_bits: 53", "0 to 52", {"mantissa_bits": 53}),
    ("bias: 2000", "-1100 to 1100", {"bias": 2000}),
    ("bias: -1100", "float64", {"bias": -1100}),
    ("bias: 1100", "float64", {"bias": 1100}),
    ("name: 5", "str", {"name": 5}),
    ("signed: 1", "bool", {"signed": 1}),
    ("max: 'x'", "float", {"max": "x"}),
    ("max: 5.5", "a normal value of the format up to 6.0", {"max": 5.5}),
    ("max: 7.0", "up to 6.0", {"max": 7.0}),
    ("max: nan", "up to 6.0", {"max": float("nan")}),
    ("max: 0.5", "a normal value", {"max": 0.5}),
    ("has_inf: True", "has_nan=True", {"has_inf": True}),
    ("has_inf: True", "mantissa_bits", {"has_inf": True, "has_nan": True, "mantissa_bits": 0}),
    ("has_zero: False", "signed=False", {"has_zero": False}),
    ("has_zero: False", "has_subnormals=False", {"has_zero": False, "signed": False}),
    (
        "exponent_bits: 1",
        "more bits",
        {"exponent_bits": 1, "mantissa_bits": 0, "has_nan": True},
    ),
]
ARGS_ERRORS: list[tuple[str, str, dict[str, Any]]] = [
    ("code_format: 'e2m1'", "float4_e2m1fn", {"code_format": "e2m1"}),
    ("code_format: 4", "a FloatFormat, an IntFormat", {"code_format": 4}),
    ("code_format: float16", "at most 8 bits", {"code_format": "float16"}),
    ("code_format: float8_e8m0fnu", "with a zero", {"code_format": FLOAT8_E8M0FNU}),
    (
        "code_format: float7_e5m1fn",
        "2^-24 to 65504",
        {"code_format": FloatFormat(exponent_bits=5, mantissa_bits=1)},
    ),
    (
        "code_format: float4_e2m1b30fn",
        "2^-24 to 65504",
        {"code_format": FloatFormat(exponent_bits=2, mantissa_bits=1, bias=30)},
    ),
    ("symmetric: True", "False", {"code_format": "uint4"}),
    ("symmetric: False", "True", {"code_format": "float8_e5m2", "symmetric": False}),
    ("scale_dtype: 'uint8'", "IntFormat", {"scale_dtype": "uint8"}),
    (
        "scale_format: float8_e4m3fn",
        "one of the two",
        {"scale_dtype": "float8_e5m2", "scale_format": FLOAT8_E4M3FN},
    ),
    ("scale_format: 8", "an IntFormat", {"scale_format": 8}),
    (
        "scale_format: float9_e8m0fn",
        "at most 8 bits",
        {"scale_format": FloatFormat(exponent_bits=8, mantissa_bits=0)},
    ),
    ("scale_format: int1, 1.0 to 0.0", "values of float32", {"scale_format": "int1"}),
    (
        "scale_format: float8_e8m0b200fnu",
        "2^-149",
        {"scale_format": replace(FLOAT8_E8M0FNU, name="", bias=200, max=None)},
    ),
    (
        "scale_format: float8_e8m0b100fnu",
        "2^127",
        {"scale_format": replace(FLOAT8_E8M0FNU, name="", bias=100, max=None)},
    ),
    ("scale_rule: 3", "str", {"scale_rule": 3}),
    ("scale_rule: 'round'", "rceil", {"scale_rule": "round"}),
    ("scale_rule: 'floor'", "'nearest'", {"scale_rule": "floor"}),
    ("scale_rule: 'rceil'", "at most 8 bits", {"scale_rule": "rceil", "scale_dtype": "bfloat16"}),
    (
        "scale_rule: 'even'",
        "'rceil'",
        {"scale_rule": "even", "scale_format": FLOAT8_E8M0FNU, "symmetric": False},
    ),
    (
        "scale_rule: 'floor'",
        "'rceil'",
        {
            "scale_rule": "floor",
            "scale_format": FLOAT8_E8M0FNU,
            "strategy": "tensor_group",
            "group_size": 16,
        },
    ),
    ("group_size: 0", "a positive int", {"group_size": 0}),
]


@pytest.mark.parametrize(("message", "allowed", "given"), ROW_ERRORS)
def test_a_format_that_cannot_be_is_refused(
    message: str, allowed: str, given: dict[str, Any]
) -> None:
    """An error names the field, its value, and what is allowed."""
    e2m1 = {} if not given and message.endswith(" 0") else {"exponent_bits": 2, "mantissa_bits": 1}
    with pytest.raises((ValueError, TypeError)) as error:
        FloatFormat(**e2m1 | given)
    assert str(error.value).startswith(message)
    assert allowed in str(error.value).split("allowed: ")[-1]


@pytest.mark.parametrize(("message", "allowed", "given"), ARGS_ERRORS)
def test_args_that_cannot_be_are_refused(message: str, allowed: str, given: dict[str, Any]) -> None:
    """An error names the field, its value, and what is allowed."""
    with pytest.raises((ValueError, TypeError)) as error:
        FormatArgs(**given)
    assert str(error.value).startswith(message)
    assert allowed in str(error.value).split("allowed: ")[-1]


@pytest.mark.parametrize("bits", [0, 9, True, 2.0])
def test_integers_have_1_to_8_bits(bits: Any) -> None:  # noqa: ANN401 - any input
    """Other widths of an integer are refused, and what is no integer."""
    with pytest.raises((ValueError, TypeError), match=r"^bits: .*allowed: (1 to 8|an int)"):
        IntFormat(bits=bits)


def test_a_format_is_filled_in() -> None:
    """What is not given follows from the fields, and named formats are made from theirs."""
    for name in ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e4m3fn", "float8_e5m2"):
        row = FORMATS[name]
        assert isinstance(row, FloatFormat)
        widths = {"exponent_bits": row.exponent_bits, "mantissa_bits": row.mantissa_bits}
        assert FloatFormat(**widths, has_inf=row.has_inf, has_nan=row.has_nan) == row  # type: ignore[arg-type]
    assert [IntFormat(bits=bits) == FORMATS[f"int{bits}"] for bits in range(1, 9)] == [True] * 8
    assert (UE5M3.min, UE5M3.smallest, UE5M3.dtype) == (0.0, 2.0**-17, np.dtype(np.uint8))
    assert (FLOAT8_E8M0FNU.min, FLOAT8_E8M0FNU.max) == (2.0**-127, 2.0**127)
    assert (FLUSHED.smallest, FLUSHED.min) == (1.0, -7.5)
    biased = FloatFormat(exponent_bits=4, mantissa_bits=3, bias=11)
    assert (biased.name, biased.max) == ("float8_e4m3b11fn", 30.0)
    assert FloatFormat(exponent_bits=2, mantissa_bits=1, max=4).max == 4.0
    impostor = replace(FLOAT8_E4M3FN, bias=3, max=None)  # type: ignore[arg-type]
    assert impostor.dtype == np.uint8


def test_every_float_of_at_most_8_bits_is_exported() -> None:
    """A named row of a small float has a constant of its name, FLOAT8_E5M2 too."""
    rows = [row for row in NAMED_FORMATS.values() if isinstance(row, FloatFormat) and row.bits <= 8]
    assert len(rows) == 6
    for row in rows:
        assert getattr(reference, row.name.upper()) is row
        assert row.name.upper() in reference.__all__


@pytest.mark.parametrize("field", ["code_format", "scale_format"])
def test_the_names_that_are_allowed_are(field: str) -> None:
    """A wrong name lists names that the field takes, and each that it takes."""
    with pytest.raises(ValueError, match="one of ") as error:
        FormatArgs(**{field: "e2m1"})
    listed = re.findall(r"'(\w+)'", str(error.value).split("one of ")[1])
    taken = []
    for name in NAMED_FORMATS:
        try:
            FormatArgs(**{field: name}, symmetric=not name.startswith("uint"))  # type: ignore[arg-type]
        except ValueError:
            continue
        taken.append(name)
    assert listed == taken
    assert ("float8_e8m0fnu" in listed) == (field == "scale_format")


UNLIKE = {
    "float8_e4m3fn_nonan": {"exponent_bits": 4, "mantissa_bits": 3},
    "float8_e4m3fn_max240": {"exponent_bits": 4, "mantissa_bits": 3, "has_nan": True, "max": 240},
    "float4_e2m1fn_nan": {"exponent_bits": 2, "mantissa_bits": 1, "has_nan": True},
    "float4_e2m1fn_nosub": {"exponent_bits": 2, "mantissa_bits": 1, "has_subnormals": False},
    "float6_e3m2fn_nan_nosub_max20": {
        "exponent_bits": 3,
        "mantissa_bits": 2,
        "has_nan": True,
        "has_subnormals": False,
        "max": 20,
    },
    "float8_e8m0fnu_zero": {"exponent_bits": 8, "has_nan": True, "signed": False},
    "float8_e8m0fnu_nonan": {
        "exponent_bits": 8,
        "signed": False,
        "has_zero": False,
        "has_subnormals": False,
        "bias": 127,
    },
    "float8_e4m4fnu": {"exponent_bits": 4, "mantissa_bits": 4, "signed": False},
}


@pytest.mark.parametrize("name", UNLIKE)
def test_a_name_that_is_made_is_no_other_formats(name: str) -> None:
    """A format that differs from a named one in any field is not called by its name."""
    row = FloatFormat(**UNLIKE[name])  # type: ignore[arg-type]
    assert row.name == name
    assert name not in NAMED_FORMATS
    assert replace(row, name="") == row


@pytest.mark.parametrize("args", SCHEMES, ids=repr)
def test_args_read_back(args: FormatArgs) -> None:
    """Args come back equal from JSON, from a pickle, from their repr, and within a scheme."""
    data = json.loads(json.dumps(args.to_dict()))
    assert "qparity" in data
    assert QuantizationArgs.from_dict(data) == args
    assert pickle.loads(pickle.dumps(args)) == args
    assert eval(repr(args)) == args
    scheme = QuantizationScheme(("Linear",), args)
    assert QuantizationScheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme
    short = {key: value for key, value in data.items() if key not in ("num_bits", "type")}
    assert QuantizationArgs.from_dict(short) == args
    assert hash(replace(args, group_size=args.group_size)) == hash(args)


def test_plain_args_have_no_new_field() -> None:
    """The fields, JSON and equality of plain args are those of upstream."""
    plain = QuantizationArgs(num_bits=4, type="float")
    assert len(fields(plain)) == len(plain.to_dict()) == 12
    assert plain != FormatArgs(code_format=FLOAT4_E2M1FN)


JSON_ERRORS: list[tuple[str, dict[str, Any]]] = [
    ("qparity: 1 is not allowed; allowed: an object", {"qparity": 1}),
    ("qparity: unknown key 'rule'", {"qparity": {"rule": "floor"}}),
    ("args: unknown key 'bits'; allowed: ['qparity', 'num_bits'", {"qparity": {}, "bits": 4}),
    ("num_bits: 4 is not allowed for int8; allowed: 8", {"qparity": {}, "num_bits": 4}),
    (
        "code_format: unknown key 'width'; allowed: ['name', 'bits', 'signed']",
        {"qparity": {"code_format": {"width": 4}}},
    ),
    (
        "scale_format: unknown key 'emax'; allowed: ['name', 'exponent_bits'",
        {"qparity": {"scale_format": {"exponent_bits": 4, "emax": 4}}},
    ),
    (
        "scale_format: exponent_bits: missing; allowed: 1 to 11",
        {"qparity": {"scale_format": {"mantissa_bits": 3, "signed": False}}},
    ),
    (
        "code_format: unknown key 'bits'; allowed: ['name', 'exponent_bits'",
        {"qparity": {"code_format": {"mantissa_bits": 3, "bits": 4}}},
    ),
]


@pytest.mark.parametrize(("message", "data"), JSON_ERRORS)
def test_json_that_is_none_is_refused(message: str, data: dict[str, Any]) -> None:
    """An error names the key and what is allowed."""
    with pytest.raises((ValueError, TypeError)) as error:
        QuantizationArgs.from_dict(data)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("call", [compress, decompress])
@pytest.mark.parametrize("format", [None, "pack-quantized"])
def test_no_checkpoint_holds_them(call: Callable[..., Any], format: str | None) -> None:
    """A weight of formats that upstream has no name for is neither compressed nor decompressed."""
    scheme = QuantizationScheme(("Linear",), SCHEMES[3])
    with pytest.raises(ValueError, match=r"^weights: float4_e2m1fn of FormatArgs is not allowed"):
        call({"weight": ONE}, scheme, format)
    with pytest.raises(ValueError, match="allowed: QuantizationArgs"):
        infer_format(scheme)
    assert call({"weight": ONE}, scheme, "dense") == {"weight": ONE}


def test_powers_of_two_have_no_global_scale() -> None:
    """A rule of exponents refuses a global scale, as MX does."""
    args = FormatArgs(scale_format=FLOAT8_E8M0FNU, scale_rule="floor")
    with pytest.raises(ValueError, match=r"^global_scale: not allowed for scale_rule 'floor'"):
        calculate_qparams(-ONE, ONE, args, ONE)


def test_codes_that_no_dtype_holds() -> None:
    """Codes come in a dtype that holds them all, and in no other."""
    with pytest.raises(ValueError, match=r"^dtype: 'uint8' is not a dtype for it"):
        quantize(ONE, ONE, None, FormatArgs(), dtype=np.dtype(np.uint8))
    for code, dtype in (("uint8", "int8"), ("uint4", "float8_e5m2"), (UE3M3, "float8_e5m2")):
        args = FormatArgs(code_format=code, symmetric=False)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=rf"^dtype: {dtype} cannot hold the codes of "):
            quantize(ONE, ONE, None, args, dtype=FORMATS.get(dtype, FORMATS["int8"]).dtype)
    ue3m3 = FormatArgs(code_format=UE3M3, symmetric=False)
    e4m3 = FORMATS["float8_e4m3fn"].dtype
    np.testing.assert_array_equal(quantize(1.2 * ONE, ONE, None, ue3m3, dtype=e4m3), 1.25 * ONE)
    e5m2 = FormatArgs(code_format="float8_e5m2")
    codes = quantize(1.2 * ONE, ONE, None, e5m2, dtype=e5m2.code_format.dtype)
    assert codes.view(np.uint8).tolist() == [0x3D]


def test_infinity_saturates_where_a_format_has_it() -> None:
    """Codes of a format with infinities are finite all the same, and NaN stays NaN."""
    x = np.array([np.inf, -np.inf, np.nan], np.float32)
    codes = round_to_quantized_type_args(
        x, FormatArgs(code_format="float8_e5m2"), -57344.0, 57344.0
    )
    np.testing.assert_array_equal(codes, np.array([57344.0, -57344.0, np.nan], np.float32))


def test_the_json_of_the_documentation() -> None:
    """The config in docs/own-formats.md reads as the args that it stands for."""
    text = (Path(__file__).parents[2] / "docs" / "own-formats.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    expected = FormatArgs(
        code_format=FLOAT4_E2M1FN, scale_format=UE5M3, scale_rule="rceil", group_size=16
    )
    assert QuantizationArgs.from_dict(json.loads(example)) == expected


# amax, then the scale that each rule gives fp4: nearest, rceil, floor, ceil, even
SCALES_BY_HAND: list[tuple[FloatFormat | IntFormat, float, tuple[float, ...]]] = [
    (FLOAT8_E8M0FNU, 6.0, (1.0, 1.0, 1.0, 2.0, 1.0)),
    (FLOAT8_E8M0FNU, 8.0, (1.0, 2.0, 2.0, 2.0, 2.0)),
    (FLOAT8_E8M0FNU, 7.0, (1.0, 2.0, 1.0, 2.0, 2.0)),
    (FLOAT8_E8M0FNU, 9.0, (2.0, 2.0, 2.0, 4.0, 2.0)),
    (FLOAT8_E8M0FNU, 0.0, (2.0**-127,) * 5),
    (FLOAT8_E8M0FNU, np.inf, (2.0**127,) * 5),
    (FLOAT8_E8M0FNU, np.nan, (np.nan,) * 5),
    (UE5M3, 6.0 * 1.0625, (1.0, 1.125, 1.5, 1.625, 1.5)),
    (UE5M3, 0.0, (0.125,) * 5),
    (FLOAT4_E2M1FN, 15.0, (2.0, 3.0, 3.0, 4.0, 4.0)),
    (FLOAT4_E2M1FN, np.nan, (0.5,) * 5),
    (IntFormat(bits=4, signed=False), 15.0, (2.0, 3.0, 3.0, 4.0, 4.0)),
    (IntFormat(bits=4), np.nan, (1.0,) * 5),
    (replace(FLUSHED, name="", signed=False), 3.1, (1.0, 1.0, 1.0, 1.0, 1.0)),
]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("row", "amax", "scales"), SCALES_BY_HAND)
def test_rules_by_hand(
    row: FloatFormat | IntFormat,
    amax: float,
    scales: tuple[float, ...],
    dtype: type[np.floating[Any]],
) -> None:
    """Each rule gives the scale that pencil and paper give; underflow in float16 gives 1."""
    for rule, expected in zip(SCALE_RULES, scales, strict=True):
        args = FormatArgs(code_format=FLOAT4_E2M1FN, scale_format=row, scale_rule=rule)
        hi = np.array([amax], dtype)
        scale, _ = calculate_qparams(-hi, hi, args)
        with np.errstate(all="ignore"):
            known = dtype(expected) if dtype(expected) != 0 else dtype(1)
        np.testing.assert_array_equal(scale, [known], strict=True)


def test_even_of_integers_by_hand() -> None:
    """255 lies between 254 and 256 of seven bits, and goes to the even one; 64 is 2^emax."""
    args = FormatArgs(scale_format=FLOAT8_E8M0FNU, scale_rule="even")
    amax = np.array([127, 254, 255, 256], np.float32)
    scale, _ = calculate_qparams(-amax, amax, args)
    assert scale.tolist() == [1.0, 2.0, 4.0, 4.0]


def test_codes_without_subnormals_by_hand() -> None:
    """Up to half the smallest normal there is zero, beyond it the smallest normal."""
    x = np.array([0.5, 0.501, -0.99, 1.06, 0.0, -0.1], np.float32)
    codes = round_to_quantized_type_args(x, FormatArgs(code_format=FLUSHED), -7.5, 7.5)
    assert codes.tolist() == [0.0, 1.0, -1.0, 1.0, 0.0, 0.0]
    assert np.signbit(codes).tolist() == [False, False, True, False, False, True]
    wide = FloatFormat(exponent_bits=1, mantissa_bits=7, signed=False)
    args = FormatArgs(code_format=wide, symmetric=False)
    codes = round_to_quantized_type_args(x, args, 0.0, wide.max)
    assert not np.signbit(codes).any()


def test_an_integer_format_of_fields() -> None:
    """JSON may tell an integer format by its fields, too; it is written by its name."""
    data = {"group_size": 16, "symmetric": False}
    args = FormatArgs(code_format=IntFormat(bits=3, signed=False), **data)
    read = QuantizationArgs.from_dict(
        data | {"qparity": {"code_format": {"bits": 3, "signed": False}}}
    )
    assert read == args
    assert args.to_dict()["qparity"]["code_format"] == "uint3"
