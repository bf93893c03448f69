"""The schemes of examples/: short, lawful, and the same bits in torch."""

from pathlib import Path

import numpy as np
import pytest

from qparity.backends import load_backend
from qparity.conformance.case import run_case
from qparity.conformance.laws.check import VIOLATED, check_laws
from qparity.conformance.laws.witness import lines_of
from qparity.conformance.operations import scheme_checks
from qparity.conformance.scheme_file import load_schemes
from qparity.reference import FormatArgs, QuantizationArgs

FILES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
MOST_LINES = 20


def args_of(file: Path) -> QuantizationArgs:
    """The args of an example."""
    (scheme,) = load_schemes([str(file)]).values()
    assert scheme.weights is not None
    return scheme.weights


def test_there_are_six() -> None:
    """Each of the six schemes that upstream has no preset for is a file of its own."""
    assert len(FILES) == 6
    assert len({args_of(file) for file in FILES}) == 6


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_short(file: Path) -> None:
    """A scheme takes 20 lines at most, and says what it is."""
    lines = file.read_text().splitlines()
    assert len(lines) <= MOST_LINES
    assert lines[0].startswith('"""')
    assert isinstance(args_of(file), FormatArgs)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_obeys_the_laws(file: Path) -> None:
    """No law that needs no oracle is violated."""
    verdicts = check_laws(args_of(file), load_backend("numpy"), cases=2)
    broken = [verdict for verdict in verdicts if verdict.verdict == VIOLATED]
    assert not broken, [lines_of(verdict) for verdict in broken]
    assert sum(verdict.cases for verdict in verdicts) > 100


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_has_the_same_bits_in_torch(file: Path) -> None:
    """Each operation on each dtype has the reference's bits on torch:cpu."""
    backend = load_backend("torch:cpu")
    for name, scheme in load_schemes([str(file)]).items():
        for check in scheme_checks(name, scheme):
            with np.errstate(all="ignore"):
                for case in check.cases(1, nan=True):
                    assert run_case(case, backend)[2] is None, case
