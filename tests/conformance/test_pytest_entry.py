"""The checks as test functions, in anybody's own test suite."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.conformance import conformance_tests
from qparity.conformance.case_file import load_case, save_case
from qparity.conformance.known import known_to_toml
from qparity.conformance.known_failure import KnownFailure
from qparity.conformance.verify import plan, verify
from qparity.reference import preset_name_to_scheme
from tests.conformance import hostile, planted

ROOT = Path(__file__).parents[2]
FEW = ("pack_to_int32", "calculate_range")


def test_there_is_a_test_for_every_check() -> None:
    """Names are valid, unique, and say operation, format and dtype; each has a docstring."""
    tests = conformance_tests("numpy")
    checks = plan("quick", (), None, None)
    assert len(tests) == len(checks) + 3
    assert {"test_bridge", "test_quantize_int8_float32", "test_pack_to_int32_int3"} <= set(tests)
    assert all(name.isidentifier() and name.startswith("test_") for name in tests)
    assert all(test.__doc__ for test in tests.values())


def test_names_that_differ_in_signs_are_numbered() -> None:
    """Schemes whose names give the same names of tests have tests of their own, all of them."""
    int8, fp8 = (preset_name_to_scheme(name) for name in ("W8A8", "FP8"))
    schemes = {"a-b": int8, "a_b": fp8, "a b": int8, "a_b 2": fp8}
    tests = conformance_tests("numpy", operations=("quantize",), schemes=schemes)
    planned = plan("quick", ("quantize",), schemes, None)
    docs = [test.__doc__ for name, test in tests.items() if name.startswith("test_quantize")]
    assert docs == [f"quantize of {c.name} returns the bits of the reference." for c, _ in planned]
    assert all(name.isidentifier() for name in tests)


def test_an_equal_backend_passes() -> None:
    """Every test of an equal backend returns."""
    for test in conformance_tests(planted.backend(), level="smoke", operations=FEW).values():
        test()


def test_a_difference_fails_with_the_counterexample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test fails with the lines that ``qparity verify`` shows; the others pass."""
    monkeypatch.chdir(tmp_path)
    backend = planted.spoiled("pack_to_int32", planted.next_to)
    tests = conformance_tests(backend, operations=FEW)
    with pytest.raises(pytest.fail.Exception, match=r"(?s)FAIL pack_to_int32.*expected.*actual"):
        tests["test_pack_to_int32_int4"]()
    tests["test_calculate_range_int4"]()


def test_what_is_missing_is_skipped() -> None:
    """A function that the backend lacks is skipped with the reason, in the user's own suite."""
    tests = conformance_tests(planted.lacking("pack_to_int32"), operations=FEW)
    with pytest.raises(pytest.skip.Exception, match="no function pack_to_int32"):
        tests["test_pack_to_int32_int4"]()


def test_nothing_compared_fails() -> None:
    """Where every check is skipped, or none is planned, one test fails and says why."""

    def declines(*_: object, **__: object) -> None:
        raise NotImplementedError("not yet")

    int8 = {"W8A8": preset_name_to_scheme("W8A8")}
    for backend, options, why in (
        (planted.lacking("quantize"), {"operations": ("quantize",)}, "no function quantize"),
        (planted.backend(quantize=declines), {"operations": ("quantize",)}, "not yet"),
        (planted.backend(), {"schemes": {}}, "no check was planned"),
    ):
        tests = conformance_tests(backend, **{"schemes": int8} | options)
        with pytest.raises(pytest.fail.Exception, match=rf"^NOTHING WAS RUN: .*\n.*{why}"):
            tests["test_something_is_compared"]()
        report = verify(backend, name="mine", **{"schemes": int8} | options)
        assert report.exit_code == 5
    lacking = conformance_tests(planted.lacking("pack_to_int32"), operations=FEW)
    lacking["test_something_is_compared"]()


def test_an_unknown_level_or_operation_is_refused_at_once() -> None:
    """Mistakes are found when the file is imported, not as tests that do not run."""
    with pytest.raises(ValueError, match="quantise"):
        conformance_tests("numpy", operations=("quantise",))
    with pytest.raises(ValueError, match="huge"):
        conformance_tests("numpy", level="huge")


def test_a_few_lines_are_a_test_file(tmp_path: Path) -> None:
    """The lines of the contributing guide collect and pass under pytest, warnings as errors."""
    lines = [
        "from qparity.conformance import conformance_tests",
        "options = {'level': 'smoke', 'operations': ['calculate_range']}",
        "globals().update(conformance_tests('numpy', **options))",
    ]
    (tmp_path / "test_mine.py").write_text("\n".join(lines))
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "7 passed" in run.stdout


def known_file(folder: Path, check: str = "*") -> Path:
    """A file that accepts what is wrong in ``pack_to_int32``."""
    case = next(iter(planted.check_of("pack_to_int32", "int4").cases(1, nan=False)))
    entry = {"operation": "pack_to_int32", "check": check, "case": "*", "reason": "by design"}
    known = KnownFailure(**entry, witness=save_case(case, folder).name, folder=folder)
    path = folder / "known.toml"
    path.write_text(known_to_toml([known]))
    return path


def test_what_is_known_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a file of known failures, the tests of what it names pass, and so does its own."""
    monkeypatch.chdir(tmp_path)
    backend = planted.spoiled("pack_to_int32", planted.next_to)
    for known in (known_file(tmp_path), "known.toml"):
        tests = conformance_tests(backend, level="smoke", operations=FEW, known=known)
        assert "test_known_failures" in tests
        for test in tests.values():
            test()
    assert "test_known_failures" not in conformance_tests(backend, operations=FEW)


def test_what_is_fixed_or_matches_nothing_fails(tmp_path: Path) -> None:
    """One test fails if an entry is out of date, with one line for it; the others are as before."""
    fixed = conformance_tests(
        planted.backend(), level="smoke", operations=FEW, known=known_file(tmp_path)
    )
    fixed["test_pack_to_int32_int4"]()
    with pytest.raises(pytest.fail.Exception, match=r"^FIXED pack_to_int32 witness .*$"):
        fixed["test_known_failures"]()
    backend = planted.spoiled("pack_to_int32", planted.next_to)
    known = known_file(tmp_path, "int9")
    unmatched = conformance_tests(backend, level="smoke", operations=FEW, known=known)
    with pytest.raises(pytest.fail.Exception, match=r"^ERROR pack_to_int32 known int9"):
        unmatched["test_known_failures"]()


def test_what_is_not_run_is_not_out_of_date(tmp_path: Path) -> None:
    """Entries of other operations, schemes and levels pass, and those of what a backend lacks."""
    backend, known = planted.spoiled("pack_to_int32", planted.next_to), known_file(tmp_path)
    options: list[dict[str, Any]] = [
        {"operations": ["calculate_range"]},
        {"operations": FEW, "schemes": {"W8A8": preset_name_to_scheme("W8A8")}},
    ]
    for chosen in options:
        conformance_tests(backend, known=known, **chosen)["test_known_failures"]()
    lacking = conformance_tests(planted.lacking("pack_to_int32"), operations=FEW, known=known)
    lacking["test_known_failures"]()
    proven = known_file(tmp_path, "every *")
    conformance_tests(backend, operations=FEW, known=proven)["test_known_failures"]()


def test_a_known_file_is_read_at_once(tmp_path: Path) -> None:
    """A file, or a witness, that is not there is an error when the test file is imported."""
    with pytest.raises(FileNotFoundError):
        conformance_tests("numpy", known=tmp_path / "none.toml")
    known = known_file(tmp_path)
    for path in tmp_path.glob("*.json"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        conformance_tests("numpy", known=known)


def test_a_slow_backend_fails_its_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit of a call holds in the author's tests as well."""
    monkeypatch.chdir(tmp_path)
    tests = conformance_tests(hostile.backend("sleeps"), case_timeout=0.1)
    with pytest.raises(pytest.fail.Exception, match=r"took longer than 0\.1 s"):
        tests["test_pack_fp4_to_uint8_float32"]()


MINE = """
from qparity.backends.numpy_backend import *
from qparity.backends.numpy_backend import pack_to_int32 as right

def pack_to_int32(value, num_bits, packed_dim=1):
    return right(value, num_bits, packed_dim) ^ (num_bits == 4)
"""


def suite_of(
    module: str, options: Mapping[str, object], folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """A module of a backend's author, under pytest in a process of its own."""
    (folder / "my_quant.py").write_text(module)
    lines = [
        "from qparity.conformance import conformance_tests",
        f"globals().update(conformance_tests('my_quant', **{options!r}))",
    ]
    (folder / "test_mine.py").write_text("\n".join(lines))
    settings = ["-q", "-W", "error", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *settings],
        cwd=folder,
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_many_workers_find_the_same(tmp_path: Path) -> None:
    """Under ``pytest -n 2`` the wrong check fails with its counterexample; the others pass."""
    run = suite_of(MINE, {"level": "smoke", "operations": FEW}, tmp_path, "-n", "2")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed, 9 passed" in run.stdout
    assert "FAIL pack_to_int32 int4" in run.stdout
    assert "Traceback" not in run.stdout
    case = re.search(r"replay: qparity replay (\S+) --backend my_quant", run.stdout)
    assert case is not None
    assert load_case(tmp_path / case[1]).op == "pack_to_int32"


FLUSHING = """
from qparity.backends.numpy_backend import *
import torch

torch.set_flush_denormal(True)
"""


def test_a_backend_that_flushes_when_it_is_loaded_is_found(tmp_path: Path) -> None:
    """Subnormals are looked at with the backend loaded, whichever test is the first to run."""
    run = suite_of(FLUSHING, {"operations": FEW}, tmp_path, "-k", "subnormals")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "numpy flushes subnormals to zero in this thread" in run.stdout


def test_a_backend_that_flushes_is_found() -> None:
    """A backend that flushes subnormals to zero fails its test; one that has none passes."""

    def flushed(*a: Any, **k: Any) -> Any:  # noqa: ANN401 - as the reference's
        values = reference.dequantize(*a, **k)
        return np.where(np.abs(values) < np.finfo(np.float32).tiny, np.float32(0), values)

    with pytest.raises(pytest.fail.Exception, match="the backend flushes subnormals to zero"):
        conformance_tests(planted.backend(dequantize=flushed))["test_subnormals"]()
    conformance_tests(planted.lacking("dequantize"))["test_subnormals"]()


def test_a_backend_that_ends_pytest_fails(tmp_path: Path) -> None:
    """A backend that ends its process when it is imported fails every test, and ends nothing."""
    run = suite_of("import os\nos._exit(0)\n", {"operations": ["calculate_range"]}, tmp_path)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "SystemExit: os._exit(0)" in run.stdout
