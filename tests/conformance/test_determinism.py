"""The same seed gives the same report, byte for byte; another seed gives the same verdict.

``QPARITY_SEEDS`` says how many other seeds (2 by default).
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.report import report_to_json
from qparity.conformance.sending import send_strides
from qparity.conformance.verify import verify
from tests.conformance import planted
from tests.conformance.planted import Array

ROOT = Path(__file__).parents[2]
SEEDS = int(os.environ.get("QPARITY_SEEDS", "2"))
FEW = ("pack_to_int32", "pack_fp4_to_uint8")


def of_layouts() -> object:
    """A backend that is wrong where the codes it packs have gaps, and in every last fp4 code."""

    def packs(value: Array, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - as the reference's
        words = reference.pack_to_int32(value, *a, **k)
        return words if value.flags.c_contiguous else planted.next_to(words)

    found = planted.spoiled("pack_fp4_to_uint8", planted.next_to)
    found.pack_to_int32 = packs
    return found


def report(seed: int, **options: Any) -> str:  # noqa: ANN401 - any option
    """A report as text."""
    given = {"name": "mine", "level": "smoke", "operations": FEW, "cases_folder": None}
    found = verify(of_layouts(), seed=seed, load=of_layouts, **given | options)
    return json.dumps(report_to_json(found), indent=1)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Counts, counterexamples and order depend on the seed alone, not on the number of jobs."""
    one = report(3)
    assert report(3) == one
    assert report(3, jobs=2) == one
    assert report(3, jobs=2, isolate=True) == one
    assert '"FAIL"' in one
    assert "strides" in one
    assert report(4) != one


def test_a_fresh_interpreter_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two processes with other hashes write the same report; so nothing hangs on their order."""
    code = "from tests.conformance.test_determinism import report; print(report(5))"
    texts = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hashes in ("1", "2")
    ]
    assert texts[0] == texts[1] == report(5) + "\n"


@pytest.mark.parametrize("seed", range(1, 1 + SEEDS))
def test_any_seed_gives_the_same_verdict(seed: int) -> None:
    """torch:cpu is equal whatever the seed, and the cases are not those of another seed."""
    found = verify(
        load_backend("torch:cpu"), name="torch:cpu", level="smoke", seed=seed, cases_folder=None
    )
    assert [outcome for outcome in found.outcomes if outcome.status != "PASS"] == []
    assert found.exit_code == 0


def test_a_wrong_backend_is_wrong_for_every_seed() -> None:
    """The verdict on a fault does not hang on the seed, while the counterexamples do."""
    reports = [json.loads(report(seed)) for seed in range(5)]
    verdicts = {tuple(check["status"] for check in found["checks"]) for found in reports}
    assert {found["summary"]["exit_code"] for found in reports} == {1}
    assert all("FAIL" in verdict for verdict in verdicts)
    assert len({json.dumps(found["checks"]) for found in reports}) == 5


def test_strides_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array with gaps comes out of another process with its strides, dtype and bits."""
    from multiprocessing.reduction import ForkingPickler

    monkeypatch.setattr(ForkingPickler, "_extra_reducers", dict(ForkingPickler._extra_reducers))
    array = np.arange(12, dtype=np.int16).reshape(3, 4)[:, ::2]
    plain = ForkingPickler.loads(ForkingPickler.dumps(array))
    send_strides()
    for sent in (array, array.T, array[::-1], np.array(1.5), np.ones((2, 2))):
        came = ForkingPickler.loads(ForkingPickler.dumps(sent))
        assert (came.dtype, came.strides, came.tolist()) == (
            sent.dtype,
            sent.strides,
            sent.tolist(),
        )
    assert plain.strides != array.strides
