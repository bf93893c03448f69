"""The laws hold on the reference, in all of their domains; each of them can fail; none is loose."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.cli import main
from qparity.conformance.faults import FAULTS
from qparity.conformance.laws import LAWS, check_law, law_tests
from qparity.conformance.laws.law import everywhere
from qparity.conformance.laws.witness import lines_of, reason_of, to_json
from qparity.conformance.strategies import quantization_args
from qparity.conformance.values import codes_of
from qparity.reference import PRESET_SCHEMES, QuantizationArgs
from tests.conformance import hostile
from tests.conformance.planted import backend, lacking, spoiled

Array = npt.NDArray[Any]
BY_NAME = {law.name: law for law in LAWS}
PRESET_ARGS = sorted(
    {args for sides in PRESET_SCHEMES.values() for args in sides.values()}, key=str
)

F16, BF16, F32, F64 = BY_NAME["rank"].dtypes
REFERENCE = load_backend("numpy")
E4M3, UINT8 = np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(np.uint8)

INT8 = QuantizationArgs(strategy="channel")
INT4_ASYM = QuantizationArgs(num_bits=4, symmetric=False, strategy="group", group_size=16)
FP8 = QuantizationArgs(type="float", strategy="channel")
FP8_TOKEN = QuantizationArgs(type="float", strategy="token", dynamic=True)
FP8_ASYM = replace(FP8, symmetric=False)
FP4 = QuantizationArgs(
    num_bits=4, type="float", strategy="tensor_group", group_size=16, scale_dtype=E4M3
)
MXFP4 = QuantizationArgs(
    num_bits=4, type="float", strategy="group", group_size=32, scale_dtype=UINT8
)


def fault(name: str) -> object:
    """The backend of a fault of the dictionary."""
    return next(f for f in FAULTS if f.name == name).backend()


def zero_points_moved() -> SimpleNamespace:
    """The reference, whose zero-points are 9 too large."""

    def calculate_qparams(*a: Any, **k: Any) -> tuple[Array, Array]:  # noqa: ANN401 - as the reference's
        scale, zero_point = reference.calculate_qparams(*a, **k)
        return scale, zero_point + zero_point.dtype.type(9)

    return backend(calculate_qparams=calculate_qparams)


def eps_before_division() -> SimpleNamespace:
    """The reference, which adds an epsilon to every scale that it divides by."""

    def quantize(x: Array, scale: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        return reference.quantize(x, scale + scale.dtype.type(0.25), *a, **k)

    return backend(quantize=quantize)


def largest_wraps() -> SimpleNamespace:
    """The reference, whose largest code comes back as the smallest."""
    return spoiled("quantize", lambda codes: np.where(codes == codes.max(), codes.min(), codes))


def second_time_other() -> SimpleNamespace:
    """The reference, every second of whose quantized tensors is negated."""
    calls = [0]

    def negated_now_and_then(array: Array) -> Array:
        calls[0] += 1
        return -array if calls[0] % 2 else array

    return spoiled("quantize", negated_now_and_then)


def growing() -> SimpleNamespace:
    """The reference, whose values are a quarter too large."""
    return spoiled("fake_quantize", lambda values: values * values.dtype.type(1.25))


class Forgetful(QuantizationArgs):
    """Args that write no scale_dtype."""

    __slots__ = ()

    def to_dict(self, on_disk: bool = False) -> dict[str, Any]:
        """Without scale_dtype."""
        return super().to_dict(on_disk=on_disk) | {"scale_dtype": None}


@dataclass(frozen=True)
class Planted:
    """A backend with a fault that one law finds, and the args it is found with."""

    law: str
    args: QuantizationArgs
    make: Callable[[], object]


PLANTED = (
    Planted("scale_positive", INT8, lambda: fault("zero_scale_kept")),
    Planted("zero_point_in_range", INT4_ASYM, zero_points_moved),
    Planted("power_of_two_range", INT8, lambda: fault("eps_added")),
    Planted("codes_in_range", INT4_ASYM, lambda: spoiled("quantize", lambda c: c + c)),
    Planted("zero_to_zero", INT4_ASYM, lambda: fault("dequantize_zero_point_ignored")),
    Planted("monotone", FP8, largest_wraps),
    Planted("idempotent", FP8, growing),
    Planted("sign_symmetric", INT8, lambda: fault("half_up")),
    Planted("power_of_two", FP8, eps_before_division),
    Planted("composition", INT4_ASYM, growing),
    Planted("half_step", FP8, lambda: fault("truncation")),
    Planted("value_of_code", FP4, lambda: fault("global_scale_ignored")),
    Planted("units_alone", INT4_ASYM, lambda: fault("stale_scale")),
    Planted("units_permuted", INT4_ASYM, lambda: fault("stale_scale")),
    Planted("order_within_unit", FP8, lambda: fault("tail_lost")),
    Planted("rank", FP8_TOKEN, lambda: fault("token_of_tensor")),
    Planted("strides", FP8, lambda: fault("memory_order")),
    Planted("pure", FP8, second_time_other),
    Planted("unpack_pack", INT4_ASYM, lambda: fault("borrow_across_lanes")),
    Planted("decompress_compress", MXFP4, lambda: fault("mx_code_off_by_one")),
    Planted("config", Forgetful(scale_dtype=BF16), lambda: REFERENCE),
)


@dataclass(frozen=True)
class Outside:
    """Args and a dtype that a law excludes, where the reference does break it."""

    law: str
    args: QuantizationArgs
    dtype: np.dtype


def int_group(**fields: Any) -> QuantizationArgs:  # noqa: ANN401 - fields of args
    """int4 in groups of 16."""
    return QuantizationArgs(num_bits=4, strategy="group", group_size=16, **fields)


def fp(bits: int, size: int, **fields: Any) -> QuantizationArgs:  # noqa: ANN401 - fields of args
    """Small floats in groups."""
    return QuantizationArgs(num_bits=bits, type="float", group_size=size, **fields)


OUTSIDE = (
    Outside(
        "zero_point_in_range",
        QuantizationArgs(num_bits=6, symmetric=False, zp_dtype=E4M3),
        F32,
    ),
    Outside("power_of_two_range", replace(INT8, scale_dtype=UINT8), F32),
    Outside("sign_symmetric", INT4_ASYM, F32),
    Outside("rank", QuantizationArgs(strategy="block", block_structure=(2, 3)), F32),
    Outside("decompress_compress", FP4, F32),
    Outside("decompress_compress", MXFP4, F16),
    Outside("decompress_compress", replace(INT8, scale_dtype=BF16), F32),
    Outside("decompress_compress", fp(4, 16, strategy="group"), BF16),
    Outside("decompress_compress", fp(4, 8, strategy="group"), BF16),
    Outside("decompress_compress", fp(4, 32, strategy="group"), BF16),
    Outside("decompress_compress", replace(FP4, scale_dtype=F32), BF16),
    Outside(
        "decompress_compress",
        fp(6, 32, strategy="tensor_group", scale_dtype=BF16),
        BF16,
    ),
    Outside("decompress_compress", int_group(symmetric=False, zp_dtype=F32), F32),
    Outside("decompress_compress", replace(int_group(), strategy="tensor_group"), F32),
)


@pytest.mark.parametrize("args", PRESET_ARGS, ids=str)
def test_the_reference_obeys_every_law_for_every_preset(args: QuantizationArgs) -> None:
    """No law is violated by the reference, for the weights and activations of every preset."""
    for law in LAWS:
        verdict = check_law(law, args, REFERENCE, cases=1)
        assert verdict.verdict != "violated", "\n".join(lines_of(verdict))


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(quantization_args())
def test_the_reference_obeys_every_law_for_any_args(args: QuantizationArgs) -> None:
    """No law is violated by the reference, whatever valid args it is asked for."""
    for law in LAWS:
        verdict = check_law(law, args, REFERENCE, cases=1)
        assert verdict.verdict != "violated", "\n".join(lines_of(verdict))


def test_every_law_has_a_planted_fault() -> None:
    """The planted faults are of all laws, one each."""
    assert [planted.law for planted in PLANTED] == [law.name for law in LAWS]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.law)
def test_every_law_can_fail(planted: Planted) -> None:
    """A law finds its planted fault, absent from the reference, and shows two units at most."""
    law = BY_NAME[planted.law]
    if law.name != "config":
        assert check_law(law, planted.args, REFERENCE, cases=4).verdict == "holds"
    verdict = check_law(law, planted.args, planted.make(), cases=4)
    assert verdict.verdict == "violated"
    assert verdict.witness is not None
    sizes = [array.size for array in verdict.witness.arrays.values()]
    assert max(sizes) <= 2 * (planted.args.group_size or 16)
    assert any("0x" in line for line in lines_of(verdict))


@pytest.mark.parametrize("outside", OUTSIDE, ids=lambda outside: f"{outside.law} {outside.args}")
def test_no_domain_is_needlessly_narrow(outside: Outside) -> None:
    """Where a law says that args are outside of its domain, the reference does break it."""
    law = BY_NAME[outside.law]
    assert law.outside(outside.args, outside.dtype)
    wider = replace(law, outside=everywhere, dtypes=(outside.dtype,))
    assert check_law(wider, outside.args, REFERENCE, cases=24).verdict == "violated"


def changed_by_the_second_time(args: QuantizationArgs, dtype: np.dtype) -> int:
    """Values that fake_quantize changes: of all codes, at all mantissas of a scale."""
    steps = 1 << np.finfo(np.float16).nmant if dtype == F16 else 128
    scale = (1 + np.arange(steps) / steps).astype(dtype)[:, None]
    codes = codes_of(args.code_format)
    count = 0
    for number in [0.0] if args.symmetric else [codes[0], codes[len(codes) // 3], codes[-1]]:
        zero_point = None if args.symmetric else np.full((steps, 1), number).astype(args.zp_dtype)
        all_codes = np.broadcast_to(codes, (steps, len(codes))).astype(dtype)
        once = reference.dequantize(all_codes, scale, zero_point, args)
        twice = reference.fake_quantize(once, scale, zero_point, args)
        count += int((once != twice).sum())
    return count


@pytest.mark.parametrize("dtype", [BF16, F16], ids=str)
@pytest.mark.parametrize(
    "args",
    [
        *(replace(INT8, num_bits=b, symmetric=s) for b in range(1, 9) for s in (True, False)),
        *(replace(FP8, num_bits=b) for b in (4, 6, 8)),
        FP8_ASYM,
    ],
    ids=str,
)
def test_the_domain_of_idempotent_is_exact(args: QuantizationArgs, dtype: np.dtype) -> None:
    """A second fake_quantize changes a value at some mantissa exactly where the law says so."""
    excluded = bool(BY_NAME["idempotent"].outside(args, dtype))
    assert (changed_by_the_second_time(args, dtype) > 0) == excluded


def test_the_same_seed_gives_the_same_verdict() -> None:
    """Verdict, witness and all, is a function of the seed."""
    first, second = (
        lines_of(check_law(BY_NAME["half_step"], FP8, fault("truncation"), seed=3))
        for _ in range(2)
    )
    assert first
    assert first == second


def test_what_a_backend_lacks_is_not_violated() -> None:
    """A law that needs a missing operation is not applicable, and says which one."""
    verdict = check_law(BY_NAME["composition"], FP8, lacking("dequantize"))
    assert (verdict.verdict, reason_of(verdict)) == (
        "not applicable",
        "the backend has no dequantize",
    )


@pytest.mark.parametrize("declined", [(F16,), (F16, BF16, F64), (F32, F64)], ids=str)
def test_what_a_backend_declines_is_passed_by(declined: tuple[np.dtype, ...]) -> None:
    """A declined dtype is told and counted, and the law is checked in the others all the same."""

    def quantize(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        if x.dtype in declined:
            raise NotImplementedError(x.dtype.name)
        return faulty(x, *a, **k)

    law, names = BY_NAME["half_step"], [dtype.name for dtype in declined]
    faulty = reference.quantize
    verdict = check_law(law, INT8, backend(quantize=quantize), cases=3)
    kept = tuple(dtype.name for dtype in law.dtypes if dtype not in declined)
    assert (verdict.verdict, verdict.dtypes, verdict.cases) == ("holds", kept, 3 * len(kept))
    assert list(verdict.reasons) == [dtype.name for dtype in law.dtypes if dtype in declined]
    assert verdict.reasons[names[0]] == f"the backend declines quantize: {names[0]}"
    assert verdict.declined == to_json(verdict)["declined"] == 3 * len(declined)

    def zeros(*a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        return np.zeros_like(reference.quantize(*a, **k))

    faulty = zeros
    assert check_law(law, INT8, backend(quantize=quantize), cases=3).verdict == "violated"


def test_a_backend_that_raises_breaks_the_law() -> None:
    """An exception is a violation that names it, not an error of the judge."""

    def quantize(**inputs: Any) -> Array:  # noqa: ANN401 - as the reference's
        raise RuntimeError(f"of {len(inputs)} inputs")

    verdict = check_law(BY_NAME["monotone"], FP8, backend(quantize=quantize))
    assert verdict.violation is not None
    assert verdict.violation.detail == "raised RuntimeError: of 4 inputs"


@pytest.mark.parametrize("name", ["exits", "sleeps"])
def test_a_backend_cannot_end_or_hold_up_the_laws(name: str) -> None:
    """An exit is a violation that names it, and so is a call that takes too long."""
    bad = hostile.backend(name, "quantize")
    verdict = check_law(BY_NAME["monotone"], FP8, bad, case_timeout=0.1)
    assert verdict.violation is not None
    says = {"exits": "raised SystemExit: 3", "sleeps": "took longer than 0.1 s"}[name]
    assert verdict.violation.detail == says
    with pytest.raises(AssertionError, match=says):
        law_tests(FP8, bad, case_timeout=0.1)["test_monotone"]()


@pytest.mark.usefixtures("new_scheme")
def test_the_command_outlives_a_backend_that_exits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1 and a witness, not the code that the backend exits with."""
    exits = hostile.backend("exits", "quantize")
    monkeypatch.setattr(sys.modules["new_scheme"], "exits", exits, raising=False)
    options = ("--backend", "new_scheme:exits", "--cases", "1", "--case-timeout", "5")
    assert run("new_scheme:ARGS", *options) == 1
    assert "found: raised SystemExit: 3" in capsys.readouterr().out


def test_law_tests_are_those_of_the_domain() -> None:
    """One test function for each law that applies; those of the reference pass."""
    tests = law_tests(INT8, cases=1)
    applicable = {law.name for law in LAWS if any(not law.outside(INT8, d) for d in law.dtypes)}
    assert set(tests) == {f"test_{name}" for name in applicable}
    assert "test_zero_point_in_range" not in tests
    assert tests["test_monotone"].__doc__ == BY_NAME["monotone"].statement
    for test in tests.values():
        test()


def test_law_tests_fail_with_a_witness() -> None:
    """A violated law is an AssertionError that shows the number and its bits."""
    tests = law_tests(FP8, fault("truncation"))
    with pytest.raises(AssertionError, match=r"half_step(.|\n)*scale .*0x"):
        tests["test_half_step"]()


def test_law_tests_skip_what_a_backend_lacks() -> None:
    """A law that needs a missing operation is skipped with the reason."""
    tests = law_tests(FP8, lacking("dequantize"))
    with pytest.raises(pytest.skip.Exception, match="no dequantize"):
        tests["test_composition"]()


def test_law_tests_want_args() -> None:
    """Anything but QuantizationArgs is refused by name."""
    with pytest.raises(TypeError, match="args: 'W4A16' is not allowed"):
        law_tests("W4A16")  # type: ignore[arg-type]


@pytest.fixture
def new_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module with args that nothing implements yet, and with a backend that truncates."""
    module = ModuleType("new_scheme")
    vars(module).update(
        ARGS=QuantizationArgs(num_bits=3, strategy="channel"),
        SCHEME=reference.preset_name_to_scheme("FP8"),
        NUMBER=3,
        broken=fault("truncation"),
    )
    monkeypatch.setitem(sys.modules, "new_scheme", module)
    monkeypatch.chdir(tmp_path)
    return module


def run(*arguments: str) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as exit_of:
        main(["laws", *arguments])
    code = exit_of.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.usefixtures("new_scheme")
def test_the_command_says_what_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """Args of a module are checked on the reference: exit 0, and a line for each law."""
    assert run("new_scheme:ARGS", "--cases", "1") == 0
    out = capsys.readouterr().out
    assert all(law.name in out for law in LAWS)
    assert "HOLDS: new_scheme:ARGS on numpy" in out


@pytest.mark.usefixtures("new_scheme")
def test_the_command_shows_the_witness(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A violation is exit 1, with the numbers and their bits, in the terminal and in JSON."""
    options = ("--backend", "new_scheme:broken", "--cases", "2", "--json", "laws.json")
    assert run("new_scheme:ARGS", *options) == 1
    out = capsys.readouterr().out
    assert "VIOLATED half_step by new_scheme:ARGS weights" in out
    report = json.loads((tmp_path / "laws.json").read_text())
    laws = {row["law"]: row for row in report["laws"]["new_scheme:ARGS weights"]}
    assert laws["half_step"]["verdict"] == "violated"
    assert all(line in out for line in laws["half_step"]["witness"])
    assert report["summary"]["exit_code"] == 1


@pytest.mark.usefixtures("new_scheme")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NOPE", "unknown preset 'NOPE'"),
        ("nope.json", "No such file"),
        ("no_such_module:ARGS", "raised ModuleNotFoundError"),
        ("new_scheme:NUMBER", "is int; allowed: QuantizationArgs"),
        ("new_scheme:ABSENT", "'new_scheme' has no 'ABSENT'; allowed: ARGS, SCHEME"),
    ],
)
def test_the_command_refuses(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no scheme is exit 2 and one line that says why."""
    assert run(name) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


def test_the_command_says_that_nothing_was_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A scheme that quantizes nothing is exit 5."""
    assert run("UNQUANTIZED") == 5
    assert "NOTHING WAS RUN" in capsys.readouterr().out


@pytest.mark.usefixtures("new_scheme")
def test_a_law_that_asks_nothing_is_nothing_that_was_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backend without operations is exit 5, though laws of the args alone hold."""
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    bridge = "from qparity.backends.numpy_backend import from_numpy, to_numpy\n"
    (tmp_path / "no_operations.py").write_text(bridge)
    assert run("new_scheme:ARGS", "--backend", "no_operations", "--cases", "1") == 5
    out = capsys.readouterr().out
    assert "NOTHING WAS RUN: new_scheme:ARGS on no_operations: 1 holds" in out
    assert "declined by the backend, none of the cases asked the backend" in out
    asked = [check_law(BY_NAME[law], INT8, REFERENCE, cases=1).asked for law in ("config", "rank")]
    assert asked == [False, True]


def test_the_command_reads_a_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A config in JSON is read, its name in front; equal args are checked once."""
    path = tmp_path / "config.json"
    args = INT8.to_dict()
    groups = {name: {"targets": ["Linear"], "weights": args} for name in ("a", "b")}
    path.write_text(json.dumps({"quantization_config": {"config_groups": groups}}))
    assert run(str(path), "--cases", "1", "--json", "-") == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["laws"]) == ["config:a weights, config:b weights"]
