"""The fused verbs of the Triton backend against the reference, step by step, on aimed tensors.

Run as ``python -m tests.backends.fused_cases cuda 20 [0/16]``: device, examples of each kind, and
which part of the schemes.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.compare import find_difference
from qparity.conformance.packed import compress_cases
from qparity.conformance.parameters import dynamic_cases
from qparity.conformance.spec import Spec
from qparity.reference import (
    PRESET_SCHEMES,
    QuantizationArgs,
    QuantizationScheme,
    preset_name_to_scheme,
)

Array = np.ndarray[Any, Any]
DTYPES = tuple(np.dtype(d) for d in (ml_dtypes.bfloat16, np.float16, np.float32))


def weight_by_reference(weight: Array, scheme: QuantizationScheme) -> dict[str, Array]:
    """What a checkpoint holds of a weight that is scaled by its minima and maxima."""
    args = scheme.weights
    assert args is not None
    tensors = {"weight": weight}
    if args.strategy == "tensor_group":
        of_tensor = reference.minmax(weight, QuantizationArgs())
        tensors["weight_global_scale"] = reference.generate_gparam(*of_tensor)
    whole = tensors.get("weight_global_scale")
    ranges = reference.minmax(weight, args)
    scale, zero_point = reference.calculate_qparams(*ranges, args, whole)
    tensors |= {"weight_scale": scale, "weight_zero_point": zero_point}
    return reference.compress(tensors, scheme)


def schemes() -> dict[str, QuantizationScheme]:
    """The weight presets, and schemes beside them: other strategies, sizes and scale dtypes."""
    found = {name: preset_name_to_scheme(name) for name in PRESET_SCHEMES if name != "UNQUANTIZED"}
    for bits in (1, 3, 4, 5, 8):
        for symmetric in (True, False):
            for strategy, size in (("channel", None), ("group", 32), ("tensor", None)):
                args = QuantizationArgs(
                    num_bits=bits, symmetric=symmetric, strategy=strategy, group_size=size
                )
                found[f"int{bits} {strategy} {symmetric}"] = QuantizationScheme(["Linear"], args)
    base = found["W4A16"].weights
    assert base is not None
    for dtype in ("bfloat16", "float32", "float8_e4m3fn"):
        args = replace(base, group_size=16, scale_dtype=dtype)
        found[f"int4 {dtype} scales"] = QuantizationScheme(["Linear"], args)
    return found


def compress_differences(
    device: str,
    examples: int,
    part: int = 0,
    parts: int = 1,
    dtypes: Sequence[np.dtype[Any]] = DTYPES,
) -> Iterator[tuple[str, str]]:
    """``(scheme, difference)`` of each weight that is compressed to other bits; counts calls."""
    backend: Any = load_backend(f"triton:{device}")
    for name, scheme in list(schemes().items())[part::parts]:
        args = scheme.weights
        assert args is not None
        for dtype in dtypes:
            before = backend.fallbacks["compress"]
            for seed in range(examples):
                spec = Spec(args.type, args.num_bits, dtype, args=args, nan=seed % 2 == 1)
                rng = np.random.default_rng([seed, len(name)])
                for case in compress_cases("compress", scheme, rng, spec):
                    assert case.source is not None
                    weight = case.source["weight"]
                    with np.errstate(all="ignore"):
                        expected = weight_by_reference(weight, scheme)
                    given = {"weight": backend.from_numpy(weight)}
                    actual = backend.compress(given, scheme)
                    yield from _compare(
                        f"{name} {dtype.name} {weight.shape}", expected, actual, backend
                    )
            if backend.fallbacks["compress"] > before:
                yield f"{name} {dtype.name}", "fell back"


def dynamic_differences(device: str, examples: int) -> Iterator[tuple[str, str]]:
    """``(args, difference)`` of each activation that is quantized to other bits."""
    backend: Any = load_backend(f"triton:{device}")
    for kind, bits in (("int", 8), ("float", 8), ("int", 4)):
        for dtype in DTYPES:
            for seed in range(examples):
                spec = Spec(kind, bits, dtype, nan=seed % 2 == 1)
                for case in dynamic_cases(np.random.default_rng([seed, bits]), spec):
                    x, args = case.inputs["x"], case.inputs["args"]
                    whole = case.inputs.get("global_scale")
                    with np.errstate(all="ignore"):
                        scale, zero_point = reference.compute_dynamic_scales_and_zp(x, args, whole)
                        codes = reference.quantize(
                            x,
                            scale,
                            zero_point,
                            args,
                            dtype=args.code_format.dtype,
                            global_scale=whole,
                        )
                    actual = backend.quantize_dynamic(
                        backend.from_numpy(x),
                        args,
                        None if whole is None else backend.from_numpy(whole),
                    )
                    expected = {"codes": codes, "scale": scale, "zero_point": zero_point}
                    named = dict(zip(expected, actual, strict=True))
                    label = f"dynamic {kind}{bits} {args.strategy} {dtype.name} {x.shape}"
                    yield from _compare(label, expected, named, backend)


def _compare(
    label: str,
    expected: dict[str, Array],
    actual: dict[str, Any],
    backend: Any,  # noqa: ANN401
) -> Iterator[tuple[str, str]]:
    if set(expected) != set(actual):
        yield label, f"{sorted(actual)} and not {sorted(expected)}"
        return
    for key, value in expected.items():
        difference = find_difference(value, backend.to_numpy(actual[key]))
        if difference is not None:
            yield f"{label} {key}", difference.detail or f"{difference.count} of {difference.total}"


def main() -> int:
    """Print what differs; 1 if anything does."""
    device, examples = sys.argv[1], int(sys.argv[2])
    part, parts = map(int, (sys.argv[3] if len(sys.argv) > 3 else "0/1").split("/"))
    fell_back: set[str] = set()
    wrong = 0
    found = compress_differences(device, examples, part, parts)
    for label, what in chain(found, dynamic_differences(device, examples) if part == 0 else ()):
        if what == "fell back":
            fell_back.add(label)
        else:
            wrong += 1
            print(f"{label}: {what}")  # noqa: T201
    print(f"{wrong} differ; partly by torch: {sorted(fell_back)}")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
