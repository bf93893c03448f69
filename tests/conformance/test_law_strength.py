"""Every law has a fault that it alone finds, or a reason to stand; the published page says so."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from qparity.conformance.laws import LAWS
from qparity.conformance.laws.own_faults import OWN_FAULTS, REASONS, OwnFault
from qparity.conformance.laws.strength import law_trials, trials_to_markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "laws.md"


def test_every_law_has_a_fault_of_its_own_or_a_reason() -> None:
    """No law has both, none has neither, and none has two."""
    names = [own.law for own in OWN_FAULTS]
    assert len(names) == len(set(names))
    assert not REASONS.keys() & set(names)
    assert {law.name for law in LAWS} == {*names, *REASONS}
    assert all(len(reason) > 40 for reason in REASONS.values())


@pytest.mark.parametrize("own", OWN_FAULTS, ids=lambda own: own.law)
def test_a_law_alone_finds_its_own_fault(own: OwnFault) -> None:
    """Of all laws, the one whose fault it is finds it, and no other does."""
    (trial,) = law_trials([own], others=1)
    assert trial.found_by == (own.law,)


def test_a_fault_that_others_find_is_told() -> None:
    """A fault that is not a law's own is not alone, and the table names who finds it."""
    borrowed = replace(OWN_FAULTS[-2], law="half_step")
    (trial,) = law_trials([borrowed], others=1)
    assert not trial.alone
    page = trials_to_markdown([trial], "x", reasons={})
    assert "Laws with a fault of their own: 0 of" in page
    assert f"`{OWN_FAULTS[-2].law}` |" in page
    assert "**no reason**" in page


def test_the_published_page_is_of_these_laws() -> None:
    """The page has a row for every law; each fault is found by its own law alone."""
    text = PAGE.read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \|([^|]*)\|$", text, re.MULTILINE))
    assert list(rows) == [law.name for law in LAWS]
    for own in OWN_FAULTS:
        assert rows[own.law].strip() == f"`{own.law}`"
        assert own.fault.description in text
    assert all(reason in text for reason in REASONS.values())
    assert "    qparity self-test --laws docs/laws.md\n" in text
