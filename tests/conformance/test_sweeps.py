"""Sweeps: every input once, evidence that says so, and interruptions that lose nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from rich.console import Console

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.bits import bits_of
from qparity.conformance.case import Case, expected_outputs
from qparity.conformance.case_file import load_case
from qparity.conformance.guard import guarded
from qparity.conformance.known_failure import KnownFailure
from qparity.conformance.outcome import Outcome, proof_of
from qparity.conformance.pytest_entry import conformance_tests
from qparity.conformance.report import print_report, report_to_json
from qparity.conformance.sweeps import Sweeping, all_sweeps, chosen_sweeps, fingerprint, run_sweeps
from qparity.conformance.sweeps.chunks import Workers
from qparity.conformance.sweeps.fingerprint import code_fingerprint
from qparity.conformance.sweeps.packing import codes_in_places, packed_bytes
from qparity.conformance.sweeps.scaling import scales
from qparity.conformance.sweeps.state import State, load_state
from qparity.conformance.sweeps.sweep import Sweep, inputs_of, patterns
from qparity.conformance.verify import verify
from qparity.reference import preset_name_to_scheme
from tests.conformance.planted import Array, backend, lacking

ODD = 0x3C01
KEY = {"numpy": "2.0", "code": "abc"}
THOROUGH = all_sweeps("thorough")


def sweep_of(op: str, name: str) -> Sweep:
    """The sweep of an operation, by its name."""
    return next(s for s in all_sweeps("exhaustive") if (s.op, s.name) == (op, name))


def to_fp8() -> Sweep:
    """All float16 to fp8, in 16 chunks."""
    sweep = sweep_of("round_to_quantized_type_args", "every float16 to fp8")
    return replace(sweep, per_chunk=4096)


def two_sweeps() -> list[Sweep]:
    """Two sweeps in 16 chunks each, for another process too."""
    second = sweep_of("round_to_quantized_type_dtype", "every bfloat16 to int8")
    return [to_fp8(), replace(second, per_chunk=4096)]


def outcome_of(sweep: Sweep, judged: object, **options: Any) -> Outcome:  # noqa: ANN401 - of run_sweeps
    """The outcome of one sweep."""
    (outcome,) = run_sweeps([sweep], judged, **{"state": State(None, {}), **options})
    return outcome


def odd_one(bits: int = ODD) -> SimpleNamespace:
    """The reference as a backend, but for one float16, which it rounds to 0."""

    def rounding(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        result = reference.round_to_quantized_type_args(x, *a, **k)
        return np.where(bits_of(x) == bits, result.dtype.type(0), result)

    return backend(round_to_quantized_type_args=rounding)


def interrupted(
    after: int, answer: Callable[..., Array] = reference.round_to_quantized_type_args
) -> SimpleNamespace:
    """The reference as a backend that is interrupted after so many calls."""
    calls: list[int] = []

    def rounding(*a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return answer(*a, **k)

    return backend(round_to_quantized_type_args=rounding)


def calls_of(**functions: Callable[..., Any]) -> tuple[SimpleNamespace, list[str]]:
    """A backend that notes which operations are called."""
    called: list[str] = []

    def noting(op: str, *a: Any, **k: Any) -> Any:  # noqa: ANN401 - as the reference's
        called.append(op)
        return functions.get(op, getattr(reference, op))(*a, **k)

    ops = ("round_to_quantized_type_args", "round_to_quantized_type_dtype")
    return backend(**{op: partial(noting, op) for op in ops}), called


# Every input once


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("per_chunk", [65536, 4096, 5000])
def test_every_pattern_of_16_bits_is_swept_once(name: str, per_chunk: int) -> None:
    """The chunks of a sweep of 2^16 hold every bit pattern exactly once, wherever they are cut."""
    for sweep in THOROUGH:
        if sweep.name != f"every {name} to float8_e4m3fn":
            continue
        cut = replace(sweep, per_chunk=per_chunk)
        cases = [cut.make_chunk(index) for index in range(cut.chunks)]
        assert {case.inputs["x"].dtype.name for case in cases} == {name}
        bits = np.concatenate([bits_of(case.inputs["x"]) for case in cases])
        assert np.array_equal(np.bincount(bits, minlength=1 << 16), np.ones(1 << 16))


def test_every_pattern_of_32_bits_is_swept_once() -> None:
    """The chunks of a sweep of 2^32 begin at 0, follow each other and end at 2^32."""
    wide = all_sweeps("exhaustive")[len(THOROUGH) :]
    assert {sweep.total for sweep in wide} == {1 << 32}
    assert len(wide) == 11 + 11
    for sweep in wide:
        bounds = [sweep.bounds(index) for index in range(sweep.chunks)]
        assert bounds[0][0] == 0
        assert bounds[-1][1] == 1 << 32
        assert all(a[1] == b[0] and a[0] < a[1] for a, b in pairwise(bounds))
        for index in (0, 1, sweep.chunks // 2, sweep.chunks - 1):
            x = sweep.make_chunk(index).inputs["x"]
            start, stop = bounds[index]
            assert x.dtype == np.float32
            assert np.array_equal(bits_of(x), np.arange(start, stop, dtype=np.int64))


def test_every_scale_is_met() -> None:
    """The scales are all positive finite e4m3, and a chunk of a sweep takes each in turn."""
    every = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    positive = every[np.isfinite(every) & (every > 0)]
    assert np.array_equal(scales().astype(np.float32), positive)
    sweep = sweep_of("quantize", "every bfloat16 x every e4m3 scale to fp4")
    used = [sweep.make_chunk(index).inputs["scale"] for index in range(sweep.chunks)]
    assert np.array_equal(np.concatenate(used).astype(np.float32), positive)


def test_all_targets_formats_and_dtypes_are_swept() -> None:
    """Each level holds what it promises: targets, formats, unpacking and both compute dtypes."""
    names: dict[str, set[str]] = {}
    for sweep in THOROUGH:
        names.setdefault(sweep.op, set()).add(sweep.name)
    assert sum(len(group) for group in names.values()) == len(THOROUGH)
    assert {op for op in names if "pack" in op} == {op for op in reference.__all__ if "pack" in op}
    for dtype in ("float16", "bfloat16"):
        for kind in ("fp4", "fp8", "int8"):
            name = f"every {dtype} x every e4m3 scale to {kind}"
            assert {name, f"{name}, computed in float32"} <= names["quantize"]
        for code in [*(f"int{b}" for b in range(1, 9)), "fp4", "fp6", "fp8"]:
            assert f"every {dtype} to {code}" in names["round_to_quantized_type_args"]
        for target in ("int8", "uint8", *(f for f in reference.FORMATS if f.startswith("float"))):
            assert f"every {dtype} to {target}" in names["round_to_quantized_type_dtype"]
    assert all_sweeps("quick") == all_sweeps(None) == []


@pytest.mark.parametrize("sweep", THOROUGH, ids=lambda sweep: f"{sweep.op} {sweep.name}")
def test_a_chunk_holds_the_inputs_that_it_should(sweep: Sweep) -> None:
    """The first and the last chunk hold as many inputs as are planned, and the reference agrees."""
    for index in {0, sweep.chunks - 1}:
        case = sweep.make_chunk(index)
        assert case.op == sweep.op
        with np.errstate(all="ignore"):
            expected = expected_outputs(case)
        assert inputs_of(case, expected) == sweep.inputs_in(index)
    assert sum(sweep.inputs_in(index) for index in range(sweep.chunks)) == sweep.total


@pytest.mark.parametrize("bits", range(1, 9))
def test_every_code_is_in_every_place(bits: int) -> None:
    """Every code stands in every place of a row, and the bytes of a row hold its codes in order."""
    places = int(np.lcm(bits, 32)) // bits
    codes = codes_in_places(bits, places)
    for place in range(places):
        assert set(codes[:, place].tolist()) == set(range(1 << bits))
    row = next(row for row in codes if len(set(row.tolist())) > 1)
    number = int.from_bytes(packed_bytes(row[None], bits).tobytes(), "little")
    assert [number >> bits * i & ((1 << bits) - 1) for i in range(places)] == row.tolist()


def test_a_chunk_beyond_the_last_is_refused() -> None:
    """A chunk that is not there is an error, not an empty case."""
    sweep = to_fp8()
    for index in (-1, sweep.chunks):
        with pytest.raises(IndexError, match=f"index: {index} is not allowed; allowed: 0 to 15"):
            sweep.make_chunk(index)


# What an outcome says


def test_an_equal_backend_is_proven() -> None:
    """If all inputs were compared and are equal, the evidence is exhaustive, all of all."""
    outcome = outcome_of(to_fp8(), load_backend("numpy"))
    assert (outcome.status, outcome.cases, outcome.differing) == ("PASS", 16, 0)
    assert (outcome.inputs, outcome.planned) == (65536, 65536)
    assert outcome.proof == "exhaustive 65536/65536"


def test_evidence_of_two_kinds_is_not_added_up() -> None:
    """Exhaustive evidence shows inputs of inputs, sampled evidence how many numbers."""
    swept = Outcome("a", "b", evidence="exhaustive", inputs=1 << 32, planned=1 << 32)
    assert swept.proof == "exhaustive 4294967296/4294967296"
    assert proof_of([swept, swept]) == "exhaustive 8589934592/8589934592"
    assert Outcome("a", "b", elements=12800).proof == "sampled 12800"
    assert Outcome("a", "b", elements=7, evidence="fixed").proof == "fixed 7"


def test_one_wrong_input_of_65536_is_found(tmp_path: Path) -> None:
    """A fault of one input of 65536 is found, counted, and shrunk to that input."""
    outcome = outcome_of(to_fp8(), odd_one(), cases_folder=tmp_path)
    assert (outcome.status, outcome.differing, outcome.proof) == (
        *("FAIL", 1),
        "exhaustive 65536/65536",
    )
    assert outcome.case_file is not None
    x = load_case(outcome.case_file).inputs["x"]
    assert bits_of(x).tolist() == [ODD]


def test_a_wrong_code_of_a_scale_is_found(tmp_path: Path) -> None:
    """A fault at one number of one scale is shrunk to that number and scale."""

    def quantizing(x: Array, scale: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        result = reference.quantize(x, scale, *a, **k)
        wrong = (bits_of(x) == ODD) & (float(scale.reshape(-1)[0]) == 0.4375)
        return np.where(wrong, -result, result)

    sweep = sweep_of("quantize", "every float16 x every e4m3 scale to int8")
    outcome = outcome_of(sweep, backend(quantize=quantizing), cases_folder=tmp_path)
    assert (outcome.status, outcome.differing) == ("FAIL", 1)
    assert outcome.proof == f"exhaustive {126 << 16}/{126 << 16}"
    assert outcome.case_file is not None
    inputs = load_case(outcome.case_file).inputs
    assert bits_of(inputs["x"]).tolist() == [ODD]
    assert inputs["scale"].reshape(-1).tolist() == [0.4375]


def test_an_accepted_fault_is_known() -> None:
    """A sweep whose failing case is a known failure is KNOWN, not FAIL."""
    entry = KnownFailure("round_to_quantized_type_args", "*", "*", "one code", "w", Path())
    outcome = outcome_of(to_fp8(), odd_one(), known=[entry])
    assert (outcome.status, outcome.differing, outcome.known) == ("KNOWN", 1, {entry})


def test_a_known_fault_hides_none_of_another_kind() -> None:
    """A chunk that raises fails the sweep, however many chunks before it are wrong as known."""

    def breaking(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        if bits_of(x)[0] == 9 * 4096:
            raise RuntimeError("an illegal memory access")
        return -reference.round_to_quantized_type_args(x, *a, **k)

    entry = KnownFailure("round_to_quantized_type_args", "*", "*", "the sign", "w", Path())
    judged = backend(round_to_quantized_type_args=breaking)
    outcome = outcome_of(to_fp8(), judged, known=[entry])
    assert (outcome.status, outcome.known) == ("FAIL", {entry})
    assert outcome.counterexample is not None
    assert outcome.counterexample.difference.reason == "raised"


def test_a_lacking_operation_is_unsupported() -> None:
    """What the backend lacks is unsupported, and the sweeps after it are run."""
    first, second = two_sweeps()
    judged = lacking(first.op)
    outcomes = list(run_sweeps([first, second], judged, state=State(None, {})))
    assert [o.status for o in outcomes] == ["UNSUPPORTED", "PASS"]
    assert [o.evidence for o in outcomes] == ["sampled", "exhaustive"]


def test_a_declined_chunk_is_no_proof() -> None:
    """If the backend declines one chunk, the evidence is not exhaustive, nor kept as proven."""

    def declining(x: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        if bits_of(x)[0] == 3 * 4096:
            raise NotImplementedError("not for these")
        return reference.round_to_quantized_type_args(x, *a, **k)

    outcome = outcome_of(to_fp8(), backend(round_to_quantized_type_args=declining))
    assert (outcome.status, outcome.unsupported) == ("PASS", 1)
    assert outcome.proof == f"sampled {15 * 4096}"
    state = State(None, {})
    with pytest.raises(KeyboardInterrupt):
        outcome_of(to_fp8(), interrupted(8, declining), state=state)
    assert state.chunks(to_fp8()) == 3


def test_fewer_inputs_than_planned_are_an_error() -> None:
    """A sweep whose chunks hold fewer inputs than it says is an ERROR, and proves nothing."""

    def short(make: Callable[[int, int], Case], start: int, stop: int) -> Case:
        return make(start, stop - 1)

    sweep = replace(to_fp8(), make=partial(short, to_fp8().make))
    outcome = outcome_of(sweep, load_backend("numpy"))
    assert (outcome.status, outcome.evidence) == ("ERROR", "sampled")
    assert outcome.detail.startswith("planned 65536 ")


def test_a_sweep_that_breaks_is_an_error() -> None:
    """An exception of the maker of one chunk is told, and the sweeps after it are run."""

    def broken(make: Callable[[int, int], Case], start: int, stop: int) -> Case:
        if start == 4096:
            raise ZeroDivisionError("of a chunk")
        return make(start, stop)

    first, second = two_sweeps()
    sweeps = [replace(first, make=partial(broken, first.make)), second]
    outcomes = list(run_sweeps(sweeps, load_backend("numpy"), state=State(None, {})))
    assert [o.status for o in outcomes] == ["ERROR", "PASS"]
    assert "1 chunks, the first: ZeroDivisionError: of a chunk" in outcomes[0].detail


def test_a_backend_that_hangs_is_called_once() -> None:
    """After a call that takes too long the rest of its sweep is not run: FAIL, and no proof."""
    calls: list[int] = []

    def hanging(*a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        calls.append(1)
        while len(calls) == 1:
            pass
        return reference.round_to_quantized_type_args(*a, **k)

    judged = guarded(backend(round_to_quantized_type_args=hanging), 0.05)
    outcome = outcome_of(to_fp8(), judged)
    assert (outcome.status, outcome.evidence, len(calls)) == ("FAIL", "sampled", 1)
    assert "the rest was not run" in outcome.detail


# Which sweeps


def test_sweeps_are_chosen_by_operation_scheme_and_rule() -> None:
    """An operation, a scheme or a compute dtype leaves only the sweeps that they are about."""
    by_op = chosen_sweeps("thorough", ["dequantize"])
    assert {s.op for s in by_op} == {"dequantize"}
    schemes = {"NVFP4": preset_name_to_scheme("NVFP4", ("Linear",))}
    by_scheme = chosen_sweeps("exhaustive", (), schemes)
    assert {s.code_format for s in by_scheme} == {"fp4"}
    assert {s.op for s in by_scheme} == {"round_to_quantized_type_args", "quantize", "dequantize"}
    mx = {"MXFP8": preset_name_to_scheme("MXFP8", ("Linear",))}
    assert {s.code_format for s in chosen_sweeps("thorough", (), mx)} == {"fp8"}
    by_rule = chosen_sweeps("thorough", ["quantize"], None, np.dtype(np.float32))
    assert {s.compute_dtype for s in by_rule} == {"float32"}
    assert {s.compute_dtype for s in chosen_sweeps("thorough", ["quantize"])} == {"", "float32"}


# Interruptions


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    """After an interruption the file has the chunks that were equal; the rest gives one report."""
    sweep, name = to_fp8(), "my.quant:kernels"
    whole = outcome_of(sweep, load_backend("numpy"))
    with pytest.raises(KeyboardInterrupt):
        outcome_of(sweep, interrupted(after=5), state=load_state(tmp_path, name, KEY))
    (path,) = tmp_path.iterdir()
    assert list(json.loads(path.read_text())["proven"].values()) == [5]
    judged, called = calls_of()
    resumed = outcome_of(sweep, judged, state=load_state(tmp_path, name, KEY))
    assert len(called) == 11
    assert resumed == whole
    assert list(tmp_path.iterdir()) == []
    judged, called = calls_of()
    assert outcome_of(sweep, judged, state=load_state(tmp_path, name, KEY)) == whole
    assert len(called) == 16


def test_fresh_proves_everything_again(tmp_path: Path) -> None:
    """A fresh run takes nothing from the file."""
    sweep = to_fp8()
    with pytest.raises(KeyboardInterrupt):
        outcome_of(sweep, interrupted(after=5), state=load_state(tmp_path, "a", KEY))
    judged, called = calls_of()
    state = load_state(tmp_path, "a", KEY, fresh=True)
    assert outcome_of(sweep, judged, state=state).status == "PASS"
    assert len(called) == 16


def test_a_wrong_chunk_is_never_kept_as_proven(tmp_path: Path) -> None:
    """A failing sweep fails again, with the same count, when it goes on."""
    sweep = to_fp8()
    first = outcome_of(sweep, odd_one())
    judged = interrupted(8, odd_one().round_to_quantized_type_args)
    with pytest.raises(KeyboardInterrupt):
        outcome_of(sweep, judged, state=load_state(tmp_path, "a", KEY))
    state = load_state(tmp_path, "a", KEY)
    assert state.chunks(sweep) == ODD // 4096
    again = outcome_of(sweep, odd_one(), state=state)
    assert (again.status, again.differing, again.proof) == ("FAIL", 1, first.proof)


@pytest.mark.parametrize(
    "other",
    [
        {"numpy": "2.1", "code": "abc"},
        {"numpy": "2.0", "code": "abd"},
        {"numpy": "2.0"},
        {**KEY, "torch": "2.0"},
    ],
)
def test_a_state_of_other_versions_is_not_trusted(tmp_path: Path, other: dict[str, str]) -> None:
    """Another version, other code, one library more or less: nothing is proven."""
    state = load_state(tmp_path, "a", KEY)
    state.advance(to_fp8(), 7)
    state.save()
    assert load_state(tmp_path, "a", KEY).chunks(to_fp8()) == 7
    assert load_state(tmp_path, "a", other).chunks(to_fp8()) == 0


def test_a_state_of_another_backend_or_cut_is_not_trusted(tmp_path: Path) -> None:
    """Names that share a file do not share proofs, and chunks of another size are other chunks."""
    state = load_state(tmp_path, "torch:cpu", KEY)
    state.advance(to_fp8(), 7)
    state.save()
    assert load_state(tmp_path, "torch_cpu", KEY).path == state.path
    assert load_state(tmp_path, "torch_cpu", KEY).proven == {}
    cut = replace(to_fp8(), per_chunk=8192)
    assert load_state(tmp_path, "torch:cpu", KEY).chunks(cut) == 0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"schema": 2}', '{"schema": 1, "key": {}, "proven": {}}', "\udce9"],
)
def test_a_file_that_is_no_state_proves_nothing(tmp_path: Path, text: str) -> None:
    """A cut, foreign or empty state file is as none."""
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert load_state(tmp_path, "a", KEY).proven == {}


def test_numbers_of_chunks_that_cannot_be_are_dropped(tmp_path: Path) -> None:
    """Of a state file, only whole numbers of chunks count, and never more than there are."""
    state = load_state(tmp_path, "a", KEY)
    sweep = to_fp8()
    for found, kept in ((-1, 0), (1.5, 0), ("3", 0), (True, 0), (10**9, 16)):
        state.proven = {next(iter(_advanced(sweep))): found}  # type: ignore[dict-item]
        state.save()
        assert load_state(tmp_path, "a", KEY).chunks(sweep) == kept


def _advanced(sweep: Sweep) -> Iterator[str]:
    state = State(None, {})
    state.advance(sweep, 1)
    yield from state.proven


def test_the_code_of_the_backend_is_part_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change in any file of the backend's package changes the digest; a cache does not."""
    package = tmp_path / "swept_backend"
    package.mkdir()
    (package / "__init__.py").write_text("from .kernel import *\n")
    (package / "kernel.py").write_text("def quantize(x): return x\n")
    (package / "kernel.cu").write_text("// 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    judged = load_module("swept_backend")
    before = code_fingerprint(judged)
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "kernel.pyc").write_text("cache")
    assert code_fingerprint(judged) == before
    (package / "kernel.cu").write_text("// 2\n")
    assert code_fingerprint(judged) != before
    before = code_fingerprint(judged)
    os.utime(package / "kernel.cu", ns=(1, 1))
    assert code_fingerprint(judged) == before
    monkeypatch.setattr("qparity.conformance.sweeps.fingerprint._READ_AT_MOST", 10)
    before = code_fingerprint(judged)
    os.utime(package / "kernel.cu", ns=(2, 2))
    assert code_fingerprint(judged) != before
    assert code_fingerprint(guarded(judged, 1).backend) == code_fingerprint(judged)
    assert code_fingerprint(load_backend("numpy")) != before


def test_the_code_that_a_backend_calls_is_part_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change in a loaded module, or an extension beside one, begins an interrupted run anew."""
    (tmp_path / "swept_top.py").write_text("import swept_low\ndef quantize(x): return x\n")
    files = [tmp_path / name for name in ("swept_low.py", "swept_later.py", "swept_kernel.so")]
    for path in files:
        path.write_text("# 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    judged = load_module("swept_top")
    for path in files:
        before = code_fingerprint(judged)
        assert code_fingerprint(judged) == before
        path.write_text("# 2\n")
        assert code_fingerprint(judged) != before
    before = code_fingerprint(judged)
    (tmp_path / "notes.txt").write_text("of no effect")
    (tmp_path / "swept_low.py").touch()
    assert code_fingerprint(judged) == before
    monkeypatch.setattr(fingerprint, "_versions", lambda: ["a library 2.0"])
    assert code_fingerprint(judged) != before


def load_module(name: str) -> object:
    """A module by its name."""
    return __import__(name)


# Processes


def test_processes_give_the_outcomes_of_one() -> None:
    """Chunks over two processes give the same outcomes as in this one, in the same order."""
    numpy_backend = load_backend("numpy")
    here = list(run_sweeps(two_sweeps(), numpy_backend, state=State(None, {})))
    workers = Workers(partial(load_backend, "numpy"), two_sweeps, 2)
    seen: list[tuple[int, int]] = []
    there = list(
        run_sweeps(
            two_sweeps(),
            numpy_backend,
            state=State(None, {}),
            workers=workers,
            watch=lambda done, total: seen.append((done, total)),
        )
    )
    assert there == here
    assert [total for _, total in seen] == [2 << 16] * len(seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert (seen[0][0], seen[-1][0]) == (0, 2 << 16)


def test_what_is_proven_of_all_sweeps_is_told_first() -> None:
    """The first count is of what an earlier run proved of every sweep, not of the first alone."""
    state = State(None, {})
    numpy_backend = load_backend("numpy")
    for sweep in two_sweeps():
        state.advance(sweep, sweep.chunks)
    seen: list[tuple[int, int]] = []
    watched = run_sweeps(two_sweeps(), numpy_backend, state=state, watch=lambda *n: seen.append(n))
    assert [outcome.inputs for outcome in watched] == [1 << 16] * 2
    assert set(seen) == {(2 << 16, 2 << 16)}


def dying() -> SimpleNamespace:
    """A backend that ends its process."""
    return backend(round_to_quantized_type_args=lambda *_, **__: os._exit(1))


def test_a_worker_that_dies_is_an_error() -> None:
    """If a process dies, its sweep and those after it are errors, none of them proven."""
    workers = Workers(dying, two_sweeps, 1)
    state = State(None, {})
    outcomes = list(run_sweeps(two_sweeps(), dying(), state=state, workers=workers))
    assert [(o.status, o.evidence) for o in outcomes] == [("ERROR", "sampled")] * 2
    assert "a process that ran the sweeps died" in outcomes[1].detail
    assert state.proven == {}


def test_ctrl_c_leaves_a_state_to_go_on_from(tmp_path: Path) -> None:
    """Ctrl-C on the command, workers and all, exits with 130 and a whole file of what is proven."""
    command = [sys.executable, "-m", "qparity.conformance", "verify", "numpy", "--jobs", "2"]
    command += ["--level", "exhaustive", "--op", "round_to_quantized_type_args", "--scheme", "FP8"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    path = tmp_path / ".qparity" / "sweeps" / "numpy.json"
    deadline = time.monotonic() + 60
    while not (path.exists() and "every float32" in path.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (130, "")
    data = json.loads(path.read_text())
    assert data["key"]["backend"] == "numpy"
    assert min(data["proven"].values()) > 0
    assert [other.name for other in path.parent.iterdir()] == ["numpy.json"]


def test_a_level_runs_checks_and_sweeps(tmp_path: Path) -> None:
    """Thorough is the sampled checks and the sweeps; the report tells the evidence of both."""
    sweeping = Sweeping(tmp_path)
    options = {"level": "thorough", "operations": ["unpack_fp4_from_uint8"]}
    report = verify(load_backend("numpy"), name="numpy", sweeping=sweeping, **options)  # type: ignore[arg-type]
    assert report.exit_code == 0
    assert list(tmp_path.iterdir()) == []
    rows = [c for c in report_to_json(report)["checks"] if c["op"] == "unpack_fp4_from_uint8"]
    assert [row["evidence"] for row in rows] == ["exhaustive"] * 4 + ["sampled"] * 4
    assert {row["proof"] for row in rows[:4]} == {"exhaustive 128/128"}
    assert all(row["proof"] == f"sampled {row['elements']}" for row in rows[4:])
    out = StringIO()
    print_report(report, Console(file=out, width=100))
    assert "exhaustive 512/512" in out.getvalue()


def test_sweeps_are_tests_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an author's own tests each sweep is a test, which fails with the counterexample."""
    monkeypatch.chdir(tmp_path)
    options: dict[str, Any] = {
        "level": "thorough",
        "operations": ["round_to_quantized_type_args"],
    }
    names = {s.name for s in chosen_sweeps(**options)}
    tests = conformance_tests(odd_one(), **options)
    swept = {name: test for name, test in tests.items() if "_every_" in name}
    assert len(swept) == len(names)
    swept["test_round_to_quantized_type_args_every_bfloat16_to_int4"]()
    with pytest.raises(pytest.fail.Exception, match=f"0x{ODD:04x}"):
        swept["test_round_to_quantized_type_args_every_float16_to_int4"]()


def test_patterns_are_views_of_bits() -> None:
    """The numbers of a chunk are its bit patterns, NaN and the last one included."""
    last = patterns(np.dtype(np.float32), (1 << 32) - 2, 1 << 32)
    assert bits_of(last).tolist() == [(1 << 32) - 2, (1 << 32) - 1]
    assert np.isnan(last).all()
