"""The page on property tests: its strategies exist, its code runs, case files are examples."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from qparity.conformance import strategies
from qparity.conformance.case_file import save_case
from tests.conformance import planted

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "property-tests.md").read_text()


def test_every_strategy_is_in_the_table() -> None:
    """Each public strategy has a row, whose arguments it takes."""
    cells = " ".join(re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE))
    shown = dict(re.findall(r"`(\w+)\((.*?)\)`", cells))
    assert set(shown) == set(strategies.__all__)
    for name, arguments in shown.items():
        taken = inspect.signature(getattr(strategies, name)).parameters
        assert {part.split("=")[0].strip() for part in arguments.split(",")} - {""} <= set(taken)


def names_of_the_page() -> dict[str, Any]:
    """What the code of the page defines."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "page"}
    exec(code, names)
    return names


def test_a_case_file_is_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the page passes on the reference, and its example alone finds a planted fault."""
    save_case(planted.reciprocal_case(), tmp_path / "cases")
    monkeypatch.chdir(tmp_path)
    few = settings(
        max_examples=2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    few(names_of_the_page()["test_quantize"])()
    names = names_of_the_page()
    names["BACKEND"] = planted.backend(quantize=planted.by_reciprocal)
    with pytest.raises(AssertionError):
        settings(few, phases=[Phase.explicit])(names["test_quantize"])()
