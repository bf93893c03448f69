"""The checks as test functions, for a backend's own test suite."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from qparity.backends import load_backend
from qparity.reference import QuantizationScheme

from .operations import Check
from .probes import probe_bridge, probe_subnormals
from .report import failure_lines
from .run import CASES_FOLDER, Outcome, run_check
from .verify import plan

__all__ = ["conformance_tests"]

Test = Callable[[], None]


def conformance_tests(
    backend: str | object,
    *,
    level: str = "quick",
    operations: Sequence[str] = (),
    schemes: Mapping[str, QuantizationScheme] | None = None,
    compute_dtype: np.dtype | None = None,
    seed: int = 0,
) -> dict[str, Test]:
    """One test function per check, by name, for ``globals().update(...)`` in a test file.

    Args:
        backend: the name of a backend, as for ``qparity verify``, or a module or object.
        level: ``"smoke"`` or ``"quick"``.
        operations: only these operations; empty: all.
        schemes: only the args of these schemes, by name; None: all formats and strategies.
        compute_dtype: float32 compares under the rule of fused kernels.
        seed: the same seed gives the same cases.

    Returns:
        Test functions such as ``test_quantize_int8_float32``. The backend is loaded by the first
        that runs; one fails with the counterexample, and is skipped where the backend has no such
        operation. They are independent of each other, so they may run in any order and process.

    Raises:
        ValueError: if the level or an operation is unknown.
    """
    name = backend if isinstance(backend, str) else getattr(backend, "__name__", repr(backend))

    @lru_cache(maxsize=1)
    def loaded() -> object:
        return load_backend(backend) if isinstance(backend, str) else backend

    tests: dict[str, Test] = {
        "test_bridge": lambda: _judge(probe_bridge(loaded()), name),
        "test_subnormals": lambda: _judge(probe_subnormals(), name),
    }
    for check, examples in plan(level, operations, schemes, compute_dtype):
        slug = re.sub(r"\W+", "_", f"test_{check.op}_{check.name}")
        tests[slug] = _test(check, examples, loaded, seed, name)
    return tests


def _test(check: Check, examples: int, loaded: Callable[[], object], seed: int, name: str) -> Test:
    def test() -> None:
        outcome = run_check(
            check, loaded(), seed=seed, examples=examples, cases_folder=CASES_FOLDER
        )
        _judge(outcome, name)

    test.__doc__ = f"{check.op} of {check.name} returns the bits of the reference."
    return test


def _judge(outcome: Outcome, name: str) -> None:
    import pytest

    if outcome.status == "UNSUPPORTED":
        pytest.skip(f"{name} has no {outcome.op}: {outcome.detail}")
    if outcome.status != "PASS":
        pytest.fail("\n".join(failure_lines(outcome, name)), pytrace=False)
