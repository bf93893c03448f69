"""Every operation of the reference, and the checks that hold a backend to it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from qparity import reference
from qparity.reference import (
    PRESET_SCHEMES,
    FormatArgs,
    QuantizationScheme,
    preset_name_to_scheme,
)

from .case import Case
from .packed import (
    ROUNDING_TARGETS,
    compress_cases,
    float_pack_cases,
    int32_cases,
    rounding_args_cases,
    rounding_dtype_cases,
)
from .parameters import (
    calculate_qparams_cases,
    calculate_range_cases,
    dynamic_cases,
    generate_gparam_cases,
    observer_cases,
)
from .quantized import WORKING, dequantize_cases, fake_quantize_cases, quantize_cases
from .spec import FORMATS_OF_CODES, Spec
from .values import Rng

__all__ = ["Check", "all_checks", "public_operations", "scheme_checks"]

_NOT_OPERATIONS = ("preset_name_to_scheme", "infer_format")
Maker = Callable[[Rng, Spec], Iterator[Case]]


@dataclass(frozen=True)
class Check:
    """A law to be tested: an operation, over one format and dtype.

    Attributes:
        op: name of the operation.
        name: format and dtype, unique within the operation.
        spec: what is fixed.
        make: the cases of one example, from a source of choices.
        weight: how many examples it gets, relative to others.
    """

    op: str
    name: str
    spec: Spec
    make: Maker
    weight: int = 2

    def cases(self, seed: int, nan: bool) -> Iterable[Case]:
        """The cases of one example, the same for the same seed."""
        return self.make(np.random.default_rng(seed), replace(self.spec, nan=nan))


def public_operations() -> list[str]:
    """The functions of the reference that a backend may have, by name."""
    functions = [name for name in reference.__all__ if callable(getattr(reference, name))]
    classes = [name for name in functions if isinstance(getattr(reference, name), type)]
    return [name for name in functions if name not in (*classes, *_NOT_OPERATIONS)]


def all_checks(compute_dtype: np.dtype | None = None) -> list[Check]:
    """The checks of every operation, format and dtype, in the order of the definition."""
    checks: list[Check] = []
    specs = [Spec(kind, bits, dtype) for kind, bits in FORMATS_OF_CODES for dtype in WORKING]
    free = [spec for spec in specs if (spec.type, spec.num_bits) == ("float", 4)]
    for spec in free:
        for target in ROUNDING_TARGETS:
            make = partial(rounding_dtype_cases, target)
            name = f"{target} from {spec.dtype.name}"
            checks.append(Check("round_to_quantized_type_dtype", name, spec, make, weight=4))
    checks += _per_spec("round_to_quantized_type_args", specs, rounding_args_cases, weight=4)
    one_dtype = [spec for spec in specs if spec.dtype == np.float32]
    checks += _per_spec("calculate_range", one_dtype, calculate_range_cases, weight=1)
    checks += _per_spec("calculate_qparams", specs, calculate_qparams_cases)
    checks += _per_spec("generate_gparam", free, generate_gparam_cases, weight=4)
    checks += _per_spec("compute_dynamic_scales_and_zp", specs, dynamic_cases, weight=1)
    eight = [spec for spec in specs if (spec.type, spec.num_bits) == ("int", 8)]
    for op in ("memoryless_minmax", "minmax", "static_minmax"):
        checks += _per_spec(op, eight, partial(observer_cases, op), weight=3)
    computed = [replace(spec, compute_dtype=compute_dtype) for spec in specs]
    checks += _per_spec("quantize", computed, quantize_cases, weight=4)
    checks += _per_spec("dequantize", specs, dequantize_cases)
    checks += _per_spec("fake_quantize", computed, fake_quantize_cases)
    for op in ("pack_to_int32", "unpack_from_int32"):
        for bits in range(1, 9):
            spec = Spec("int", bits, np.dtype(np.float32))
            checks.append(Check(op, f"int{bits}", spec, partial(int32_cases, op, bits), weight=6))
    for bits in (4, 6):
        for op in (f"pack_fp{bits}_to_uint8", f"unpack_fp{bits}_from_uint8"):
            checks += _per_spec(op, free, partial(float_pack_cases, op))
    for op in ("compress", "decompress"):
        for preset in PRESET_SCHEMES:
            checks += _of_scheme(op, preset, preset_name_to_scheme(preset), None)
    return checks


def scheme_checks(
    name: str, scheme: QuantizationScheme, compute_dtype: np.dtype | None = None
) -> list[Check]:
    """The checks of one scheme: each of its args through every operation that takes args."""
    checks: list[Check] = []
    for side in ("weights", "input_activations", "output_activations"):
        args = getattr(scheme, side)
        if args is None:
            continue
        for dtype in WORKING:
            spec = Spec(args.type, args.num_bits, dtype, args=args)
            computed = replace(spec, compute_dtype=compute_dtype)
            label = f"{name} {side} {dtype.name}"
            makers: dict[str, tuple[Spec, Maker]] = {
                "round_to_quantized_type_args": (spec, rounding_args_cases),
                "calculate_range": (spec, calculate_range_cases),
                "calculate_qparams": (spec, calculate_qparams_cases),
                "quantize": (computed, quantize_cases),
                "dequantize": (spec, dequantize_cases),
                "fake_quantize": (computed, fake_quantize_cases),
            }
            if args.strategy in ("token", "tensor", "group", "tensor_group"):
                makers["compute_dynamic_scales_and_zp"] = (spec, dynamic_cases)
            if args.strategy != "token":
                for op in ("memoryless_minmax", "minmax", "static_minmax"):
                    makers[op] = (spec, partial(observer_cases, op))
            if isinstance(args, FormatArgs) and args.strategy == "tensor_group":
                makers["generate_gparam"] = (spec, generate_gparam_cases)
            for op, (fixed, make) in makers.items():
                checks.append(Check(op, label, fixed, make, weight=12))
    if not isinstance(scheme.weights, FormatArgs):
        for op in ("compress", "decompress"):
            checks += _of_scheme(op, name, scheme, scheme.weights)
    return checks


def _per_spec(op: str, specs: list[Spec], make: Maker, weight: int = 2) -> list[Check]:
    return [Check(op, _name(op, spec), spec, make, weight) for spec in specs]


def _name(op: str, spec: Spec) -> str:
    """Only what tells the checks of an operation apart."""
    if op == "calculate_range":
        return spec.format_name
    if op == "generate_gparam" or op.endswith("minmax") or "_fp" in op:
        return spec.dtype.name
    return f"{spec.format_name} {spec.dtype.name}"


def _of_scheme(op: str, name: str, scheme: QuantizationScheme, fixed: object) -> list[Check]:
    args = scheme.weights
    kind, bits = ("float", 8) if args is None else (args.type, args.num_bits)
    checks = []
    for dtype in WORKING:
        spec = Spec(kind, bits, dtype, args=args if fixed is not None else None)
        checks.append(Check(op, f"{name} {dtype.name}", spec, partial(compress_cases, op, scheme)))
    return checks
