"""An explanation ends in the reference's own bits, and counts its roundings exactly."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from qparity import reference
from qparity.conformance.bits import hex_bits
from qparity.conformance.cli import main
from qparity.conformance.compare import equal_bits
from qparity.conformance.explanation import Trace, of_texts, of_weights, part_from, trace
from qparity.conformance.explanation.exact import code_bits, gap, nearest, neighbours
from qparity.conformance.explanation.render import rounding_text, to_json
from qparity.conformance.explanation.steps import Tensor
from qparity.conformance.explanation.storage import storage_of
from qparity.conformance.explanation.words import distance_of
from qparity.conformance.faults import FAULTS
from qparity.conformance.values import codes_of
from qparity.conformance.weights import weight_presets
from qparity.reference import (
    FLOAT8_E8M0FNU,
    FORMATS,
    PRESET_SCHEMES,
    FloatFormat,
    FormatArgs,
    QuantizationArgs,
)
from tests.conformance.planted import backend, lacking

SAMPLE = Path(__file__).parents[2] / "conformance" / "samples" / "dense.safetensors"
BF16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [BF16, *(np.dtype(name) for name in ("float16", "float32", "float64"))]
ALL_ARGS = sorted({args for sides in PRESET_SCHEMES.values() for args in sides.values()}, key=str)
OWN = FormatArgs(code_format="float6_e3m2fn", scale_format="float8_e8m0fnu", group_size=32)
PLACES = ((0, 0), (0, 1), (1, 5), (1, 33), (2, 127), (2, 130), (2, 255))


def numbers(dtype: np.dtype) -> npt.NDArray[np.generic]:
    """Three rows with ties, zeros, and units that are all zero."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(3, 256)).astype(np.float32)
    x[0, 0], x[0, 1], x[1, 32:64], x[2, 255] = 0.0, -0.0, 0.0, 300.0
    return x.astype(dtype)


def traced(args: QuantizationArgs, dtype: np.dtype, **options: object) -> Trace:
    """The explanation of the places."""
    tensor = Tensor(numbers(dtype), PLACES, (), "")
    return trace(tensor, args, **options)  # type: ignore[arg-type]


def qparams(args: QuantizationArgs, dtype: np.dtype) -> tuple[npt.NDArray[np.generic], ...]:
    """Scale, zero-point and global scale by the reference's own functions."""
    x = numbers(dtype)
    whole = ()
    if args.strategy == "tensor_group":
        whole = (reference.generate_gparam(*reference.minmax(x, QuantizationArgs())),)
    if args.strategy == "token":
        return (*reference.compute_dynamic_scales_and_zp(x, args), *whole)
    return (*reference.calculate_qparams(*reference.minmax(x, args), args, *whole), *whole)


def last(found: Trace, kind: str, index: Sequence[int], name: str, *sections: int) -> np.generic:
    """The last value of a name, of some sections."""
    steps = found.part(kind, *index).steps
    return [s.value for s in steps if s.name == name and s.section in sections][-1]


def same(expected: np.generic, actual: np.generic) -> bool:
    """Whether two numbers are equal in dtype and bits."""
    return equal_bits(np.atleast_1d(expected), np.atleast_1d(actual))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("args", [*ALL_ARGS, OWN], ids=str)
@pytest.mark.parametrize("compute_dtype", [None, np.dtype(np.float32)], ids=str)
def test_the_last_values_are_those_of_the_reference(
    args: QuantizationArgs, dtype: np.dtype, compute_dtype: np.dtype | None
) -> None:
    """Scales, zero-points, codes and values of all presets are the reference's, bit for bit."""
    found = traced(args, dtype, compute_dtype=compute_dtype)
    scale, point, *whole = qparams(args, dtype)
    given = {"global_scale": whole[0]} if whole else {}
    zero_point = None if args.symmetric else point
    inputs = (numbers(dtype), scale, zero_point, args)
    codes = reference.quantize(*inputs, **given, compute_dtype=compute_dtype)
    values = reference.fake_quantize(*inputs, **given, compute_dtype=compute_dtype)
    for part in found.parts:
        if part.kind == "tensor":
            assert same(whole[0][0], last(found, "tensor", (), "global_scale", 5))
        elif part.kind == "unit":
            assert same(scale[part.index], last(found, "unit", part.index, "scale", 5, 6))
            if not args.symmetric:
                assert same(point[part.index], last(found, "unit", part.index, "zero_point", 5))
        else:
            assert same(codes[part.index], last(found, "element", part.index, "code", 7))
            assert same(values[part.index], last(found, "element", part.index, "value", 7))
    assert {p.index for p in found.parts if p.kind == "element"} == set(PLACES)
    for step in (step for part in found.parts for step in part.steps):
        if step.rounding is not None and dtype == np.float32:
            assert step.rounding.nearest


@pytest.mark.parametrize("name", weight_presets())
def test_what_is_stored_is_what_compress_writes(name: str) -> None:
    """The bits of scales, words and loaded values of all presets are those of the checkpoint."""
    scheme = reference.preset_name_to_scheme(name)
    args = scheme.weights
    assert args is not None
    scale, point, *whole = qparams(args, BF16)
    state = {"weight": numbers(BF16), "weight_scale": scale}
    state |= {} if args.symmetric else {"weight_zero_point": point}
    state |= {"weight_global_scale": whole[0]} if whole else {}
    stored = reference.compress(state, scheme)
    loaded = reference.decompress(stored, scheme)
    found = traced(args, BF16, storage=storage_of(scheme))
    for part in found.parts:
        if part.kind == "unit":
            written = last(found, "unit", part.index, "weight_scale", 8)
            assert same(stored["weight_scale"][part.index], written)
        elif part.kind == "element":
            value = last(found, "element", part.index, "loaded", 8)
            assert same(loaded["weight"][part.index], value)
            for step in part.steps:
                if step.name.startswith("weight_packed"):
                    word = int(step.name[len("weight_packed[") : -1])
                    assert same(stored["weight_packed"][part.index[0], word], step.value)
    packed = "weight_packed" in stored
    assert packed == any("weight_packed" in s.name for p in found.parts for s in p.steps)


@pytest.mark.parametrize("name", [n for n in FORMATS if not n.startswith("int")])
def test_neighbours_are_next_to_each_other(name: str) -> None:
    """Between two values of a format lies none: the exact neighbours are ml_dtypes' own."""
    row = FORMATS[name]
    start = np.array([row.max / 8], np.float64).astype(row.dtype)
    one = int(start.view(f"u{row.dtype.itemsize}")[0])
    after = np.array([one + 1], f"u{row.dtype.itemsize}").view(row.dtype)
    low, high = (Fraction(float(v.astype(np.float64)[0])) for v in (start, after))
    assert neighbours((low * 3 + high) / 4, row) == (low, high)
    assert neighbours(low, row) == (low, low)
    assert gap(low, row) == high - low


@pytest.mark.parametrize("name", ["float4_e2m1fn", "float6_e2m3fn", "float8_e4m3fn", "int4"])
def test_codes_are_those_of_the_format(name: str) -> None:
    """The code of every value is the one that ml_dtypes writes, or two's complement."""
    row = FORMATS[name]
    values = codes_of(row)
    mask = (1 << row.bits) - 1
    expected = values.astype(row.dtype).view(np.uint8) & mask
    assert [code_bits(value, row) for value in values] == expected.tolist()
    with pytest.raises(ValueError, match="finite"):
        code_bits(np.float32("nan"), row)


def test_texts_are_rounded_once() -> None:
    """A decimal goes to bfloat16 without a stop in float64, and overflows as IEEE 754 says."""
    tie = "1.00390625" + "0" * 30 + "1"
    found = of_texts([tie, "-0", "1e999", "-0x1.8p-1", "inf"], BF16, QuantizationArgs())
    assert [hex_bits(value) for value in found.x[0]] == [
        "0x3f81",
        "0x8000",
        "0x7f80",
        "0xbf40",
        "0x7f80",
    ]
    assert nearest(Fraction(65536), FORMATS["float16"]) is None  # type: ignore[arg-type]


def test_a_tie_and_its_distance_are_told() -> None:
    """One ulp beyond a tie is one ulp, the tie itself goes to even, and both are said."""
    texts = ["0.5", "0x1.000002p-1", "7"]
    args = QuantizationArgs(num_bits=4)
    x = of_texts(texts, np.dtype(np.float32), args)
    found = trace(x, args)
    scale = found.part("unit", 0).step("scale").value
    assert scale == np.float32(7 / 7.5)
    ones = Tensor(np.array([[0.5, 0.50000006, 7.5]], np.float32), ((0, 0), (0, 1)), (), "")
    codes = [trace(ones, args).part("element", 0, i).step("code").rounding for i in (0, 1)]
    shown = [rounding_text(rounding) for rounding in codes if rounding is not None]
    assert shown[0] == "rounded down: at the tie 0.5, to even"
    assert shown[1].endswith("is 1 ulp above the tie 0.5")


def test_a_rounding_up_is_told_as_one() -> None:
    """The rule rceil goes up from below the tie: that is no rounding to nearest, twice or once."""
    scales = FloatFormat(exponent_bits=5, mantissa_bits=3, has_nan=True, signed=False)
    args = FormatArgs(
        code_format="float4_e2m1fn",  # type: ignore[arg-type]
        scale_format=scales,
        scale_rule="rceil",
        group_size=16,
    )
    x = of_texts(["0.4125"], np.dtype(np.float32), args)
    scale = [step for step in trace(x, args).part("unit", 0, 0).steps if step.name == "scale"][-1]
    assert scale.rounding is not None
    assert rounding_text(scale.rounding) == (
        "rounded up, as rceil does: 0.0687500014901… is between 0.0625 and 0.0703125"
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize("scheme", ["NVFP4A16", "W4A16_ASYM", "W3A16", "FP8_BLOCK", "MXFP4"])
def test_the_lines_fit_a_terminal(
    scheme: str, dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is longer than 80 columns."""
    code, out, _ = run([scheme, "0.3", "-1.2", "5e-7", "--dtype", dtype], capsys)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80


def test_what_is_far_from_a_tie_is_no_count_of_ulps() -> None:
    """Beyond some thousand ulps the distance is one in value, and says so."""
    args = QuantizationArgs(num_bits=4)
    ones = Tensor(np.array([[0.75, 7.5]], np.float32), ((0, 0),), (), "")
    rounding = trace(ones, args).part("element", 0, 0).step("code").rounding
    assert rounding is not None
    assert rounding_text(rounding) == "rounded up: 0.75 is 0.25 in value above the tie 0.5"


WHERE = {
    "reciprocal_multiply": "y",
    "half_away": "code",
    "division_in_float32": None,
}


@pytest.mark.parametrize(("name", "step"), WHERE.items())
def test_the_step_of_a_planted_fault_is_found(name: str, step: str | None) -> None:
    """A fault of the division parts at y, one of the rounding at the code, and it is named."""
    fault = next(f for f in FAULTS if f.name == name).backend()
    x = np.array([[0.96875006, 0.96875, 127.5 * 1.9375]], np.float32)
    parting = part_from(trace(Tensor(x, ((0, 1),), (), ""), QuantizationArgs()), fault, name)
    found = parting.divergence
    assert parting.compared[0] == "minmax"
    assert (None if found is None else found.step) == step
    assert found is None or found.cause.startswith(f"explained by: {name}")


def test_a_global_scale_left_out_is_found() -> None:
    """A backend that ignores the global scale of quantize parts at s."""

    def quantize(*a: object, **k: object) -> object:
        return reference.quantize(*a, **{**k, "global_scale": None})  # type: ignore[arg-type]

    found = part_from(traced(OWN_NVFP4, BF16), backend(quantize=quantize), "mine").divergence
    assert found is not None
    assert (found.op, found.step) == ("quantize", "s")


OWN_NVFP4 = next(args for args in ALL_ARGS if args.strategy == "tensor_group")


def test_a_backend_without_operations_is_compared_with_nothing() -> None:
    """What a backend lacks is passed by, and named."""
    names = [name for name in dir(backend()) if not name.startswith("_")]
    empty = lacking(*(n for n in names if n not in ("to_numpy", "from_numpy")))
    found = part_from(traced(OWN, BF16), empty, "mine")
    assert (found.divergence, found.compared, found.exit_code) == (None, (), 5)
    lacks = "minmax, calculate_qparams, quantize, dequantize, fake_quantize"
    assert str(found) == f"it has none of {lacks}"


def declining(*_: object, **__: object) -> object:
    """An operation that is not there for these arguments."""
    raise NotImplementedError("float32, one level of scales")


def test_nothing_compared_is_no_equality() -> None:
    """A backend that declines differs neither so nor so: null, with its reasons, in JSON too."""
    base = backend()
    mine = SimpleNamespace(from_numpy=base.from_numpy, to_numpy=base.to_numpy, quantize=declining)
    found = part_from(traced(OWN, BF16), mine, "mine")
    assert str(found) == "quantize: float32, one level of scales"
    said = to_json(traced(OWN, BF16), found)["diff"]
    assert (said["differs"], said["compared"]) == (None, [])
    assert said["unsupported"]["quantize"] == "float32, one level of scales"
    assert said["unsupported"]["minmax"] == "no function minmax"


def test_what_a_backend_raises_is_told_without_a_number() -> None:
    """Where a backend gives no number, none is said to be expected."""

    def quantize(*_: object, **__: object) -> object:
        raise RuntimeError("no kernel")

    found = part_from(traced(OWN_NVFP4, BF16), backend(quantize=quantize), "mine")
    assert "'code': raised RuntimeError: no kernel; " in str(found)
    said = to_json(traced(OWN_NVFP4, BF16), found)["diff"]
    assert (said["differs"], said["expected"]) == (True, None)


def test_a_tensor_of_one_dimension_is_refused_as_that(tmp_path: Path) -> None:
    """A tensor that is there, and is no matrix, is not said to be absent."""
    path = tmp_path / "a.safetensors"
    save_file({"w": np.zeros((2, 4), np.float32), "b": np.zeros(4, np.float32)}, path)
    with pytest.raises(ValueError, match=r"^tensor: 'b' is float32 of shape \(4,\), no 2-D .*: w$"):
        of_weights(path, "b", 0, slice(0, 4), None)
    with pytest.raises(ValueError, match=r"^tensor: 'c' is not in .*; allowed: w$"):
        of_weights(path, "c", 0, slice(0, 4), None)


RULES = {
    "floor": [("quotient", 1.828125, None), ("scale", 1.0, "rounded down, as floor does: ")],
    "ceil": [("quotient", 1.828125, None), ("scale", 2.0, "rounded up, as ceil does: ")],
    "even": [
        ("amax", 8.0, "rounded up: 7.3125 is 10 ulps above the tie 7"),
        ("quotient", 2.0, None),
        ("scale", 2.0, "exact"),
    ],
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_of_exponents_show_their_roundings(rule: str) -> None:
    """amax, for even in the bits of a code, the quotient, and which way the scale is rounded."""
    x = of_texts(["7.3125"], BF16, of_rule(rule, "float8_e8m0fnu"))
    found = trace(x, of_rule(rule, "float8_e8m0fnu"))
    steps = [step for step in found.part("unit", 0, 0).steps if step.name != "bits"]
    expected = RULES[rule]
    for step, (name, value, text) in zip(steps[-len(expected) :], expected, strict=True):
        shown = None if step.rounding is None else rounding_text(step.rounding)
        assert (step.name, float(step.value)) == (name, value)
        assert shown == text or (shown is not None and text is not None and shown.startswith(text))
    written = to_json(found)["parts"][0]["steps"]
    rules = [step["rounding"]["rule"] for step in written if step["rounding"]]
    assert rules == (["nearest", rule] if rule == "even" else [rule])


def of_rule(rule: str, scale: str | FloatFormat) -> FormatArgs:
    """FP4 in groups of 32 by a rule of exponents."""
    formats = {"code_format": "float4_e2m1fn", "scale_format": scale}
    return FormatArgs(**formats, scale_rule=rule, group_size=32)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scale", ["float8_e8m0fnu", "uint4", "ue3m2"])
def test_rules_of_exponents_end_in_the_reference(rule: str, scale: str, dtype: np.dtype) -> None:
    """Whatever the largest number, the last scale is the reference's, and lies on its side."""
    own = FloatFormat(exponent_bits=3, mantissa_bits=2, signed=False, has_subnormals=False)
    args = of_rule(rule, own if scale == "ue3m2" else scale)
    info = ml_dtypes.finfo(dtype)
    largest = [0, info.smallest_subnormal, info.max, 1e-30, 0.3, 1.75, 7.3, 96, np.nan, np.inf]
    for amax in np.array(largest, np.float64).astype(dtype):
        found = trace(Tensor(np.full((1, 32), amax, dtype), ((0, 0),), (), ""), args)
        expected, _ = qparams_of_row(found.tensor.x, args)
        assert same(expected, last(found, "unit", (0, 0), "scale", 5))
        for step in found.part("unit", 0, 0).steps:
            if step.rounding is not None and not step.rounding.is_exact:
                assert step.rounding.result in (step.rounding.below, step.rounding.above)


def qparams_of_row(x: npt.NDArray[np.generic], args: FormatArgs) -> tuple[np.generic, np.generic]:
    """The reference's scale and zero-point of one group."""
    with np.errstate(all="ignore"):
        scale, point = reference.calculate_qparams(*reference.minmax(x, args), args)
    return scale[0, 0], point[0, 0]


@pytest.mark.parametrize(
    ("row", "y", "goes"),
    [
        (FloatFormat(exponent_bits=3, mantissa_bits=0), 3.0, "away from zero, as there is no"),
        (FloatFormat(exponent_bits=3, mantissa_bits=0), 0.125, "to zero"),
        (FloatFormat(exponent_bits=2, mantissa_bits=1, has_subnormals=False), 0.5, "to zero"),
        (FloatFormat(exponent_bits=2, mantissa_bits=1, has_subnormals=False), 2.5, "to even"),
        (FORMATS["int4"], 2.5, "to even"),
    ],
)
def test_where_a_tie_goes_is_true(row: FloatFormat, y: float, goes: str) -> None:
    """A tie is said to go to even only where it does."""
    x = np.array([[y, row.max]], np.float32)
    args = FormatArgs(code_format=row)
    for sign in (1, -1):
        steps = trace(Tensor(sign * x, ((0, 0),), (), ""), args).part("element", 0, 0).steps
        rounding = next(step.rounding for step in steps if step.name == "code")
        if rounding is not None and rounding.ulps == 0:
            assert f", {goes}" in rounding_text(rounding)
            assert (abs(rounding.result or 0) > abs(y)) == goes.startswith("away")


def test_own_formats_show_their_bits() -> None:
    """Code and scale of a format of one's own are shown in its bits, whatever dtype holds them."""
    args = of_rule("floor", "float8_e8m0fnu")
    found = trace(of_texts(["7.3", "-0"], BF16, args), args)
    unit, first, second = (
        part.step("bits") for part in (found.part("unit", 0, 0), *found.parts[1:])
    )
    shown = [(step.bits, step.dtype) for step in (unit, first, second)]
    assert shown == [
        ("0x7f", "float8_e8m0fnu"),
        ("0x7", "float4_e2m1fn"),
        ("0x0", "float4_e2m1fn"),
    ]
    every = codes_of(FLOAT8_E8M0FNU)
    assert [code_bits(value, FLOAT8_E8M0FNU) for value in every] == list(range(255))
    assert second.formula == "code, 0000"
    assert found.part("element", 0, 1).step("code").note == "-0 becomes +0 in float4_e2m1fn"


def test_a_sign_that_is_lost_is_told() -> None:
    """Integers are packed without the sign of zero, and it is said."""
    scheme = reference.preset_name_to_scheme("W4A16")
    assert scheme.weights is not None
    x = of_texts(["-0", "1"], BF16, scheme.weights)
    found = trace(x, scheme.weights, storage=storage_of(scheme))
    notes = [found.part("element", 0, column).step("bits").note for column in (0, 1)]
    assert notes == ["-0 becomes +0: integers have one zero", ""]


def test_a_code_that_is_nan_shows_its_bits(capsys: pytest.CaptureFixture[str]) -> None:
    """Of fp8 it has a code, all ones, and is loaded as NaN; of integers it is the code of zero."""
    _, out, _ = run(["FP8_BLOCK", "nan"], capsys)
    assert "bits = code, 01111111" in out
    assert "one of the codes that are NaN" in out
    assert out.count("as loaded ") == 1
    _, out, _ = run(["W4A16", "nan"], capsys)
    assert "bits = code + 8, 1000" in out


def test_ulps_are_counted_in_english() -> None:
    """One is an ulp, more are ulps, in parts too; thousands are a distance in value."""
    apart = Fraction(1, 4)
    shown = [distance_of(apart, Fraction(n) / 2) for n in (1, 2, 3, 4, 129, 8192)]
    assert shown == ["0.5 ulp", "1 ulp", "1.5 ulps", "2 ulps", "64 ulps", "0.25 in value"]


def test_an_output_of_ascii_is_served() -> None:
    """Where the output has no ellipsis, dots stand for it."""
    command = [sys.executable, "-m", "qparity.conformance", "explain", "W4A16", "0.3", "1"]
    for encoding in ("ascii", "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        ran = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert (ran.returncode, ran.stderr) == (0, b"")
        dots = b"..." if encoding == "ascii" else "\N{HORIZONTAL ELLIPSIS}".encode()
        assert dots in ran.stdout


def run(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The command in this process."""
    with pytest.raises(SystemExit) as exit_:
        main(["explain", *arguments])
    captured = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, captured.out, captured.err


def test_the_command_shows_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    """NVFP4: the global scale, the scale of the group, codes and bytes, of negative values too."""
    code, out, err = run(["NVFP4", "0.3", "-1e-1", "-inf"], capsys)
    assert (code, err) == (0, "")
    for shown in ("global_scale", "scale in float8_e4m3fn", "x[0, 1]", "weight_packed[0]"):
        assert shown in out


def test_options_may_stand_before_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Between the scheme and its values, and behind them, options say the same."""
    side, values = ["--side", "input_activations"], ["1", "-2e-1"]
    between = run(["FP8_DYNAMIC", *side, *values], capsys)
    assert between == run(["FP8_DYNAMIC", *values, *side], capsys)
    assert between[0] == 0


def test_codes_that_no_checkpoint_holds_say_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A scheme of formats as data is explained up to section 7, and the rest is not silent."""
    made = (
        "from qparity.reference import FormatArgs\nARGS = FormatArgs(code_format='float6_e3m2fn')\n"
    )
    (tmp_path / "own.py").write_text(made)
    code, out, _ = run([f"{tmp_path / 'own.py'}:ARGS", "0.3"], capsys)
    assert code == 0
    assert "what is stored is left out" in out


def test_the_command_explains_weights_and_diffs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of a file against backends: 0 equal, 1 different, 5 nothing; JSON holds the steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    base = "from qparity.backends.numpy_backend import to_numpy, from_numpy\n"
    planted = "from tests.conformance.planted import by_reciprocal as quantize\n"
    (tmp_path / "reciprocal_one.py").write_text(base + planted)
    (tmp_path / "empty_one.py").write_text(base)
    file = ["W8A8", "--weights", str(SAMPLE), "--row", "3", "--columns", "0:2"]
    assert run([*file, "--diff", "numpy"], capsys)[0] == 0
    code, out, _ = run([*file, "--diff", "empty_one"], capsys)
    assert code == 5
    assert out.splitlines()[-1].startswith("NOTHING WAS RUN: empty_one: it has none of minmax, ")
    code, out, _ = run([*file, "--dtype", "float32", "--diff", "reciprocal_one"], capsys)
    assert code == 1
    assert "DIFFERENT: reciprocal_one: quantize: parts at the step 'y'" in out
    code, out, _ = run([*file, "--diff", "numpy", "--json", "-"], capsys)
    data = json.loads(out)
    assert (code, data["dtype"], data["diff"]["differs"]) == (0, "bfloat16", False)
    assert {part["kind"] for part in data["parts"]} == {"unit", "element"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["NVFP4"], "VALUE: none is given"),
        (["NVFP4", "x"], "VALUE: 'x' is no number"),
        (["NVFP5", "1"], "NVFP5"),
        (["UNQUANTIZED", "1"], "side: 'weights' is not quantized"),
        (["W4A16", "1", "--side", "output_activations"], "side: 'output_activations'"),
        (["W8A8", "1", "--weights", str(SAMPLE)], "VALUE: not allowed with --weights"),
        (["W8A8", "--weights", str(SAMPLE), "--tensor", "no"], "tensor: 'no'"),
        (["W8A8", "--weights", str(SAMPLE), "--row", "384"], "row: 384 is not a row of "),
        (["W8A8", "--weights", str(SAMPLE), "--row", "384"], "allowed: -384 to 383"),
        (["W8A8", "--weights", str(SAMPLE), "--columns", "9:9"], "columns: 9:9 is none of "),
        (["W8A8", "--weights", str(SAMPLE), "--columns", "999:"], "columns: 999: is none of "),
        (["W8A8", "--weights", str(SAMPLE), "--columns", "9"], "allowed: FIRST:LAST, such as 0:4"),
        (["W8A8", "1", "--row", "0"], "row: not allowed without --weights"),
        (["W8A8", "1", "--tensor", "a"], "tensor: not allowed without --weights"),
        (["W8A8", "1", "--columns", "0:4"], "columns: not allowed without --weights"),
        (["W8A8", "1", "--diff", "nobody"], "backend: 'nobody' is unknown"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is named in one line on standard error, and the exit code is 2."""
    code, out, err = run(arguments, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def test_a_strategy_without_explanation_is_refused() -> None:
    """Attention heads need three dimensions, which a row of values has not."""
    with pytest.raises(ValueError, match="attn_head"):
        traced(QuantizationArgs(strategy="attn_head"), BF16)
