"""The command: its exit codes, and one clear line for whatever it is given that is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import qparity
from qparity.conformance import public_operations
from qparity.conformance.case_file import save_case
from qparity.conformance.cli import main
from tests.conformance import planted

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "conformance" / "samples" / "dense.safetensors"
QUICK = ("--level", "smoke", "--op", "calculate_range")
MINE = """
from qparity.backends.numpy_backend import *
{planted}
"""
BROKEN = {
    "raises": "raise RuntimeError('no device\\nhere')",
    "fails": "1 / 0",
    "lacks": "import a_library_that_is_not_there",
    "exits": "import sys; sys.exit(0)",
    "garbled": "def f(:",
    "refuses": "raise ValueError('mine')",
}


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as the console script runs it."""
    script = [sys.executable, "-P", "-m", "qparity.conformance", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        script, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with damaged files of every kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    save_file({"bias": np.ones(4, np.float32)}, tmp_path / "vectors.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(SAMPLE.read_bytes()[:5000])
    (tmp_path / "garbage.safetensors").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "empty.safetensors").touch()
    (tmp_path / "junk.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "unknown_key.json").write_text('{"num_bits": 8, "bits": 8}')
    group = {"targets": ["Linear"], "weights": {"num_bits": 9}}
    config = {"quantization_config": {"config_groups": {"group_0": group}}}
    (tmp_path / "nine.json").write_text(json.dumps(config))
    case = {"schema": 1, "op": "minmax", "inputs": {"x": 3}}
    (tmp_path / "refused.json").write_text(json.dumps(case))
    case["inputs"] = {"x": {"array": {"dtype": "float32", "shape": [2], "bits": ["0x1"]}}}
    (tmp_path / "shape.json").write_text(json.dumps(case))
    for name, source in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(source)
    save_case(planted.reciprocal_case(), tmp_path / "cases")
    return tmp_path


def run(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The command in this process: any exception but its exit would be a traceback."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    captured = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["verify", "nosuch"], "backend: 'nosuch' is unknown; allowed: numpy, torch:cpu"),
        (["verify", "nosuch.module:thing"], "backend: 'nosuch.module:thing' is unknown"),
        (["verify", "a b"], "backend: 'a b' is unknown"),
        (["verify", "torch:tpu"], "backend: 'torch:tpu' is unknown"),
        (["verify", "json"], "backend: 'json' is no backend, it has no from_numpy"),
        (
            ["verify", "raises"],
            "backend: 'raises' raised RuntimeError when imported: no device here",
        ),
        (["verify", "fails"], "backend: 'fails' raised ZeroDivisionError when imported"),
        (["verify", "lacks"], "a_library_that_is_not_there"),
        (["verify", "exits"], "backend: 'exits' raised SystemExit"),
        (["verify", "garbled"], "backend: 'garbled' raised SyntaxError"),
        (["verify", "refuses"], "backend: 'refuses' raised ValueError when imported: mine"),
        (["verify", "numpy", "--op", "quantise"], "op: 'quantise' is not an operation; allowed: ["),
        (["verify", "numpy", "--scheme", "W9A9"], "unknown preset 'W9A9'; allowed: ["),
        (["verify", "numpy", "--level", "huge"], "invalid choice: 'huge' (choose from 'smoke'"),
        (["verify", "numpy", "--seed", "x"], "invalid int value: 'x'"),
        (["verify", "numpy", "--jobs", "0"], "'0' is not allowed; allowed: 1 or more"),
        (["verify", "numpy", "--compute-dtype", "float16"], "invalid choice: 'float16'"),
        (["verify", "numpy", "--weights", "gone.safetensors"], "gone.safetensors: No such file"),
        (["verify", "numpy", "--weights", "."], "."),
        (["verify", "numpy", "--weights", "cut.safetensors"], "cut.safetensors: not a safetensors"),
        (["verify", "numpy", "--weights", "garbage.safetensors"], "garbage.safetensors: not a"),
        (["verify", "numpy", "--weights", "empty.safetensors"], "empty.safetensors: not a"),
        (["verify", "numpy", "--weights", "vectors.safetensors"], "vectors.safetensors has no 2-D"),
        (
            ["verify", "numpy", "--scheme", "unknown_key.json"],
            "unknown_key.json: args: unknown key 'bits'",
        ),
        (["verify", "numpy", "--scheme", "nine.json"], "nine.json: num_bits: 9 is not allowed"),
        (["verify", "numpy", "--scheme", "junk.json"], "junk.json: not JSON"),
        (
            ["verify", "numpy", "--scheme", "list.json"],
            "list.json: a JSON list; allowed: an object",
        ),
        (["verify", "numpy", "--scheme", "gone.json"], "gone.json: No such file"),
        (["verify", "numpy", "--json", "gone/report.json"], "gone/report.json"),
        (["verify", "numpy", "--json", "cases"], "cases"),
        (["verify"], "required: BACKEND"),
        ([], "required: COMMAND"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        (["replay", "junk.json", "--backend", "numpy"], "junk.json: not JSON"),
        (["replay", "list.json", "--backend", "numpy"], "list.json: schema"),
        (["replay", "gone.json", "--backend", "numpy"], "gone.json: No such file"),
        (["replay", "shape.json", "--backend", "numpy"], "shape.json: x: "),
        (
            ["replay", "refused.json", "--backend", "numpy"],
            "refused.json: the reference refuses it",
        ),
        (["replay", "junk.json"], "required: --backend"),
    ],
)
def test_bad_usage_or_input_is_one_line_and_exit_2(
    files: Path, arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error names what is wrong; nothing else is printed."""
    code, out, err = run(arguments, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("qparity: ")
    assert err.count("\n") == 1
    assert named in err
    assert not list(files.glob(".qparity*"))


def test_an_equal_backend_exits_0(tmp_path: Path) -> None:
    """The command on the reference itself: a table, a verdict, nothing on standard error."""
    ran = command("verify", "numpy", *QUICK, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "│ calculate_range" in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith("EQUAL: numpy: ")


def test_a_different_backend_exits_1(tmp_path: Path) -> None:
    """A module of the current folder, its counterexample, and the line that replays it."""
    wrong = "calculate_range = lambda args: (-127.0, 127.0)"
    (tmp_path / "mine.py").write_text(MINE.format(planted=wrong))
    ran = command("verify", "mine", *QUICK, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.splitlines()[-1].startswith("DIFFERENT: mine: ")
    replay = next(line for line in ran.stdout.splitlines() if "replay: " in line)
    assert replay.split()[1:3] == ["qparity", "replay"]
    again = command(*replay.split()[2:], folder=tmp_path)
    assert (again.returncode, again.stderr) == (1, "")
    assert "expected" in again.stdout


def test_bad_input_exits_2_in_a_process_of_its_own(tmp_path: Path) -> None:
    """A module that cannot be imported is one line, not a traceback."""
    (tmp_path / "mine.py").write_text("raise RuntimeError('no device')")
    ran = command("verify", "mine", folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "qparity: backend: 'mine' raised RuntimeError when imported: no device\n"


def test_nothing_run_exits_5(tmp_path: Path) -> None:
    """A backend without any of the operations asked for has proved nothing."""
    (tmp_path / "mine.py").write_text(MINE.format(planted="del calculate_range"))
    ran = command("verify", "mine", *QUICK, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (5, "")
    assert ran.stdout.splitlines()[-1].startswith("NOTHING WAS RUN: mine: ")


def test_json_goes_to_standard_output_alone(
    capsys: pytest.CaptureFixture[str], files: Path
) -> None:
    """With ``--json -`` standard output is JSON, and the table goes to standard error."""
    code, out, err = run(["verify", "numpy", *QUICK, "--json", "-"], capsys)
    data = json.loads(out)
    assert (code, data["summary"]["exit_code"], data["seed"]) == (0, 0, 0)
    assert "calculate_range" in err
    code, _, _ = run(["verify", "numpy", *QUICK, "--json", "report.json", "--seed", "5"], capsys)
    assert json.loads((files / "report.json").read_text())["seed"] == 5
    assert not list(files.glob("*.tmp"))


def test_replay_tells_equal_from_different(capsys: pytest.CaptureFixture[str], files: Path) -> None:
    """A case passes on the reference, fails on a fault, and is unsupported without the verb."""
    (case,) = (files / "cases").iterdir()
    sources = {
        "reciprocal": "from tests.conformance.planted import by_reciprocal as quantize",
        "lacking": "del quantize",
    }
    for name, planted_fault in sources.items():
        (files / f"{name}.py").write_text(MINE.format(planted=planted_fault))
    found = {}
    for name in ("numpy", "reciprocal", "lacking"):
        code, out, _ = run(["replay", str(case), "--backend", name], capsys)
        found[name] = code, out.split()[0]
    assert found == {"numpy": (0, "PASS"), "reciprocal": (1, "FAIL"), "lacking": (5, "UNSUPPORTED")}


@pytest.mark.parametrize("more", [(), ("--json", "-")])
def test_a_closed_output_is_no_difference(more: Sequence[str], tmp_path: Path) -> None:
    """Where nobody reads on, as after ``head``, the exit code is that of a signal."""
    script = [sys.executable, "-P", "-m", "qparity.conformance", "verify", "numpy", *QUICK, *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        ran = subprocess.run(
            script,
            stdout=closed,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
    assert ran.returncode == 141
    assert b"Broken pipe" not in ran.stderr


def test_operations_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """One operation a line, all that a backend may have."""
    code, out, _ = run(["operations"], capsys)
    assert (code, out.split()) == (0, public_operations())


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["replay", "--help"]])
def test_help_exits_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help is printed to standard output."""
    code, out, err = run(arguments, capsys)
    assert (code, err) == (0, "")
    assert out.startswith("usage: qparity")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """``qparity --version`` prints the version."""
    assert run(["--version"], capsys)[1].split()[-1] == qparity.__version__
