"""A backend that changes how the processor rounds does not change the reference's answers."""

import ctypes
import platform
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from qparity import reference
from qparity.conformance.float_mode import changed_mode, restore_mode
from qparity.conformance.guard import ChangedModeError, guarded
from qparity.conformance.verify import verify
from tests.conformance import planted

TOWARD_ZERO = {"x86_64": 0xC00, "aarch64": 0xC00000}
C = ctypes.CDLL(None)


def flush() -> None:
    """Flush subnormals to zero, as a library built for speed does when it is loaded."""
    assert torch.set_flush_denormal(True)


def toward_zero() -> None:
    """Round toward zero."""
    assert C.fesetround(TOWARD_ZERO[platform.machine()]) == 0


MODES = {flush: "flushes subnormals to zero", toward_zero: "does not round to nearest"}


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    restore_mode()
    assert changed_mode() is None


@pytest.mark.parametrize(("change", "words"), MODES.items(), ids=lambda value: str(value)[:14])
def test_the_mode_is_seen_and_restored(change: Callable[[], None], words: str) -> None:
    """The usual mode is none to speak of; another one is named, and undone."""
    assert changed_mode() is None
    change()
    assert changed_mode() == words
    restore_mode()
    assert changed_mode() is None


@pytest.mark.parametrize("change", MODES, ids=lambda change: change.__name__)
def test_a_call_that_leaves_another_mode_differs(change: Callable[[], None]) -> None:
    """Though all that it answers is as the reference in that mode has it."""

    def quantize(*args: Any, **inputs: Any) -> Any:  # noqa: ANN401 - as the reference
        change()
        return reference.quantize(*args, **inputs)

    backend = planted.backend(quantize=quantize)
    report = verify(backend, name="mine", level="smoke", operations=["quantize"], cases_folder=None)
    statuses = {outcome.status for outcome in report.outcomes if outcome.op == "quantize"}
    assert (report.exit_code, statuses) == (1, {"FAIL"})
    words = MODES[change]
    told = [o.counterexample.difference.detail for o in report.outcomes if o.counterexample]
    assert all(f"ChangedModeError: quantize left a thread that {words}" in text for text in told)
    assert changed_mode() is None


def test_a_call_that_restores_the_mode_is_the_backends_own_affair() -> None:
    """Its answers are judged as any."""

    def calculate_range(args: Any) -> Any:  # noqa: ANN401 - as the reference
        flush()
        torch.set_flush_denormal(False)
        return reference.calculate_range(args)

    backend = guarded(planted.backend(calculate_range=calculate_range), 20.0)
    assert backend.calculate_range(planted.INT8) == (-128.0, 127.0)


def test_an_error_in_another_mode_is_told_as_the_mode() -> None:
    """What a call raises does not hide how it leaves the thread."""

    def breaks(_: object) -> None:
        flush()
        raise RuntimeError

    with pytest.raises(ChangedModeError):
        guarded(planted.backend(calculate_range=breaks), 20.0).calculate_range(planted.INT8)
    assert np.float32(1e-40) * np.float32(1) != 0
