"""A backend that does its worst is reported, and the rest of the report stands."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance.case import Case, run_case
from qparity.conformance.case_file import load_case
from qparity.conformance.cli import main
from qparity.conformance.commands.aside import speaking_aside
from qparity.conformance.guard import TooSlowError, guarded, time_limit, unguarded
from qparity.conformance.known_failure import KnownFailure
from qparity.conformance.probes import probe_backend_subnormals, probe_bridge
from qparity.conformance.report import failure_lines, report_to_json
from qparity.conformance.run import run_check
from qparity.conformance.shrink import shrink
from qparity.conformance.verify import Report, verify
from tests.conformance import hostile, planted
from tests.conformance.hostile import OP
from tests.conformance.planted import INT8, Array

ROOT = Path(__file__).parents[2]
CHECK = planted.check_of(OP, "float32")
FEW = ("calculate_range", OP)
ENTRY = KnownFailure("dequantize", "subnormals *", "*", "the device flushes", "", Path())


def report_of(backend: object, **options: Any) -> Report:  # noqa: ANN401 - any option
    """A report of a few operations, nothing written."""
    given = {"name": "mine", "level": "smoke", "operations": FEW, "cases_folder": None}
    return verify(backend, **given | options)


def statuses(report: Report, op: str) -> set[str]:
    """The statuses of an operation."""
    return {outcome.status for outcome in report.outcomes if outcome.op == op}


def codes_case() -> Case:
    """Two fp4 values."""
    return Case(OP, {"x": np.array([[1, -6]], np.float32)})


class Unreadable(Exception):  # noqa: N818 - a name is a name
    """Its message raises."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (SystemExit(3), "raised SystemExit: 3"),
        (GeneratorExit(), "raised GeneratorExit: "),
        (BaseException("out"), "raised BaseException: out"),
        (Unreadable(), "raised Unreadable: a message that cannot be read"),
    ],
)
def test_whatever_is_raised_is_the_answer(error: BaseException, detail: str) -> None:
    """An exception of any class, SystemExit too, is a difference of that call."""

    def breaks(**_: object) -> None:
        raise error

    difference = run_case(codes_case(), planted.backend(**{OP: breaks}))[2]
    assert difference is not None
    assert (difference.reason, difference.detail) == ("raised", detail)
    outcome = probe_bridge(planted.backend(to_numpy=breaks, from_numpy=lambda array: array))
    assert outcome.status == "FAIL"


def test_ctrl_c_is_the_users() -> None:
    """KeyboardInterrupt ends the run: it is not the backend's answer."""

    def breaks(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_case(codes_case(), planted.backend(**{OP: breaks}))
    with pytest.raises(KeyboardInterrupt):
        probe_bridge(planted.backend(from_numpy=breaks))


def answers() -> Iterator[Any]:
    """Results of every wrong kind."""
    yield from (None, [1, 2], "codes", 1.5, (), {}, {"a": None}, {1: [2]}, (None, None), object())
    yield from (iter([1]), lambda: 1, np.float32(1), np.array([None]), np.array(["a"]))
    yield np.zeros((1, 1), [("a", "u1")])
    yield np.zeros((1, 1), "datetime64[s]")
    yield np.full((1, 1), np.nan)
    yield np.zeros((0, 1), np.uint8)
    yield np.zeros((1, 1, 1), np.uint8)
    yield np.ma.masked_array(np.full((1, 1), 99, np.uint8), True)


@pytest.mark.parametrize("bridge", ["kept", "raw"])
@pytest.mark.parametrize("answer", list(answers()), ids=lambda answer: type(answer).__name__)
def test_an_answer_of_any_kind_is_reported(answer: Any, bridge: str) -> None:  # noqa: ANN401 - any
    """Whatever comes back, from the function or through the bridge, is a FAIL that is told."""
    functions: dict[str, Any] = {OP: lambda **_: answer}
    if bridge == "raw":
        functions["to_numpy"] = lambda value: value
    outcome = run_check(CHECK, planted.backend(**functions), seed=0, examples=2)
    assert outcome.status == "FAIL"
    assert outcome.counterexample is not None
    assert all(isinstance(value, np.ndarray) for value in outcome.counterexample.actual.values())
    assert failure_lines(outcome, "mine")
    report = Report("mine", "smoke", 0, {}, [outcome])
    assert json.loads(json.dumps(report_to_json(report)))["checks"][0]["status"] == "FAIL"


def test_numpys_error_state_is_restored() -> None:
    """A backend that makes numpy raise does not break the reference, nor the next check."""
    before = np.geterr()
    report = report_of(hostile.backend("raises_flags"))
    assert (report.exit_code, np.geterr()) == (0, before)
    guarded(hostile.backend("raises_flags"), 1).pack_fp4_to_uint8(**codes_case().inputs)
    assert np.geterr() == before


def test_a_slow_call_fails_and_ends_its_check(tmp_path: Path) -> None:
    """A call beyond the limit is a FAIL with the time; the check is cut short, the others run."""
    start = time.monotonic()
    backend = hostile.backend("sleeps")
    report = report_of(backend, case_timeout=1, cases_folder=tmp_path)
    assert time.monotonic() - start < 60
    slow = [outcome for outcome in report.outcomes if outcome.op == OP]
    assert {(o.status, o.detail) for o in slow} == {
        ("FAIL", "the check was cut short after case 1")
    }
    assert "  took longer than 1 s" in failure_lines(slow[0], "mine")
    assert statuses(report, "calculate_range") == {"PASS"}
    assert slow[0].case_file is not None
    difference = run_case(load_case(slow[0].case_file), guarded(backend, 0.1))[2]
    assert difference is not None
    assert difference.reason == "slow"


def test_a_slow_call_may_be_known() -> None:
    """A known failure may be a call beyond the limit."""
    entry = KnownFailure(OP, "*", "*", "never ends", "", Path(), "slow")
    backend = guarded(hostile.backend("sleeps"), 0.1)
    outcome = run_check(CHECK, backend, seed=0, examples=2, known=(entry,))
    assert (outcome.status, outcome.detail, outcome.known) == ("KNOWN", "never ends", {entry})


def test_a_known_slow_call_hides_no_other_failure() -> None:
    """Differences before and after a known slow call are a FAIL; that call is made once."""
    dtypes = (np.float16, np.float64, np.float32, np.float64)
    slow: list[Array] = []

    def wrong_or_slow(x: Array) -> Array:
        if x.dtype == np.float64:
            slow.append(x)
            time.sleep(60)
        return planted.next_to(reference.pack_fp4_to_uint8(x))

    backend = guarded(planted.backend(**{OP: wrong_or_slow}), 0.2)
    entry = KnownFailure(OP, "*", "float64", "never ends", "", Path(), "slow")
    for order in (dtypes[1:], dtypes[:2]):
        cases = [Case(OP, {"x": np.ones((1, 2), dtype)}) for dtype in order]
        check = replace(CHECK, make=lambda *_, cases=cases: iter(cases))
        slow.clear()
        outcome = run_check(check, backend, seed=0, examples=1, known=(entry,))
        assert (outcome.status, outcome.cases, outcome.known) == ("FAIL", 2, {entry})
        assert outcome.counterexample is not None
        assert outcome.counterexample.case.label in ("float16", "float32")
        assert len(slow) == 1


def test_shrinking_stops_at_a_slow_call() -> None:
    """A failure that shrinks into a call beyond the limit is shown as it was before."""
    calls: list[int] = []

    def slow_if_small(x: Array, **_: object) -> Array:
        if x.size < 64:
            calls.append(x.size)
            time.sleep(60)
        return np.zeros((1, 1), np.uint8)

    backend = guarded(planted.backend(**{OP: slow_if_small}), 0.5)
    case = Case(OP, {"x": np.ones((4, 64), np.float32)})
    small = shrink(case, backend)
    assert small.inputs["x"].size >= 64
    assert len(calls) == 1


def test_a_time_limit_lets_the_quick_through() -> None:
    """Calls within the limit return, raise, and are limited again, each on its own."""
    for _ in range(3):
        with time_limit(5):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 4
        with pytest.raises(TooSlowError, match=r"took longer than 0\.05 s"), time_limit(0.05):
            time.sleep(5)
        with pytest.raises(ZeroDivisionError), time_limit(5):
            raise ZeroDivisionError
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with time_limit(None):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_timer_that_ran_goes_on() -> None:
    """The handler and the timer of the caller are as before, less the time that passed."""
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(TooSlowError), time_limit(0.05):
            time.sleep(5)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < 0.3
        time.sleep(0.5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rung == [signal.SIGALRM]


def test_other_threads_have_no_limit() -> None:
    """Signals are the main thread's; elsewhere a call takes the time that it takes."""
    done: list[bool] = []

    def work() -> None:
        with time_limit(0.01):
            time.sleep(0.1)
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_a_guarded_backend_has_what_it_had() -> None:
    """Names, missing functions and constants are those of the backend."""
    backend = SimpleNamespace(quantize=reference.quantize, version="1")
    held = guarded(backend, 1)
    assert (held.version, held.quantize.__module__) == ("1", reference.quantize.__module__)
    assert not hasattr(held, "dequantize")
    assert unguarded(held) is unguarded(backend) is backend


def test_words_do_not_reach_the_report(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output is standard error in the body, for Python, the descriptor and C."""
    words = ["by print", "by the stream", "by the descriptor", "by C"]
    with speaking_aside():
        hostile.prints(**codes_case().inputs)
    out, err = capfd.readouterr()
    assert (out, all(word in err for word in words)) == ("", True)
    hostile.prints(**codes_case().inputs)
    assert "by the descriptor" in capfd.readouterr().out


@pytest.mark.parametrize("options", [("--jobs", "1"), ("--jobs", "2", "--isolate")])
def test_json_on_standard_output_is_json(options: tuple[str, ...], tmp_path: Path) -> None:
    """``--json -`` prints the report and nothing else, in whichever process the backend prints."""
    name = "tests.conformance.hostile:printing"
    command = [sys.executable, "-m", "qparity.conformance", "verify", name, "--json", "-"]
    run = subprocess.run(
        [*command, "--level", "smoke", "--op", OP, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["backend"] == name
    assert "by C" in run.stderr


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("crashes", "the process died (signal 11)"),
        ("leaves", "the process died (exit code 7)"),
        ("cannot_be_stopped", "took longer than 1 s, and the process had to be ended"),
    ],
)
def test_an_isolated_crash_is_one_error(name: str, detail: str) -> None:
    """Each check that loses its process is an ERROR that says how; all others are as ever."""
    load = hostile.loader(name)
    limit = 1 if name == "cannot_be_stopped" else 20
    report = report_of(load(), load=load, isolate=True, jobs=2, case_timeout=limit)
    plain = report_of(planted.backend())
    assert [(o.op, o.check) for o in report.outcomes] == [(o.op, o.check) for o in plain.outcomes]
    died = [outcome for outcome in report.outcomes if outcome.op == OP]
    assert {(o.status, o.detail) for o in died} == {("ERROR", detail)}
    assert statuses(report, "calculate_range") == {"PASS"}
    assert report.exit_code == 1


def test_an_isolated_bridge_that_crashes_blocks_the_rest() -> None:
    """A process that dies in the bridge is one error, and nothing else is run."""
    load = hostile.loader("crashes", "from_numpy")
    report = report_of(load(), load=load, isolate=True)
    assert [outcome.status for outcome in report.outcomes] == ["ERROR", "PASS", "BLOCKED"]


def test_isolation_changes_no_report() -> None:
    """A backend that behaves has the same report, byte for byte, with and without."""
    backend = planted.spoiled(OP, planted.next_to)
    texts = [
        json.dumps(report_to_json(report_of(backend, **options)))
        for options in ({}, {"load": spoiled, "isolate": True, "jobs": 2})
    ]
    assert texts[0] == texts[1]
    assert "FAIL" in texts[0]


def spoiled() -> object:
    """One wrong bit in the last code."""
    return planted.spoiled(OP, planted.next_to)


def test_without_isolation_a_crash_is_told() -> None:
    """A worker that dies without ``--isolate`` is bad input, in one line that names the option."""
    load = hostile.loader("crashes")
    with pytest.raises(ValueError, match="a process that ran it died; --isolate"):
        report_of(load(), load=load, jobs=2)
    with pytest.raises(ValueError, match="isolate: nothing loads the backend"):
        report_of(load(), isolate=True)


LEAVING = """
import os
from tests.conformance.hostile import leaves_python
from qparity.backends.numpy_backend import *
calculate_qparams = quantize = leaves_python
"""


@pytest.mark.parametrize(
    ("command", "module", "code", "says"),
    [
        (("verify", "mine", "--op", "quantize", "--jobs", "1"), LEAVING, 1, "DIFFERENT: mine"),
        (("verify", "mine", "--op", "quantize", "--jobs", "2"), LEAVING, 1, "DIFFERENT: mine"),
        (("laws", "--cases", "1", "W8A8", "--backend", "mine"), LEAVING, 1, "VIOLATED: W8A8"),
        (("explain", "W8A8", "1", "--diff", "mine"), LEAVING, 1, "raised SystemExit: os._exit(0)"),
        (("verify", "mine"), "import os\nos._exit(0)\n", 2, "raised SystemExit when imported"),
    ],
)
def test_a_backend_does_not_choose_the_exit_code(
    command: tuple[str, ...], module: str, code: int, says: str, tmp_path: Path
) -> None:
    """A backend that ends its process by ``os._exit(0)`` differs, in whatever command."""
    (tmp_path / "mine.py").write_text(module)
    options = ("--level", "smoke", "--scheme", "W8A8") if command[0] == "verify" else ()
    run = subprocess.run(
        [sys.executable, "-m", "qparity.conformance", *command, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, says in run.stdout + run.stderr) == (code, True), run


def test_a_forked_process_ends_as_ever() -> None:
    """A process that a backend forks, and ends by ``os._exit``, is ended with its code."""

    def forks() -> int:
        child = os.fork()
        if not child:
            os._exit(5)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    before = os._exit
    assert guarded(SimpleNamespace(forks=forks), 20).forks() == 5
    assert os._exit is before


@pytest.mark.parametrize("value", ["0", "-1", "nan", "soon", "inf", ""])
def test_a_limit_is_a_number_above_0(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that is none is bad usage."""
    with pytest.raises(SystemExit) as exited:
        main(["verify", "numpy", "--case-timeout", value])
    assert exited.value.code == 2
    assert "allowed: a number above 0" in capsys.readouterr().err


def flushes(*a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
    """Dequantize as a device in the flush-to-zero mode does."""
    result = reference.dequantize(*a, **k)
    tiny = np.abs(result) < np.finfo(np.float32).tiny
    return np.where(tiny, result.dtype.type(0), result)


def test_a_backend_that_flushes_is_named() -> None:
    """Flush-to-zero is one failure by its name, and blocks nothing; it can be known."""
    assert probe_backend_subnormals(planted.backend()).status == "PASS"
    outcome = probe_backend_subnormals(planted.backend(dequantize=flushes))
    assert outcome.status == "FAIL"
    assert outcome.detail == (
        "the backend flushes subnormals to zero: dequantize of code 1 with scale 0x00000200 gives 0"
    )
    report = report_of(planted.backend(dequantize=flushes))
    assert (report.exit_code, statuses(report, OP)) == (1, {"PASS"})
    assert probe_backend_subnormals(planted.backend(dequantize=flushes), (ENTRY,)).known == {ENTRY}


@pytest.mark.parametrize("change", [lambda q: -q, lambda q: q[None], lambda _: None])
def test_other_faults_are_no_flush(change: Any) -> None:  # noqa: ANN401 - a function
    """What is wrong in another way is left to the checks of ``dequantize``."""
    outcome = probe_backend_subnormals(planted.spoiled("dequantize", change))
    assert outcome.status == "UNSUPPORTED"
    assert probe_backend_subnormals(planted.lacking("dequantize")).status == "UNSUPPORTED"


def test_a_case_of_int8_is_unharmed() -> None:
    """A case on a guarded backend is equal in bits, or not, as without the guard."""
    inputs = {"x": np.ones(3, np.float32), "scale": np.ones(1, np.float32), "zero_point": None}
    case = Case("quantize", inputs | {"args": INT8})
    for backend in (planted.backend(), planted.spoiled("quantize", planted.next_to)):
        assert run_case(case, guarded(backend, 5))[2] == run_case(case, backend)[2]
