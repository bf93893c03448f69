"""Public docstrings: what goes in, what comes out, where it is from, and an example that runs."""

from doctest import DocTestFinder
from inspect import getdoc, isfunction, signature

import pytest

from qparity import reference

FUNCTIONS = [name for name in reference.__all__ if isfunction(getattr(reference, name))]
EXAMPLES = [*FUNCTIONS, "QuantizationArgs", "QuantizationScheme"]


def examples(thing: object) -> int:
    """The number of lines that the doctest of a docstring runs."""
    found = DocTestFinder(recurse=False).find(thing, "it")
    return sum(len(test.examples) for test in found)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_public_docstring_has_an_example(name: str) -> None:
    """Each public function and each class of args has a doctest, which ``make check`` runs."""
    assert examples(getattr(reference, name)) > 0


def test_a_docstring_without_an_example_is_seen() -> None:
    """The count of examples of a docstring that has none is 0."""
    assert examples(examples) == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_docstring_names_its_source(name: str) -> None:
    """It names the section of the specification or upstream's function, or where that stands."""
    text = getdoc(getattr(reference, name)) or ""
    assert "Source: " in text or "see ``minmax``" in text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_told(name: str) -> None:
    """Each parameter stands in the docstring, or the docstring sends to the one where it does."""
    function = getattr(reference, name)
    text = getdoc(function) or ""
    missing = [p for p in signature(function).parameters if f"{p}: " not in text]
    assert not missing or "see ``minmax``" in text
