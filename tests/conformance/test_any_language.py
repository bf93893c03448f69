"""Kernels in any language: gen, a kernel, check, over lines and over npz."""

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity.conformance import stream
from qparity.conformance.array_text import decode_array, encode_array
from qparity.conformance.case import Case, expected_outputs
from qparity.conformance.case_file import case_to_json
from qparity.conformance.commands.console import EXIT_CODES
from qparity.conformance.judge import Tally, judge
from qparity.conformance.line import (
    case_fields,
    case_of,
    decode_fields,
    inputs_text,
)
from qparity.conformance.only import cases_meeting
from qparity.conformance.operations import public_operations
from qparity.conformance.stream import Question, make_questions, questions_of, read_lines
from qparity.conformance.stream import write_line as line_of
from qparity.conformance.stream_npz import read_npz, write_npz
from qparity.reference import FORMATS, FloatFormat, IntFormat
from tests.conformance.planted import reciprocal_case

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "quantize_int8.c"
GUIDE = ROOT / "docs" / "any-language.md"
CC = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "cc"
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
SUPPORTED = (
    *("args.type=int", "args.num_bits=8", "args.strategy=tensor"),
    *("x=float32", "scale=float32", "zero_point=null", "dtype=int8"),
)
ONLY_RAW = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def outputs_text(question: Question) -> str:
    """The right answer to a question, as a kernel writes it."""
    with np.errstate(all="ignore"):
        outputs = expected_outputs(question.case)
    return " ".join(f"{name or 'out'}={encode_array(value)}" for name, value in outputs.items())


def answered(question: Question) -> str:
    """The line of a question with the right answer."""
    return f"{line_of(question)} -> {outputs_text(question)}"


def judged(op: str, *lines: str) -> tuple[Tally, list[str]]:
    """What the judge makes of lines."""
    said: list[str] = []
    text = "".join(f"{line}\n" for line in lines)
    return judge(op, read_lines(io.StringIO(text)), said.append), said


def one() -> Question:
    """A single case whose answer is known: x / scale is an ulp beyond a tie."""
    return next(questions_of("quantize", [reciprocal_case()]))


def qparity(*arguments: str, feed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "qparity.conformance", *arguments]
    return subprocess.run(command, cwd=ROOT, input=feed, capture_output=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example is compiled: as ``good``, and as ``broken`` with the reciprocal."""
    made = tmp_path_factory.mktemp("kernels")
    for name, more in (("good", []), ("broken", ["-DBROKEN"])):
        command = [CC, *FLAGS, *more, str(EXAMPLE), "-lm", "-o", str(made / name)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
    return made


@pytest.mark.parametrize("op", public_operations())
def test_lines_and_npz_carry_every_operation(op: str) -> None:
    """Through lines and through npz every case arrives with its bits, and its answer is equal."""
    questions = list(make_questions(op, number=12, seed=3))
    tally, said = judged(op, *map(answered, questions))
    assert (tally.cases, tally.exit_code, said) == (12, 0, [])
    file = io.BytesIO()
    write_npz(iter(questions), file)
    members = dict(np.load(io.BytesIO(file.getvalue())))
    for question in questions:
        with np.errstate(all="ignore"):
            outputs = expected_outputs(question.case)
        for name, value in outputs.items():
            key = f"{question.header.index}/out/{name or 'out'}"
            raw = value.dtype.name in ONLY_RAW
            key, bits = (f"{key}.{value.dtype.name}", f"u{value.itemsize}") if raw else (key, None)
            members[key] = value if bits is None else value.view(bits)
    answers = io.BytesIO()
    np.savez(answers, **members)
    tally = judge(op, read_npz(io.BytesIO(answers.getvalue())), said.append)
    assert (tally.cases, tally.exit_code, said) == (12, 0, [])


@pytest.mark.parametrize("op", public_operations())
def test_a_case_comes_back_from_its_fields(op: str) -> None:
    """The text of a line holds all inputs, whatever their type."""
    for question in make_questions(op, number=6, seed=1):
        text = inputs_text(case_fields(question.case))
        back = case_of(op, decode_fields(iter(text.split(" "))))
        asked, came = (Case(op, contiguous(case.inputs)) for case in (question.case, back))
        assert case_to_json(came) == case_to_json(asked)


@pytest.mark.parametrize(
    "row",
    [
        FORMATS["float8_e4m3fn"],
        IntFormat(bits=3),
        IntFormat(bits=3, signed=False),
        FloatFormat(exponent_bits=5, mantissa_bits=3),
        FloatFormat(exponent_bits=3, mantissa_bits=2, max=12.0),
    ],
    ids=lambda row: row.name,
)
def test_a_format_travels(row: FloatFormat | IntFormat) -> None:
    """A format that upstream has by its name, another one by its fields."""
    ends = {"min_val": np.zeros(1, np.float32), "max_val": np.ones(1, np.float32)}
    text = inputs_text(case_fields(Case("generate_gparam", {**ends, "quant_data": row})))
    back = case_of("generate_gparam", decode_fields(iter(text.split(" "))))
    assert back.inputs["quant_data"] == row


@pytest.mark.parametrize(
    "text", ["{}", "3", "null", "nope", '{"bits":"x"}', '{"other":1}', '{"signed":false}']
)
def test_what_is_no_format_is_named(text: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=r"^quant_data: |^bits: "):
        case_of("generate_gparam", {"quant_data": text})


def test_no_more_cases_are_made_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of three cases takes one from each of three checks, and leaves the others alone."""
    made = []

    def counted(*given: Any) -> Iterator[Case]:  # noqa: ANN401 - as the original's
        for case in cases_meeting(*given):
            made.append(case)
            yield case

    monkeypatch.setattr(stream, "cases_meeting", counted)
    assert len(list(make_questions("pack_to_int32", number=3))) == len(made) == 3


def contiguous(value: Any) -> Any:  # noqa: ANN401 - any input
    """The same inputs, the arrays in C order."""
    if isinstance(value, np.ndarray):
        return np.array(value, order="C")
    if isinstance(value, dict):
        return {key: contiguous(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(contiguous(item) for item in value)
    return value


@pytest.mark.parametrize(
    "array",
    [
        np.array(1.5, np.float32),
        np.zeros((0, 3), np.float64),
        np.array([[-0.0], [np.nan]], np.float16),
        np.arange(-3, 3, dtype=np.int64).reshape(2, 3)[:, ::2],
    ],
    ids=["0-D", "empty", "halves", "strided"],
)
def test_arrays_come_back_from_text(array: np.ndarray) -> None:
    """Any array comes back with its dtype, shape and bits."""
    back = decode_array("x", encode_array(array))
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


def test_words_need_no_leading_zeros() -> None:
    """A kernel may write words in one to all of their digits, in either case."""
    assert decode_array("out", "int8:3:0,F,ff").tolist() == [0, 15, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int8:2:00", "1 numbers; the shape '2' has 2"),
        ("int8:1:100", "'100' is no word; allowed: 1 to 2 hexadecimal digits"),
        ("int8:1:-1", "'-1' is no word"),
        ("int8:1:0g", "'0g' is no word"),
        ("int8:2:00,", "'' is no word"),
        ("int9:1:00", "'int9' is no dtype"),
        ("int8:-1:00", "'-1' is no shape"),
        ("int8:1x:00", "'1x' is no shape"),
        ("int8:0x99999999999999999999:", "is too large a shape"),
        ("int8", "'int8' is no array"),
    ],
)
def test_wrong_arrays_are_named(text: str, message: str) -> None:
    """Text that is no array is refused; the message names the field, the text, what is allowed."""
    with pytest.raises(ValueError, match=f"^out: .*{re.escape(message)}"):
        decode_array("out", text)


def test_one_wrong_bit_is_told() -> None:
    """A wrong code is shown with its inputs, both answers and the place of the tie."""
    tally, said = judged("quantize", f"{line_of(one())} -> out=float32:1:80000000")
    assert (tally.exit_code, tally.differing) == (1, 1)
    text = "\n".join(said)
    assert "FAIL quantize int8 tensor symmetric float32" in said[0]
    assert "1 of 1 elements differ, line 1" in said[0]
    for part in ("0xbf780001", "0x3ff80000", "0xbf800000 -1", "0x80000000 -0", "tie -0.5"):
        assert part in text


@pytest.mark.parametrize(
    ("outputs", "detail"),
    [
        ("out=int8:1:ff", "expected dtype float32, actual int8"),
        ("out=float32:1x1:bf800000", "expected shape (1,), actual (1, 1)"),
        ("codes=float32:1:bf800000", "expected outputs ['out'], actual ['codes']"),
    ],
)
def test_wrong_types_are_differences(outputs: str, detail: str) -> None:
    """Another dtype, shape or name of an output is a difference, not a malformed line."""
    tally, said = judged("quantize", f"{line_of(one())} -> {outputs}")
    assert tally.exit_code == 1
    assert any(detail in line for line in said)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line.replace("bf780001", "bf780002"), "is not as it was asked"),
        (lambda line: line.replace("num_bits=8", "num_bits=4"), "is not as it was asked"),
        (lambda line: line.replace("case=0/1", "case=0/2"), "is not as it was asked"),
        (lambda line: line.partition(" -> ")[0], "no answer"),
        (lambda line: line.partition(" -> ")[0] + " -> ", "outputs: no array"),
        (lambda line: line.partition(" -> ")[0] + " -> out=1", "out: no array"),
        (lambda line: line + " out=int8:1:00", "out: given twice"),
        (lambda line: line + " hello", "'hello' is no field"),
        (lambda line: line.replace("qparity1", "qparity2"), "does not begin a case"),
        (lambda _: "loading the model ...", "does not begin a case"),
        (lambda _: "", "does not begin a case"),
    ],
)
def test_malformed_lines_are_refused(change: object, message: str) -> None:
    """A changed input, a missing answer, stray text: refused, with the number of the line."""
    assert callable(change)
    with pytest.raises(ValueError, match=f"^line 1: .*{re.escape(message)}"):
        judged("quantize", change(answered(one())))


def test_lost_and_swapped_cases_are_refused() -> None:
    """Answers come in order and all of them, whatever became of the kernel."""
    first, second, third = map(answered, make_questions("pack_to_int32", number=3))
    with pytest.raises(ValueError, match=r"^the input ends after 2 of 3 cases$"):
        judged("pack_to_int32", first, second)
    with pytest.raises(ValueError, match=r"^line 2: .* allowed: case=1/3"):
        judged("pack_to_int32", first, third)
    with pytest.raises(ValueError, match=r"^line 2: .* allowed: case=1/3"):
        judged("pack_to_int32", first, first)
    with pytest.raises(ValueError, match=r"^line 1: op: 'pack_to_int32'"):
        judged("quantize", first, second, third)


def test_what_is_unsupported_is_not_equal() -> None:
    """A stream without an answer proves nothing: exit code 5, as for no stream at all."""
    tally, _ = judged("quantize", f"{line_of(one())} -> unsupported")
    assert (tally.unsupported, tally.exit_code) == (1, 5)
    assert judged("quantize")[0].exit_code == 5


def test_only_selects() -> None:
    """Each condition of --only holds in every line, and the same seed gives the same lines."""
    lines = [line_of(q) for q in make_questions("quantize", number=8, only=SUPPORTED)]
    again = [line_of(q) for q in make_questions("quantize", number=8, only=SUPPORTED)]
    other = [line_of(q) for q in make_questions("quantize", number=8, only=SUPPORTED, seed=1)]
    assert lines == again != other
    for condition in SUPPORTED:
        assert all(f" {condition}" in line for line in lines)
    with pytest.raises(ValueError, match="no case of quantize has x=int3"):
        list(make_questions("quantize", only=["x=int3"]))


def test_the_c_example_is_equal_and_its_broken_twin_is_not(folder: Path) -> None:
    """Division passes in full; the product with the reciprocal is found, by a tie."""
    questions = list(make_questions("quantize", number=40, only=SUPPORTED))
    feed = "".join(f"{line_of(question)}\n" for question in questions)
    for name, code in (("good", 0), ("broken", 1)):
        run = subprocess.run(
            [folder / name], input=feed, capture_output=True, text=True, check=True
        )
        tally, said = judged("quantize", *run.stdout.splitlines())
        assert tally.exit_code == code, said
        assert (tally.cases > 20, tally.cases + tally.unsupported) == (True, 40)
    assert any("tie" in line for line in said)


def test_the_pipe(folder: Path) -> None:
    """Gen, kernel and check as processes: 0, and the kernel declines what it cannot do."""
    lines = qparity("gen", "quantize", "--count", "40", "--only", "args.type=int")
    assert lines.returncode == 0, lines.stderr
    run = subprocess.run([folder / "good"], input=lines.stdout, capture_output=True, check=True)
    assert run.stdout.count(b" -> unsupported\n") > 30
    found = qparity("check", "quantize", feed=run.stdout)
    assert found.returncode in (0, 5), found.stdout
    assert b"cases unsupported" in found.stdout


def test_a_counterexample_can_be_asked_again(folder: Path, tmp_path: Path) -> None:
    """Check writes the case that differs, gen --case asks it, and the answers differ again."""
    said: list[str] = []
    line = f"{line_of(one())} -> out=float32:1:80000000\n"
    judge("quantize", read_lines(io.StringIO(line)), said.append, tmp_path)
    (path,) = tmp_path.iterdir()
    assert f"again: qparity gen quantize --case {path}" in "\n".join(said)
    again = qparity("gen", "quantize", "--case", str(path))
    assert again.stdout.decode() == line_of(one()) + "\n"
    assert subprocess.run([folder / "good"], input=again.stdout, check=True).returncode == 0


@pytest.mark.parametrize(
    ("feed", "code", "message"),
    [
        (b"", 5, b"NOTHING WAS RUN"),
        (b"hello\n", 2, b"qparity: line 1: 'hello' does not begin a case"),
        (b"\xff\xfe\n", 2, b"qparity: line 1: "),
        (b"PK\x03\x04 but no zip", 2, b"qparity: the input is no npz file"),
    ],
)
def test_exit_codes_of_check(feed: bytes, code: int, message: bytes) -> None:
    """No input exits 5, unreadable input 2 with one line on standard error."""
    run = qparity("check", "quantize", feed=feed)
    assert (run.returncode, message in run.stdout + run.stderr) == (code, True), run
    assert run.stderr.count(b"\n") <= 1


def test_npz_goes_through_pipes() -> None:
    """Gen writes npz to a pipe; check reads it from one and tells unanswered cases apart."""
    made = qparity("gen", "pack_to_int32", "--format", "npz", "--count", "3")
    members = dict(np.load(io.BytesIO(made.stdout)))
    run = qparity("check", "pack_to_int32", feed=made.stdout)
    assert run.returncode == 2
    assert run.stderr.startswith(b"qparity: case 0: no answer; allowed: 0/out/NAME")
    members |= {f"{i}/out/unsupported": np.zeros(0) for i in range(3)}
    answers = io.BytesIO()
    np.savez(answers, **members)
    assert qparity("check", "pack_to_int32", feed=answers.getvalue()).returncode == 5
    members["1/in/value"] = members["1/in/value"] ^ 1
    changed = io.BytesIO()
    np.savez(changed, **members)
    run = qparity("check", "pack_to_int32", feed=changed.getvalue())
    assert b"case 1 is not as it was asked" in run.stderr


def test_a_kernel_that_stops_reading() -> None:
    """A closed pipe ends gen with exit code 2 and one line, without a traceback."""
    command = [sys.executable, "-m", "qparity.conformance", "gen", "compress"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.read(10)
        run.stdout.close()
        assert run.stderr.read() == b"qparity: the kernel stopped reading\n"
    assert run.returncode == 2


def test_the_guide_shows_what_is() -> None:
    """The line and the commands in the guide are what the code makes of them."""
    text = GUIDE.read_text()
    shown = next(line for line in text.splitlines() if line.startswith("qparity1 "))
    tally, _ = judged("quantize", shown)
    assert tally.exit_code == 0
    assert EXAMPLE.relative_to(ROOT).as_posix() in text
    assert "0 all equal" in EXIT_CODES
