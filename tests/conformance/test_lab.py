"""The lab: a new file, its tests, its report."""

import subprocess
import sys
from pathlib import Path

import pytest

from qparity.backends import numpy_backend
from qparity.conformance.cli import main
from qparity.conformance.lab import lab_tests, new_scheme
from qparity.conformance.lab.tests import backends_here
from qparity.reference import FormatArgs

ROOT = Path(__file__).parents[2]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A module of Python, run in a folder."""
    script = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = {list(command)!r}; "
    script += f"runpy.run_module({command[0]!r}, None, '__main__')"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_new_scheme_passes_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file runs as it is written: laws, parity, and a report beside it, over no notes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.md").write_text("notes")
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["lab", "new", "mine"])
    assert capsys.readouterr().out.startswith("WRITTEN mine.py: a scheme and its tests\n")
    ran = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "mine.py")
    assert ran.returncode == 0, ran.stdout
    assert "skipped" not in ran.stdout
    report = tmp_path / "mine.report.md"
    names = ["mine.md", "mine.py", report.name, "mine.report.svg"]
    assert sorted(path.name for path in tmp_path.glob("*.*")) == names
    assert "| mine | 4.500 |" in report.read_text()
    assert "(mine.report.svg)" in report.read_text()
    assert (tmp_path / "mine.md").read_text() == "notes"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A file that exists stays as it is, and nothing is left beside it."""
    (tmp_path / "mine.py").write_text("mine")
    with pytest.raises(ValueError, match=r"^name: .*mine.py exists already; allowed: a new name"):
        new_scheme("mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    assert (tmp_path / "mine.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "9", "a.py", "../a", "class"])
def test_a_name_is_an_identifier(name: str, tmp_path: Path) -> None:
    """A name that no module could have is refused."""
    with pytest.raises(ValueError, match="allowed: a Python identifier"):
        new_scheme(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["numpy", "re", "torch", "conftest", "__main__", "qparity"])
def test_a_name_hides_no_module(name: str, tmp_path: Path) -> None:
    """A name that others import is refused: a file of it would break all that runs beside it."""
    with pytest.raises(ValueError, match=f"^name: '{name}' is a module that others import"):
        new_scheme(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_backend_that_is_here_is_held_to_the_reference(tmp_path: Path) -> None:
    """There are tests of laws, of each backend, and of the report; all of other names."""
    tests = lab_tests(FormatArgs(), tmp_path / "a.py")
    assert "torch:cpu" in backends_here()
    for prefix in ("test_law_", *(f"test_{b.replace(':', '_')}_" for b in backends_here())):
        assert any(name.startswith(prefix) for name in tests), prefix
    assert "test_report" in tests


def test_a_violation_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A law that does not hold fails its test."""
    tests = lab_tests(FormatArgs(), tmp_path / "a.py", cases=2)
    monkeypatch.setattr(numpy_backend, "quantize", lambda *inputs, **_: 0.3 * inputs[0])
    with pytest.raises(AssertionError, match="codes_in_range"):
        tests["test_law_codes_in_range"]()
