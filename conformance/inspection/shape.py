"""The shape of a weight before compression, and a ``weight_shape`` that is not that."""

from qparity.reference import QuantizationArgs

from ..checkpoint.read import read_entry
from .expected import codes_name, columns_of, packed_shape
from .finding import Finding
from .plan import Plan

__all__ = ["logical_shape"]

Shape = tuple[int, ...]
_LARGEST_SHAPE = 8


def logical_shape(
    plan: Plan, args: QuantizationArgs | None, findings: list[Finding]
) -> Shape | None:
    """The shape of the weight before compression: of the dense one, or as tensors agree on it."""
    if args is None:
        weight = plan.entries.get("weight")
        return None if weight is None else weight.shape
    codes = plan.entries.get(codes_name(plan.format))
    told = _told_shape(plan, findings) if plan.format == "pack-quantized" else None
    if plan.dense is not None:
        shape = plan.dense.shape
        if told is not None and told != shape:
            findings.append(_wrong_shape_tensor(plan, told, shape))
        return shape
    if codes is not None and len(codes.shape) < 2:
        bits = str(list(codes.shape))
        wrong = Finding("shape-wrong", "rows and columns", plan.module, codes.name, bits=bits)
        findings.append(wrong)
        return None
    if codes is None:
        return told
    scale = plan.entries.get("weight_scale")
    size = args.group_size if args.group_size and args.group_size > 0 else 0
    by_scale = None
    if scale is not None and size and len(scale.shape) >= 2:
        by_scale = (*codes.shape[:-1], scale.shape[-1] * size)
    agrees = by_scale is not None and packed_shape(by_scale, args, plan.format) == codes.shape
    if told is None:
        by_codes = (*codes.shape[:-1], columns_of(codes.shape[-1], args, plan.format))
        odd = size and by_codes[-1] % size
        return by_scale if by_scale is not None and (agrees or odd) else by_codes
    if packed_shape(told, args, plan.format) == codes.shape:
        return told
    if agrees and by_scale is not None:
        findings.append(_wrong_shape_tensor(plan, told, by_scale))
        return by_scale
    if len(told) != len(codes.shape) or told[:-1] != codes.shape[:-1]:
        columns = columns_of(codes.shape[-1], args, plan.format)
        shape = (*codes.shape[:-1], columns)
        findings.append(_wrong_shape_tensor(plan, told, shape))
        return shape
    return told


def _told_shape(plan: Plan, findings: list[Finding]) -> Shape | None:
    entry = plan.entries.get("weight_shape")
    if entry is None or entry.dtype not in ("I64", "I32") or len(entry.shape) != 1:
        return None
    if not 0 < entry.shape[0] <= _LARGEST_SHAPE:
        return None
    told = tuple(int(n) for n in read_entry(entry))
    if min(told) >= 1 and max(told) < 1 << 40:
        return told
    findings.append(_wrong_shape_tensor(plan, told, None))
    return None


def _wrong_shape_tensor(plan: Plan, told: Shape, shape: Shape | None) -> Finding:
    expected = "positive sizes" if shape is None else str(list(shape))
    hint = "transposed" if shape is not None and told == shape[::-1] else ""
    name = plan.entries["weight_shape"].name
    bits = str(list(told))
    return Finding("weight-shape-wrong", expected, plan.module, name, bits=bits, hint=hint)
