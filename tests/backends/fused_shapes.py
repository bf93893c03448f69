"""The fused verbs on odd shapes and layouts: the reference's bits, or its kind of error."""

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.layouts import LAYOUTS, with_layout
from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

from .fused_cases import answers, compared, dynamic_by_reference, weight_by_reference

Array = np.ndarray[Any, Any]
SHAPES = ((1, 48), (3, 48), (3, 24), (3, 16), (2, 120), (3, 1), (1, 1), (1, 33), (0, 48), (3, 0))
EXPERTS = (2, 3, 48)


def odd_schemes() -> dict[str, QuantizationScheme]:
    """Few schemes whose units begin and end within words and tiles."""
    names = ("W8A8", "FP8", "FP8_BLOCK", "NVFP4A16", "MXFP4A16", "MXFP8A16")
    found = {name: preset_name_to_scheme(name) for name in names}
    for bits, strategy, size in ((3, "channel", None), (4, "group", 24), (5, "group", 8)):
        args = QuantizationArgs(
            num_bits=bits, symmetric=bits != 4, strategy=strategy, group_size=size
        )
        found[f"int{bits} {strategy}"] = QuantizationScheme(["Linear"], args)
    return found


def shape_differences(device: str) -> Iterator[tuple[str, str]]:
    """``(case, difference)`` of each verb and shape that gives other bits, or another error."""
    backend: Any = load_backend(f"triton:{device}")
    rng = np.random.default_rng(0)
    for name, scheme in odd_schemes().items():
        for i, shape in enumerate((*SHAPES, EXPERTS)):
            dtype = (np.dtype(np.float32), np.dtype(ml_dtypes.bfloat16))[i % 2]
            weight = rng.standard_normal(shape).astype(dtype)
            if shape[0] > 1:
                weight[-1] = 0  # units of nothing but zeros
            # equal rows may have a stride of 0
            layout = LAYOUTS[1 + i % (len(LAYOUTS) - 1)] if shape[0] != 1 else "broadcast"
            given = backend.from_numpy(with_layout(weight, layout))
            label = f"{name} {shape} {dtype.name} {layout}"
            expected, answer = answers(
                lambda w=weight, s=scheme: weight_by_reference(w, s),
                lambda w=given, s=scheme: backend.compress({"weight": w}, s),
            )
            yield from compared(f"compress {label}", expected, answer, backend)
            if not isinstance(expected, dict):
                continue
            stored = {key: backend.from_numpy(value) for key, value in expected.items()}
            expected, answer = answers(
                lambda t=expected, s=scheme: reference.decompress(t, s),
                lambda t=stored, s=scheme: backend.decompress(t, s),
            )
            yield from compared(f"decompress {label}", expected, answer, backend)
    args = QuantizationArgs(num_bits=8, strategy="token", dynamic=True)
    for shape in (*SHAPES, EXPERTS, (5,)):
        x = rng.standard_normal(shape).astype(ml_dtypes.bfloat16)
        given = backend.from_numpy(with_layout(x, "transposed"))
        expected, answer = answers(
            lambda x=x: dynamic_by_reference(x, args),
            lambda x=given: backend.quantize_dynamic(x, args),
        )
        if not isinstance(answer, str):
            answer = dict(zip(("codes", "scale", "zero_point"), answer, strict=True))
        yield from compared(f"quantize_dynamic {shape}", expected, answer, backend)
