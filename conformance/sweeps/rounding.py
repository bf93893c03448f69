"""Every float of 16 or 32 bits through the rounding functions, for every target."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from qparity.reference import FORMATS, QuantizationArgs, calculate_range

from ..case import Case
from ..packed import ROUNDING_TARGETS
from ..spec import FORMATS_OF_CODES, Spec
from .sweep import Sweep, patterns

_PER_CHUNK = 1 << 20
_WITHOUT_STORAGE = ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")


def rounding_sweeps(dtype: np.dtype) -> Iterator[Sweep]:
    """All values of ``dtype`` to each target; of 16 bits, returned in either dtype."""
    total = 1 << (8 * dtype.itemsize)
    both = (True, False) if dtype.itemsize == 2 else (True,)
    for target in ROUNDING_TARGETS:
        to = np.dtype(np.uint8) if target == "uint8" else FORMATS[target].dtype
        for back in both:
            if not back and target in _WITHOUT_STORAGE:
                continue
            name = f"every {dtype.name} to {target}{'' if back else ', kept in it'}"
            make = partial(_dtype_case, dtype, to, back)
            op = "round_to_quantized_type_dtype"
            yield Sweep(op, name, total, min(total, _PER_CHUNK), make)
    for kind, bits in FORMATS_OF_CODES:
        spec = Spec(kind, bits, dtype)
        for back in both:
            if not back and spec.format_name != "fp8":
                continue
            name = f"every {dtype.name} to {spec.format_name}{'' if back else ', kept in it'}"
            make = partial(_args_case, dtype, spec.make_args(), back)
            op = "round_to_quantized_type_args"
            yield Sweep(op, name, total, min(total, _PER_CHUNK), make, spec.format_name)


def _dtype_case(dtype: np.dtype, target: np.dtype, back: bool, start: int, stop: int) -> Case:
    x = patterns(dtype, start, stop)
    inputs = {"x": x, "dtype": target, "cast_to_original_dtype": back}
    return Case("round_to_quantized_type_dtype", inputs)


def _args_case(dtype: np.dtype, args: QuantizationArgs, back: bool, start: int, stop: int) -> Case:
    q_min, q_max = calculate_range(args)
    inputs = {"x": patterns(dtype, start, stop), "args": args, "q_min": q_min, "q_max": q_max}
    return Case("round_to_quantized_type_args", {**inputs, "cast_to_original_dtype": back})
