"""The study pages: exercises and notebooks run, code and pictures come from the source."""

import doctest
import importlib.util
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from qparity import reference

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "study").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
spec = spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
assert spec is not None
assert spec.loader is not None
hooks = module_from_spec(spec)
spec.loader.exec_module(hooks)


def exercise_of(text: str) -> str:
    """The exercises of a page."""
    return "\n".join(re.findall(r"^```pycon\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))


def failures(text: str) -> int:
    """How many lines of the exercises of a page print something else than the page says."""
    test = doctest.DocTestParser().get_doctest(exercise_of(text), {}, "page", None, 0)
    return doctest.DocTestRunner(verbose=False).run(test, out=lambda _: None).failed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_exercises_print_what_the_page_says(page: Path) -> None:
    """Each page has an exercise, and it runs as printed."""
    text = page.read_text()
    assert ">>>" in exercise_of(text)
    assert failures(text) == 0


def test_a_wrong_exercise_is_seen() -> None:
    """An exercise that prints something else fails."""
    assert failures("```pycon\n>>> 1 + 1\n3\n```\n") == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_have_source_and_picture(page: Path) -> None:
    """Each page has code pulled from the source, short enough to read, and a picture."""
    text = page.read_text()
    sources = re.findall(r"^\{\{ source (.+) \}\}$", text, re.MULTILINE)
    assert sources
    assert "{{ picture " in text
    for name in sources:
        assert 2 <= len(hooks.source_of(name).splitlines()) <= 30


def test_every_page_is_in_the_navigation() -> None:
    """No page of the folder is forgotten; one that does not exist yet does not break it."""
    found = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    nav = str(hooks.on_config({"docs_dir": str(ROOT / "docs")})["nav"])
    listed = {page for _, pages in hooks.NAV for _, page in pages}
    assert all(page not in nav for page in listed - found)
    assert all(f"'{page}'" in nav for page in found)


def test_the_sections_that_are_named_are_there() -> None:
    """What a docstring calls a section of SPEC is one of the specification."""
    text = (ROOT / "docs" / "specification.md").read_text()
    present = set(re.findall(r"^## (\d+)\. ", text, re.MULTILINE))
    named: set[str] = set()
    for folder in ("reference", "backends", "conformance", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for found in re.findall(
                r"SPEC(?: sections?)? (\d+(?:(?:, | and | to )\d+)*)", path.read_text()
            ):
                named |= set(re.findall(r"\d+", found))
    assert named
    assert named <= present


def test_every_function_is_on_the_page_of_functions() -> None:
    """What the reference exports is there, once, as a function or a class and not as a module."""
    paths = re.findall(r"^::: (.+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    names = [path.rpartition(".")[2] for path in paths]
    assert sorted(names) == sorted(name for name in reference.__all__ if not name.isupper())
    for path, name in zip(paths, names, strict=True):
        module = f"qparity.reference.{name}"
        assert path != module or importlib.util.find_spec(module) is None


def test_a_picture_that_cannot_be_drawn_stops_the_build() -> None:
    """What ``qparity plot`` refuses is an error of the build."""
    with pytest.raises(ValueError, match="no"):
        hooks.picture_of("number-line no")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each notebook runs from top to bottom, and its assertions hold."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT)}}).execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
