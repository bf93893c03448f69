"""The laws as test functions of anybody's own tests."""

from collections.abc import Callable
from functools import partial

from qparity.backends import load_backend
from qparity.reference import QuantizationArgs

from ..guard import CASE_TIMEOUT
from .check import LAWS, NOT_APPLICABLE, VIOLATED, Verdict, check_law
from .law import Law
from .witness import lines_of, reason_of

__all__ = ["law_tests"]


def law_tests(
    args: QuantizationArgs,
    backend: object = "numpy",
    *,
    seed: int = 0,
    cases: int = 8,
    case_timeout: float | None = CASE_TIMEOUT,
) -> dict[str, Callable[[], None]]:
    """One test function for each law that has these args in its domain, by name.

    Args:
        args: the scheme's.
        backend: its name, or the module or object itself; the reference by default.
        seed: the same seed gives the same samples.
        cases: how many samples for each dtype.
        case_timeout: seconds that a call of the backend may take; None: any time.

    Returns:
        ``{"test_scale_positive": function, ...}``, for ``globals().update(law_tests(ARGS))``. A
        function raises AssertionError with the smallest witness; where the backend lacks what a
        law needs, its test is skipped.

    Raises:
        TypeError: if ``args`` are no ``QuantizationArgs``.
        ValueError: if the name of the backend is unknown.
    """
    if not isinstance(args, QuantizationArgs):
        raise TypeError(f"args: {args!r} is not allowed; allowed: QuantizationArgs")
    judged = load_backend(backend) if isinstance(backend, str) else backend
    check = partial(
        check_law, args=args, backend=judged, seed=seed, cases=cases, case_timeout=case_timeout
    )
    inside = [law for law in LAWS if any(not law.outside_of(args, dtype) for dtype in law.dtypes)]
    return {f"test_{law.name}": _test(law, check) for law in inside}


def _test(law: Law, check: Callable[[Law], Verdict]) -> Callable[[], None]:
    def test() -> None:
        verdict = check(law)
        if verdict.verdict == NOT_APPLICABLE:
            import pytest

            pytest.skip(reason_of(verdict))
        if verdict.verdict == VIOLATED:
            raise AssertionError("\n".join([law.name, *lines_of(verdict)]))

    test.__name__ = test.__qualname__ = f"test_{law.name}"
    test.__doc__ = law.statement
    return test
