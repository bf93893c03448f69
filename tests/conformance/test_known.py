"""Failures that are known are accepted, as long as they are there; and no others."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance.case import Case, run_case
from qparity.conformance.case_file import save_case
from qparity.conformance.cli import main
from qparity.conformance.compare import KINDS
from qparity.conformance.known import (
    known_to_toml,
    load_known,
    load_witness,
    replay_witness,
    still_known,
    unmatched,
)
from qparity.conformance.known_failure import KnownFailure
from qparity.conformance.outcome import Outcome
from qparity.conformance.verify import Report, verify
from qparity.reference import QuantizationArgs, preset_name_to_scheme
from tests.conformance import planted

OP = "pack_to_int32"
ENTRY = """
[[known]]
operation = "pack_to_int32"
check = "int*"
reason = 'the last word is another, "by design"'
witness = "{witness}"
"""


def wrong() -> object:
    """A backend with one wrong bit in every pack_to_int32."""
    return planted.spoiled(OP, planted.next_to)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with one known failure, and its witness beside it."""
    check = planted.check_of(OP, "int4")
    witness = save_case(next(iter(check.cases(1, nan=False))), tmp_path)
    path = tmp_path / "known.toml"
    path.write_text(ENTRY.format(witness=witness.name))
    return path


def verified(backend: object, file: Path, **options: Any) -> Report:  # noqa: ANN401 - any option
    """A report of two operations with what is known, nothing written."""
    given = {"operations": (OP, "calculate_range"), "level": "smoke", "cases_folder": None}
    return verify(backend, name="mine", known=load_known(file), **given | options)


def statuses(report: Report, op: str = OP) -> list[str]:
    """The statuses of an operation, each once."""
    return sorted({outcome.status for outcome in report.outcomes if outcome.op == op})


def test_what_is_known_is_accepted(file: Path) -> None:
    """The witness is replayed first; checks that fail as known are KNOWN, and no failure."""
    report = verified(wrong(), file)
    assert (report.exit_code, statuses(report)) == (0, ["KNOWN"])
    named = [outcome for outcome in report.outcomes if outcome.check.startswith("witness ")]
    assert report.outcomes.index(named[0]) == 3
    assert named[0].detail == 'the last word is another, "by design"'
    assert verified(wrong(), file, level="quick").exit_code == 0


def test_what_is_unknown_still_fails(file: Path) -> None:
    """An entry covers its operation, checks and cases alone."""
    bits = planted.spoiled("calculate_range", lambda low: low + 1)
    bits.pack_to_int32 = wrong().pack_to_int32  # type: ignore[attr-defined]
    report = verified(bits, file)
    assert (report.exit_code, statuses(report, "calculate_range")) == (1, ["FAIL"])
    narrow = file.read_text().replace('"int*"', '"int4"')
    file.write_text(narrow)
    report = verified(wrong(), file, level="quick")
    assert (report.exit_code, statuses(report)) == (1, ["FAIL", "KNOWN"])


def test_a_witness_that_passes_is_an_error(file: Path) -> None:
    """What is fixed must leave the file: FIXED, and exit code 1."""
    report = verified(planted.backend(), file)
    assert report.exit_code == 1
    fixed = [outcome for outcome in report.outcomes if outcome.status == "FIXED"]
    assert [outcome.detail.startswith("no longer differs") for outcome in fixed] == [True]
    entry = load_known(file)[0]
    errors = [outcome for outcome in report.outcomes if outcome.status == "ERROR"]
    assert errors == []
    assert still_known([entry], report.outcomes) == []


def test_what_a_backend_lacks_is_neither_known_nor_fixed(file: Path) -> None:
    """Without the operation, or if it declines the call, an entry is UNSUPPORTED, and stays."""
    entry = load_known(file)[0]

    def declines(*_: object, **__: object) -> None:
        raise NotImplementedError("not of 4 bits")

    declining = planted.backend()
    setattr(declining, OP, declines)
    for backend in (planted.lacking(OP), declining):
        outcome = replay_witness(entry, load_witness(entry), backend)
        assert (outcome.status, outcome.cases) == ("UNSUPPORTED", 0)
        assert entry.reason in outcome.detail
        report = verified(backend, file, level="quick")
        assert (report.exit_code, statuses(report)) == (0, ["UNSUPPORTED"])
        assert still_known([entry], report.outcomes) == [entry]


def test_an_entry_of_what_was_not_run_is_no_error(file: Path) -> None:
    """Other operations, schemes and levels than an entry's leave it as it is, and unread."""
    entry = load_known(file)[0]
    report = verified(planted.backend(), file, operations=("calculate_range",))
    assert report.exit_code == 0
    assert not [found for found in report.outcomes if found.op == OP]
    assert still_known([entry], report.outcomes) == [entry]
    other = {"W8A8": preset_name_to_scheme("W8A8")}
    report = verified(wrong(), file, schemes=other, level="quick")
    assert (report.exit_code, statuses(report)) == (0, ["KNOWN"])
    for check in ("int7", "every *", "each *"):
        file.write_text(ENTRY.format(witness=entry.witness).replace("int*", check))
        report = verified(wrong(), file, operations=(OP,), level=None)
        errors = [found.check for found in report.outcomes if found.status == "ERROR"]
        assert errors == (["known each * *"] if check == "each *" else [])


def test_an_entry_is_judged_where_its_checks_were_run(file: Path) -> None:
    """At ``quick`` an entry that its checks do not meet is an error; one of a sweep waits."""
    op = "round_to_quantized_type_args"
    case = next(iter(planted.check_of(op, "int4 float32").cases(1, nan=False)))
    witness = save_case(case, file.parent).name
    backend = planted.spoiled(op, planted.next_to)
    for check, label, wrong_entry in (
        ("int4 *", "* asymmetric nothing", True),
        ("int4 *", "*", False),
        ("every float16 *", "*", False),
        ("each float16 *", "*", True),
    ):
        entry = KnownFailure(op, check, label, "by design", witness, file.parent)
        report = verify(
            backend, name="mine", known=[entry], operations=(op,), cases_folder=None, level="quick"
        )
        errors = [found for found in report.outcomes if found.status == "ERROR"]
        assert len(errors) == wrong_entry, check


def test_an_entry_that_matches_nothing_is_an_error(file: Path) -> None:
    """An entry must be met by a failing case, not by its witness alone."""
    file.write_text(file.read_text().replace('"int*"', '"int9"'))
    report = verified(wrong(), file)
    assert report.exit_code == 1
    errors = [outcome for outcome in report.outcomes if outcome.status == "ERROR"]
    assert [outcome.check for outcome in errors] == ["known int9 *"]
    assert "matches nothing" in errors[0].detail


def test_processes_know_as_well(file: Path) -> None:
    """What is known is known in every process, and what was met there counts."""
    options = {"load": wrong, "jobs": 2, "level": "smoke"}
    assert verified(wrong(), file, **options).exit_code == 0
    assert verified(wrong(), file, isolate=True, **options).exit_code == 0


def test_an_entry_matches_by_operation_check_and_label() -> None:
    """All three must match; the globs are over whole names, and heed case."""
    case = planted.reciprocal_case()
    entry = KnownFailure("quantize", "int8 *", "* symmetric *", "", "", Path())
    assert entry.matches(case, "int8 float32")
    assert not entry.matches(case, "an int8 float32")
    assert not replace(entry, operation="dequantize").matches(case, "int8 float32")
    assert not replace(entry, case="* Symmetric *").matches(case, "int8 float32")
    other = planted.reciprocal_case(args=QuantizationArgs(symmetric=False))
    assert not entry.matches(other, "int8 float32")
    assert not entry.matches(case, "int8 float32", "raised")
    assert entry.names(case, "int8 float32")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_entry_accepts_its_own_kind_alone(file: Path, jobs: int) -> None:
    """Wrong numbers that now raise are a FAIL, the witness too; KNOWN if the entry says so."""
    for text, code, status in (
        (file.read_text(), 1, "FAIL"),
        (file.read_text() + 'kind = "raised"\n', 0, "KNOWN"),
    ):
        file.write_text(text)
        report = verified(raising(), file, load=raising, jobs=jobs)
        assert (report.exit_code, statuses(report)) == (code, [status])
    replayed = replay_witness(load_known(file)[0], load_witness(load_known(file)[0]), wrong())
    assert replayed.status == "FAIL"
    assert replayed.detail.startswith("kind: 'raised', but the witness differs in 'bits': the last")


def raising() -> object:
    """A backend that raises in every pack_to_int32."""

    def breaks(**_: object) -> None:
        raise RuntimeError("an illegal memory access")

    return planted.backend(**{OP: breaks})


def test_wrong_numbers_hide_no_wrong_dtype() -> None:
    """Of outputs that differ, one of another dtype or shape is told before wrong numbers."""
    lo, hi = np.array([-1], np.float32), np.array([1], np.float32)
    case = Case("calculate_qparams", {"min_vals": lo, "max_vals": hi, "args": QuantizationArgs()})

    def both(**inputs: Any) -> Any:  # noqa: ANN401 - as the reference's
        scale, zero_point = reference.calculate_qparams(**inputs)
        return planted.next_to(scale), zero_point.astype(np.int32)

    difference = run_case(case, planted.backend(calculate_qparams=both))[2]
    assert difference is not None
    assert (difference.output, difference.reason) == ("zero_point", "dtype")


def test_entries_are_written_as_they_are_read(file: Path) -> None:
    """A file that is written again has the same entries, quotes and other letters included."""
    entry = replace(load_known(file)[0], reason='a "quote", a \\ and \u00e9\n', case="* [f]*")
    file.write_text(known_to_toml([entry, entry]))
    assert load_known(file) == (entry, entry)
    assert load_known(file)[0].check == "int*"
    file.write_text(known_to_toml([]))
    assert load_known(file) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[known]", "not TOML"),
        ("\udcff", "not TOML"),
        ("[[knwon]]", "unknown key"),
        ("known = 3", "unknown key"),
        ("known = [3]", "entry 1: not a table"),
        ("[[known]]\nop = 'quantize'", "entry 1: unknown key 'op'"),
        ("[[known]]\noperation = 'quantize'\nreason = 'r'", "entry 1: witness: None"),
        ("[[known]]\noperation = 'quantize'\nwitness = 'w'", "entry 1: reason: None"),
        ("[[known]]\noperation = 'quantize'\nwitness = 'w'\nreason = ' '", "entry 1: reason: ' '"),
        ("[[known]]\noperation = 'quant'\nwitness = 'w'\nreason = 'r'", "operation: 'quant'"),
        ("[[known]]\noperation = 'quantize'\nwitness = 1\nreason = 'r'", "entry 1: witness: 1"),
        (
            "[[known]]\noperation = 'quantize'\nwitness = 'w'\nreason = 'r'\nkind = 'wrong'",
            "entry 1: kind: 'wrong'; allowed: ['bits', 'dtype', ",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str, message: str, tmp_path: Path) -> None:
    """Whatever is no file of known failures is one error that names the entry and the field."""
    path = tmp_path / "known.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"known\.toml") as error:
        load_known(path)
    assert message in str(error.value)


def test_a_witness_is_a_case_of_the_operation(file: Path) -> None:
    """A witness of another operation, or none, is bad input."""
    entry = load_known(file)[0]
    with pytest.raises(ValueError, match="a case of pack_to_int32; allowed: quantize"):
        load_witness(replace(entry, operation="quantize"))
    with pytest.raises(FileNotFoundError):
        load_witness(replace(entry, witness="gone.json"))


def test_met_and_fixed_are_told_apart(file: Path) -> None:
    """An entry that a failing case met is matched; one whose witness passes is not kept."""
    entry = load_known(file)[0]
    other = replace(entry, witness="other.json")
    met = Outcome(OP, "int4", "KNOWN", known={entry})
    assert [outcome.status for outcome in unmatched((entry, other), [met])] == ["ERROR"]
    assert unmatched((entry,), [met]) == []
    fixed = Outcome(OP, entry.name, "FIXED")
    assert still_known((entry, other), [fixed, met]) == [other]


def test_update_known_drops_what_is_fixed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--update-known`` rewrites the file without the fixed entries, and the next run is equal."""
    monkeypatch.chdir(file.parent)
    arguments = ["verify", "numpy", "--level", "smoke", "--op", OP, "--known", str(file)]
    codes = []
    for extra in ([], ["--update-known"], []):
        with pytest.raises(SystemExit) as exited:
            main([*arguments, *extra])
        codes.append(exited.value.code)
    assert codes == [1, 1, 0]
    assert file.read_text() == ""


def test_update_known_keeps_what_was_not_run(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--update-known`` leaves entries of other operations; it is wrong without ``--known``."""
    monkeypatch.chdir(file.parent)
    known = load_known(file)
    arguments = ["verify", "numpy", "--level", "smoke", "--op", "calculate_range"]
    with pytest.raises(SystemExit) as exited:
        main([*arguments, "--known", str(file), "--update-known"])
    assert exited.value.code == 0
    assert load_known(file) == known
    with pytest.raises(SystemExit) as exited:
        main(["verify", "numpy", "--update-known"])
    assert exited.value.code == 2
    assert "together with --known" in capsys.readouterr().err


def test_a_case_file_travels_with_its_entry(file: Path, tmp_path: Path) -> None:
    """A witness is found beside the file of its entry, wherever both are moved."""
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in [*tmp_path.glob("*.json"), file]:
        path.rename(moved / path.name)
    entry = load_known(moved / file.name)[0]
    assert json.loads((moved / entry.witness).read_text())["op"] == load_witness(entry).op == OP


def test_the_page_shows_an_entry_that_is_accepted(tmp_path: Path) -> None:
    """The entry of the guide has every field, each in its table, and accepts what it describes."""
    page = (Path(__file__).parents[2] / "docs" / "known-failures.md").read_text()
    (entry,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "known.toml").write_text(entry)
    (known,) = load_known(tmp_path / "known.toml")
    names = [field.name for field in fields(known) if field.name != "folder"]
    tables = page.split("| `kind` | what is accepted |")
    assert re.findall(r"^\| `(\w+)` \|", tables[0], re.MULTILINE) == names
    told = re.findall(r"^\| (`[^|]*`) \|", tables[1], re.MULTILINE)
    assert [word.strip("`") for row in told for word in row.split(", ")] == list(KINDS)
    args = QuantizationArgs(strategy="channel")
    case = Case("quantize", {"x": np.ones((1, 1), np.float32), "args": args})
    assert known.matches(case, "int8 float32")
    assert not known.matches(case, "int8 float16")
