"""One module: its tensors against its scheme, then their numbers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checkpoint import Entry
from .against import Against, compare_with_dense
from .expected import Expected, codes_name, expected_tensors
from .finding import NOTE, VIOLATION, Finding
from .plan import Plan
from .shape import logical_shape
from .values import (
    check_codes,
    check_g_idx,
    check_global_scale,
    check_grid,
    check_scale,
    check_tail,
    check_zero_point,
)

__all__ = ["ModuleReport", "inspect_module"]

Shape = tuple[int, ...]


@dataclass
class ModuleReport:
    """What is known of a module.

    Attributes:
        module: its name.
        group: of the config.
        scheme: its args as a checkpoint holds them, by ``weights`` and so on.
        format: its compression format.
        shape: of its weight; None if that cannot be told.
        tensors: name, logical dtype, stored dtype and stored shape of each.
        negative_zeros: how many codes are -0, None where there is no such code.
        calibration: how scales and codes came about, "" without dense weights.
        nbytes: how much was read.
        findings: what is wrong or worth knowing.
    """

    module: str
    group: str
    scheme: dict[str, Any]
    format: str
    shape: Shape | None = None
    tensors: list[dict[str, Any]] = field(default_factory=list)
    negative_zeros: int | None = None
    calibration: str = ""
    nbytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def compared(self) -> bool:
        """Whether its weight was compared with a dense one; one that passes through is."""
        return bool(self.calibration) or self.scheme["weights"] is None


def inspect_module(plan: Plan) -> ModuleReport:
    """Inspect a module.

    Raises:
        CheckpointError: if a file has changed, or cannot be read.
    """
    args = plan.scheme.weights
    sides = ("weights", "input_activations", "output_activations")
    written = {
        side: None if value is None else value.to_dict(on_disk=True)
        for side in sides
        for value in (getattr(plan.scheme, side),)
    }
    report = ModuleReport(plan.module, plan.group, written, plan.format, nbytes=plan.nbytes)
    report.shape = logical_shape(plan, args, report.findings)
    expected = expected_tensors(plan.scheme, plan.format, report.shape)
    sound = {}
    for tensor in expected:
        entry = plan.entries.get(tensor.local)
        if entry is None:
            report.findings += _absent(plan, tensor)
            continue
        report.tensors.append(_side_by_side(tensor, entry))
        if _check_header(plan, tensor, entry, report.findings):
            sound[tensor.local] = entry
    known = {tensor.local for tensor in expected}
    for local, entry in plan.entries.items():
        if local not in known and local not in plan.passing:
            report.findings.append(_surplus(plan, local, entry))
            report.tensors.append(_row(entry, "none"))
    for side, inputs in (("input", plan.scheme.input_activations),):
        if inputs is not None and inputs.dynamic:
            made = {"tensor": f"{side}_scale", "logical": "null", "stored": "at run time"}
            report.tensors.append(made | {"shape": []})
    _check_values(plan, sound, report)
    needed = {tensor.local for tensor in expected if tensor.absent == VIOLATION}
    if plan.against and args is not None:
        whole = report.shape is not None and needed <= sound.keys()
        against = compare_with_dense(plan, report.shape or (), whole)
        report.calibration = against.calibration
        report.findings += _not_twice(against, report.findings)
    return report


def _absent(plan: Plan, tensor: Expected) -> list[Finding]:
    severity = VIOLATION if tensor.local in plan.required else tensor.absent
    if severity is None:
        return []
    expected = f"{tensor.tags[0]}, {tensor.logical} in the scheme"
    hint = ""
    if severity == NOTE:
        hint = "static args, and no module of the group has it"
    name = f"{plan.module}.{tensor.local}"
    return [Finding("tensor-missing", expected, plan.module, name, hint=hint, severity=severity)]


def _surplus(plan: Plan, local: str, entry: Entry) -> Finding:
    hint = ""
    side = local.partition("_")[0]
    args = {"weight": plan.scheme.weights, "input": plan.scheme.input_activations}.get(side)
    if args is not None and args.symmetric and local.endswith("zero_point"):
        hint = "the scheme is symmetric"
    if args is not None and args.dynamic is True:
        hint = "the scheme is dynamic"
    expected = f"no such tensor in {plan.format!r}"
    return Finding("tensor-surplus", expected, plan.module, entry.name, bits=entry.dtype, hint=hint)


def _check_header(plan: Plan, tensor: Expected, entry: Entry, findings: list[Finding]) -> bool:
    """Whether a tensor has its dtype and shape."""
    right = True
    if entry.dtype not in tensor.tags:
        expected = f"{' or '.join(tensor.tags)} ({tensor.logical})"
        found = Finding("dtype-wrong", expected, plan.module, entry.name, bits=entry.dtype)
        findings.append(found)
        right = False
    if tensor.shapes is not None and entry.shape not in tensor.shapes:
        expected, bits = str(list(tensor.shapes[0])), str(list(entry.shape))
        hint = _why_shape(plan, tensor, entry.shape)
        findings.append(
            Finding("shape-wrong", expected, plan.module, entry.name, bits=bits, hint=hint)
        )
        right = False
    return right


def _why_shape(plan: Plan, tensor: Expected, shape: Shape) -> str:
    """What a wrong shape would be the right one of."""
    args = plan.scheme.weights
    usual = tensor.shapes[0] if tensor.shapes else ()
    if shape == usual[::-1]:
        return "transposed"
    if args is None or len(shape) != len(usual) or not shape:
        return ""
    if tensor.local == "weight_packed" and plan.format == "pack-quantized" and shape[-1]:
        bits = args.num_bits * shape[-1] / usual[-1]
        return f"that of {bits:g} bits" if bits in range(1, 9) and shape[-1] != usual[-1] else ""
    if tensor.local == "weight_scale" and args.group_size and args.group_size > 0 and shape[-1]:
        size = args.group_size * usual[-1] / shape[-1]
        return f"that of group_size {size:g}" if size == int(size) else ""
    if tensor.local == "weight_zero_point":
        return "packed along dim 1, or not packed" if shape[-2] != usual[-2] else ""
    return ""


def _side_by_side(tensor: Expected, entry: Entry) -> dict[str, Any]:
    return _row(entry, tensor.logical)


def _row(entry: Entry, logical: str) -> dict[str, Any]:
    local = entry.name.rpartition(".")[2]
    return {
        "tensor": local,
        "logical": logical,
        "stored": entry.dtype,
        "shape": list(entry.shape),
    }


def _check_values(plan: Plan, sound: dict[str, Entry], report: ModuleReport) -> None:
    """The numbers of the tensors whose dtypes and shapes are right; of scales, of any shape."""
    module, args, found = plan.module, plan.scheme.weights, report.findings
    for local, entry in plan.entries.items():
        readable = entry.dtype in ("U8", "BF16", "F16", "F32", "F64", "F8_E4M3", "F8_E5M2")
        if not local.endswith("_scale") or not readable or not np.prod(entry.shape, initial=1):
            continue
        if local == "weight_global_scale":
            found += check_global_scale(module, entry)
        else:
            found += check_scale(module, entry)
        if local == "weight_scale" and local not in sound and args is not None:
            found += check_grid(module, entry, args)
    for local, side in (("input", "input_activations"), ("output", "output_activations")):
        name, of_side = f"{local}_zero_point", getattr(plan.scheme, side)
        if name in sound and of_side is not None:
            found += check_zero_point(module, sound[name], of_side)
    if args is None or plan.format == "dense" or report.shape is None:
        return
    zero_point = sound.get("weight_zero_point")
    packed = plan.format == "pack-quantized"
    if zero_point is not None and zero_point.dtype == "I32" and packed:
        bits = report.shape[-2] * args.num_bits
        found += check_tail(module, zero_point, bits, -2, "zero-point")
    elif zero_point is not None:
        found += check_zero_point(module, zero_point, args)
    codes = sound.get(codes_name(plan.format))
    if codes is not None:
        wrong, report.negative_zeros = check_codes(module, codes, args, plan.format)
        found += wrong
        if packed:
            found += check_tail(module, codes, report.shape[-1] * args.num_bits, -1, "code")
    if "weight_g_idx" in sound and args.group_size:
        groups = -(-report.shape[-1] // args.group_size)
        found += check_g_idx(module, sound["weight_g_idx"], groups, args.group_size)


def _not_twice(against: Against, before: list[Finding]) -> list[Finding]:
    """What the dense weights add: a tensor that is found wrong for itself is not told again."""
    told = {(f.tensor, f.position) for f in before if f.severity == VIOLATION}
    return [f for f in against.findings if (f.tensor, f.position) not in told]
