"""The fused verbs on odd shapes and layouts: the reference's bits, or its kind of error."""

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.compare import find_difference
from qparity.conformance.layouts import LAYOUTS, with_layout
from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme

from .fused_cases import weight_by_reference

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
            expected, answer = _answers(
                lambda w=weight, s=scheme: weight_by_reference(w, s),
                lambda w=given, s=scheme: backend.compress({"weight": w}, s),
            )
            yield from _compare(f"compress {label}", expected, answer, backend)
            if not isinstance(expected, dict):
                continue
            stored = {key: backend.from_numpy(value) for key, value in expected.items()}
            expected, answer = _answers(
                lambda t=expected, s=scheme: reference.decompress(t, s),
                lambda t=stored, s=scheme: backend.decompress(t, s),
            )
            yield from _compare(f"decompress {label}", expected, answer, backend)
    args = QuantizationArgs(num_bits=8, strategy="token", dynamic=True)
    for shape in (*SHAPES, EXPERTS, (5,)):
        x = rng.standard_normal(shape).astype(ml_dtypes.bfloat16)
        given = backend.from_numpy(with_layout(x, "transposed"))
        expected, answer = _answers(
            lambda x=x: _dynamic(x, args), lambda x=given: backend.quantize_dynamic(x, args)
        )
        if not isinstance(answer, str):
            answer = dict(zip(("codes", "scale", "zero_point"), answer, strict=True))
        yield from _compare(f"quantize_dynamic {shape}", expected, answer, backend)


def _dynamic(x: Array, args: QuantizationArgs) -> dict[str, Array]:
    scale, zero_point = reference.compute_dynamic_scales_and_zp(x, args)
    codes = reference.quantize(x, scale, zero_point, args, dtype=args.code_format.dtype)
    return {"codes": codes, "scale": scale, "zero_point": zero_point}


def _answers(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returns, or the name of what it raises."""
    answers: list[Any] = []
    for call in calls:
        try:
            with np.errstate(all="ignore"):
                answers.append(call())
        except (TypeError, ValueError) as error:
            answers.append(type(error).__name__)
    return answers


def _compare(label: str, expected: Any, answer: Any, backend: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    if isinstance(expected, str) or isinstance(answer, str) or set(expected) != set(answer):
        if expected != answer:
            yield label, f"{_told(answer)} and not {_told(expected)}"
        return
    for key, value in expected.items():
        difference = find_difference(value, backend.to_numpy(answer[key]))
        if difference is not None:
            yield f"{label} {key}", difference.detail or f"{difference.count} of {difference.total}"


def _told(answer: Any) -> str:  # noqa: ANN401
    return answer if isinstance(answer, str) else str(sorted(answer))
