"""One call of one operation: its inputs, what the reference returns, what a backend returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import FormatArgs, QuantizationArgs, QuantizationScheme

from .bits import bits_of
from .compare import Difference
from .deviations import DeclaredError, ways_of, without_declared
from .guard import TooSlowError
from .outputs import Outputs, count_of, differs, named_outputs

__all__ = [
    "Case",
    "DeclaredDifferenceError",
    "Outputs",
    "UnsupportedError",
    "expected_outputs",
    "message_of",
    "run_case",
]

Backend = ModuleType | object
Keep = Callable[[object], None]


class UnsupportedError(Exception):
    """The backend has no such operation, or not for these arguments."""


class DeclaredDifferenceError(UnsupportedError):
    """The backend differs, and only as it declares; ``counts`` by row, of ``total`` numbers."""

    def __init__(self, counts: Mapping[str, int], total: int) -> None:
        super().__init__("differs only as declared: " + ", ".join(counts))
        self.counts, self.total = dict(counts), total


@dataclass(frozen=True)
class Case:
    """One call of an operation.

    Attributes:
        op: name of a function of ``qparity.reference``.
        inputs: its arguments by name: arrays, args, schemes, dtypes, numbers, tuples and dicts of
            arrays.
        rebuild: for inputs that were made from simpler ones: makes them again; None otherwise.
        source: the simpler ones, for ``rebuild``.
    """

    op: str
    inputs: Mapping[str, Any]
    rebuild: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    source: Mapping[str, Any] | None = None

    def having(self, **changed: object) -> "Case":
        """The same call with some inputs (of ``source`` where there is one) changed."""
        if self.rebuild is None or self.source is None:
            return replace(self, inputs={**self.inputs, **changed})
        source = {**self.source, **changed}
        return replace(self, source=source, inputs=self.rebuild(source))

    @property
    def simple_inputs(self) -> Mapping[str, Any]:
        """What ``having`` changes."""
        return self.inputs if self.source is None else self.source

    @property
    def is_empty(self) -> bool:
        """Whether an array among the inputs has no element."""
        values = self.simple_inputs.values()
        return any(isinstance(value, np.ndarray) and value.size == 0 for value in values)

    @property
    def label(self) -> str:
        """Format, strategy, symmetry and dtype, as a report names the case."""
        parts = [_describe(value) for value in self.inputs.values()]
        arrays = [value for value in self.simple_inputs.values() if isinstance(value, np.ndarray)]
        parts += [arrays[0].dtype.name] if arrays else []
        return " ".join(part for part in parts if part)


def expected_outputs(case: Case) -> Outputs:
    """What the reference returns, by name of output."""
    return named_outputs(case.op, getattr(reference, case.op)(**case.inputs))


def run_case(
    case: Case,
    backend: Backend,
    expected: Outputs | None = None,
    keep: Keep = lambda _: None,
) -> tuple[Outputs, Outputs, Difference | None]:
    """Run a case on a backend.

    Args:
        case: the call.
        backend: a module or object with functions of the reference's names, ``from_numpy`` and
            ``to_numpy``.
        expected: what the reference returns, if it is known already.
        keep: given what the backend returns, as it returns it.

    Returns:
        The expected and the actual outputs, and the first difference or None. A backend that
        raises (``SystemExit`` too), is too slow (see ``guarded``), or changes its input, differs.

    Raises:
        UnsupportedError: if the backend has no such function, or raises NotImplementedError.
        DeclaredDifferenceError: if it differs only as the backend declares.
    """
    expected, actual, difference = _run(case, backend, expected, keep)
    rows = () if difference is None else ways_of(backend)
    if difference is None or not rows:
        return expected, actual, difference
    try:
        left = without_declared(case.op, case.inputs, expected, actual, difference, rows)
    except DeclaredError as error:
        raise DeclaredDifferenceError(error.counts, error.total) from None
    return expected, actual, left


def _run(
    case: Case, backend: Backend, expected: Outputs | None, keep: Keep
) -> tuple[Outputs, Outputs, Difference | None]:
    expected = expected_outputs(case) if expected is None else expected
    function = getattr(backend, case.op, None)
    if function is None:
        raise UnsupportedError(f"no function {case.op}")
    to_numpy: Callable[[Any], Any] = getattr(backend, "to_numpy")  # noqa: B009
    total = count_of(expected)
    kept = {key: _copied(value) for key, value in case.inputs.items()}
    try:
        native = {key: _to_native(value, backend) for key, value in case.inputs.items()}
        answer = function(**native)
        keep(answer)
        actual = named_outputs(case.op, answer, to_numpy)
        changed = _changed_input(kept, native, to_numpy)
    except NotImplementedError as error:
        raise UnsupportedError(str(error) or "NotImplementedError") from error
    except TooSlowError as error:
        return expected, {}, Difference("", "slow", str(error), (), total, total)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a backend raises is its answer
        detail = f"raised {type(error).__name__}: {message_of(error)}"
        return expected, {}, Difference("", "raised", detail, (), total, total)
    finally:
        _restore(case.inputs, kept)
    if changed is not None:
        detail = f"changed its input {changed}"
        return expected, actual, Difference(changed, "mutated", detail, (), total, total)
    return expected, actual, differs(expected, actual)


def message_of(error: BaseException) -> str:
    """What an exception of a backend says, on one line."""
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - the message is the backend's code, too
        return "a message that cannot be read"


def _to_native(value: object, backend: Backend) -> object:
    if isinstance(value, np.ndarray):
        return getattr(backend, "from_numpy")(value)  # noqa: B009
    if isinstance(value, Mapping):
        return {key: _to_native(item, backend) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_to_native(item, backend) for item in value)
    return value


def _copied(value: Any) -> Any:  # noqa: ANN401 - any input
    """An input in memory of its own."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_copied(item) for item in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def _restore(inputs: Mapping[Any, Any], kept: Mapping[Any, Any]) -> None:
    """Undo what a backend wrote into arrays whose memory it shares."""
    for key, value in kept.items():
        if isinstance(value, np.ndarray):
            if inputs[key].flags.writeable:
                np.copyto(inputs[key], value)
        elif isinstance(value, Mapping):
            _restore(inputs[key], value)
        elif isinstance(value, tuple):
            _restore(dict(enumerate(inputs[key])), dict(enumerate(value)))


def _changed_input(
    kept: Mapping[str, Any], native: Mapping[str, Any], to_numpy: Callable[[Any], Any]
) -> str | None:
    """The first input, or part of one, that is not what it was; None if all are."""
    for key, value in kept.items():
        part = _changed_part(value, native[key], to_numpy)
        if part is not None:
            return f"{key}{part}"
    return None


def _changed_part(before: Any, after: Any, to_numpy: Callable[[Any], Any]) -> str | None:  # noqa: ANN401 - any input
    if isinstance(before, np.ndarray):
        return None if np.array_equal(bits_of(before), bits_of(to_numpy(after))) else ""
    if isinstance(before, tuple):
        before, after = dict(enumerate(before)), dict(enumerate(after))
    if not isinstance(before, Mapping):
        return None
    if set(before) != set(after):
        return ""
    for key, value in before.items():
        part = _changed_part(value, after[key], to_numpy)
        if part is not None:
            return f"[{key}]{part}"
    return None


def _describe(value: object) -> str:
    if isinstance(value, QuantizationScheme):
        return "" if value.weights is None else _describe(value.weights)
    if not isinstance(value, QuantizationArgs):
        return ""
    symmetry = "symmetric" if value.symmetric else "asymmetric"
    return f"{format_label(value)} {value.strategy} {symmetry}"


def format_label(args: QuantizationArgs) -> str:
    """``int8``, ``fp4``, ``fp6``, ``fp8``, or ``mxfp4`` and so on; else the format's own name."""
    if isinstance(args, FormatArgs):
        return args.code_format.name
    if args.type == "int":
        return f"int{args.num_bits}"
    return f"{'mx' if args.is_mx else ''}fp{args.num_bits}"
