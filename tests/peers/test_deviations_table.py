"""``docs/deviations.md``: each row has its test, each test its row."""

import re
from types import ModuleType

import pytest

from tests.peers import samples, test_clarifications, test_deviations

PAGE = (samples.REPOSITORY / "docs" / "deviations.md").read_text(encoding="utf-8")
HEADINGS = [("Deviations", test_deviations), ("Clarifications", test_clarifications)]


@pytest.mark.parametrize(("heading", "module"), HEADINGS, ids=["deviations", "clarifications"])
def test_rows_and_tests_are_the_same(heading: str, module: ModuleType) -> None:
    """The last column of a table names every test of its module, each once."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    named = re.findall(r"`(test_\w+)` \|$", section, re.MULTILINE)
    assert len(named) == section.count("\n|") - 2
    assert sorted(named) == sorted(name for name in vars(module) if name.startswith("test_"))
