"""The first step at which a backend parts from the reference, found through its operations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs
from qparity.reference.operands import operands

from ..bits import Array, decimal, hex_bits
from ..case import Case, UnsupportedError, expected_outputs, run_case
from ..compare import Difference, differing
from ..diagnose import diagnose
from .steps import Trace

__all__ = ["Divergence", "Parting", "part_from"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a backend gives other bits than the reference, from the same inputs.

    Attributes:
        backend: its name.
        op: the operation that differs.
        step: the step within it: the first that differs when each is asked for alone.
        section: of that step.
        kind: of the part that the step is in: ``"tensor"``, ``"unit"`` or ``"element"``.
        index: of that part.
        expected: the reference's number and bits; empty where no number is compared.
        actual: the backend's, or what else is wrong: what it raised, a dtype, a shape.
        cause: the planted fault that explains it, or nothing.
        count: how many numbers of the operation differ, and of how many.
    """

    backend: str
    op: str
    step: str
    section: int
    kind: str
    index: tuple[int, ...]
    expected: str
    actual: str
    cause: str
    count: tuple[int, int]

    def __str__(self) -> str:
        count, total = self.count
        place = f" of {list(self.index)}" if self.index else ""
        said = f"expected {self.expected}, actual {self.actual}" if self.expected else self.actual
        text = f"{self.op}: parts at the step {self.step!r}{place}: {said}; "
        text += f"{count:,} of {total:,} differ"
        return f"{text}; {self.cause}" if self.cause else text


@dataclass(frozen=True, slots=True)
class Parting:
    """What asking a backend for each operation came to.

    Attributes:
        backend: its name.
        divergence: the first step that differs, if one does; what comes after it is not asked.
        compared: the operations that were compared.
        unsupported: why the others were not, by operation.
    """

    backend: str
    divergence: Divergence | None
    compared: tuple[str, ...]
    unsupported: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """0 equal, 1 different, 5 nothing was compared."""
        return 1 if self.divergence is not None else 0 if self.compared else 5

    def __str__(self) -> str:
        if self.divergence is not None:
            return str(self.divergence)
        if self.compared:
            return ", ".join(self.compared)
        declined = [
            f"{op}: {why}" for op, why in self.unsupported.items() if why != f"no function {op}"
        ]
        return "; ".join(declined) or f"it has none of {', '.join(self.unsupported)}"


def part_from(
    trace: Trace, backend: object, name: str, compute_dtype: np.dtype | None = None
) -> Parting:
    """The first step that differs, each asked for alone, from the reference's inputs.

    Args:
        trace: of the reference.
        backend: as ``run_case`` takes it.
        name: of the backend.
        compute_dtype: as for ``trace``.

    Returns:
        The difference, if there is one, and the operations that were compared.
    """
    compared: list[str] = []
    unsupported: dict[str, str] = {}
    for case in _cases(trace, compute_dtype):
        try:
            expected, actual, difference = run_case(case, backend)
        except UnsupportedError as error:
            unsupported[case.op] = " ".join(str(error).split())
            continue
        compared.append(case.op)
        if difference is not None:
            found = _divergence(trace, case, backend, name, expected, actual, difference)
            return Parting(name, found, tuple(compared), unsupported)
    return Parting(name, None, tuple(compared), unsupported)


def _cases(trace: Trace, compute_dtype: np.dtype | None) -> Iterator[Case]:
    x, args = trace.tensor.x, trace.args
    whole = None
    if args.strategy == "tensor_group":
        lo, hi = reference.minmax(x, QuantizationArgs(strategy="tensor"))
        formats: dict[str, Any] = {"quant_data": args.code_format}
        if args.scale_format is not None:
            formats["scale_data"] = args.scale_format
        case = Case("generate_gparam", {"min_val": lo, "max_val": hi} | formats)
        yield case
        whole = expected_outputs(case)[""]
    given = {} if whole is None else {"global_scale": whole}
    if args.strategy == "token":
        case = Case("compute_dynamic_scales_and_zp", {"x": x, "args": args} | given)
    else:
        ranges = Case("minmax", {"x": x, "args": args})
        yield ranges
        inputs = expected_outputs(ranges) | {"args": args} | given
        case = Case("calculate_qparams", inputs)
    yield case
    made = expected_outputs(case)
    point = None if args.symmetric else made["zero_point"]
    common = {"scale": made["scale"], "zero_point": point, "args": args} | given
    compute = {} if compute_dtype is None else {"compute_dtype": compute_dtype}
    quantized = Case("quantize", {"x": x} | common | compute)
    yield quantized
    codes = expected_outputs(quantized)[""]
    yield Case("dequantize", {"x_q": codes} | common)
    yield Case("fake_quantize", {"x": x} | common | compute)


def _divergence(
    trace: Trace,
    case: Case,
    backend: object,
    name: str,
    expected: Mapping[str, Array],
    actual: Mapping[str, Array],
    difference: Difference,
) -> Divergence:
    cause = diagnose([case], backend)
    said = "" if cause is None else f"{cause} ({cause.description})"
    count = difference.count, difference.total
    step, section, kind = _step_of(case, difference.output, backend)
    if difference.reason != "bits":
        return Divergence(
            name, case.op, step, section, kind, (), "", difference.detail, said, count
        )
    index = _index(trace, kind, expected[difference.output], actual[difference.output])
    at = index if index in _indices(trace, kind) else difference.index
    place = at if expected[difference.output].ndim == len(at) else difference.index
    before, after = (outputs[difference.output][place] for outputs in (expected, actual))
    was, has = (f"{decimal(value)} {hex_bits(value)}" for value in (before, after))
    return Divergence(name, case.op, step, section, kind, tuple(at), was, has, said, count)


def _index(trace: Trace, kind: str, expected: Array, actual: Array) -> tuple[int, ...]:
    """The first difference, of those that are shown if there is one."""
    where = differing(expected, actual)
    shown = [i for i in _indices(trace, kind) if len(i) == where.ndim and where[i]]
    if shown:
        return shown[0]
    return tuple(int(i) for i in np.unravel_index(int(where.argmax()), where.shape))


def _indices(trace: Trace, kind: str) -> list[tuple[int, ...]]:
    return [part.index for part in trace.parts if part.kind == kind]


def _step_of(case: Case, output: str, backend: object) -> tuple[str, int, str]:
    """The name of the step, its section, and the kind of its part."""
    if case.op == "generate_gparam":
        return "global_scale", 5, "tensor"
    if case.op == "minmax":
        return {"min_vals": "lo", "max_vals": "hi"}.get(output, "lo"), 5, "unit"
    if case.op in ("calculate_qparams", "compute_dynamic_scales_and_zp"):
        return output or "scale", 5, "unit"
    if case.op == "dequantize":
        return "value", 7, "element"
    return _within_quantize(case, backend), 7, "element"


def _within_quantize(case: Case, backend: object) -> str:
    """The step of quantize that differs when the steps after it are asked for alone and agree."""
    inputs = dict(case.inputs)
    ones = np.ones_like(inputs["scale"])
    whole = inputs.pop("global_scale", None)
    s = inputs["scale"]
    if whole is not None:
        s = reference.arithmetic.divide(s, whole)
    fine = {**inputs, "scale": s, "zero_point": None}
    y = reference.arithmetic.quiet(_quotient)(fine)
    rounding = {**inputs, "x": y, "scale": ones.astype(y.dtype), "zero_point": None}
    if _differs(Case("quantize", rounding), backend):
        return "code"
    if _differs(Case("quantize", fine), backend):
        return "y"
    if inputs.get("zero_point") is not None and _differs(
        Case("quantize", {**inputs, "scale": s}), backend
    ):
        return "y"
    return "s" if whole is not None and _differs(case, backend) else "code"


def _quotient(inputs: Mapping[str, Any]) -> Array:
    """x / scale as the reference lays it out, unclamped: in args whose codes it cannot leave."""
    ops = operands(
        inputs["x"], inputs["scale"], None, inputs["args"], g_idx=None, global_scale=None, name="x"
    )
    return ops.evaluate(lambda rows: reference.arithmetic.divide(rows.x, rows.scale))


def _differs(case: Case, backend: object) -> bool:
    try:
        return run_case(case, backend)[2] is not None
    except UnsupportedError:
        return False
