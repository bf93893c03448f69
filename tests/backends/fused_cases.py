"""The fused verbs of the Triton backend against the reference, step by step, on aimed tensors.

Run as ``python -m tests.backends.fused_cases cuda 20 [0/16]``: device, examples of each kind, and
which part of the schemes.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.calibrate import calibrated
from qparity.conformance.case import Case
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
    assert scheme.weights is not None
    return reference.compress({"weight": weight} | calibrated(weight, scheme.weights), scheme)


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
    base = found["NVFP4A16"].weights
    assert base is not None
    for dtype in ("bfloat16", "float8_e5m2"):
        args = replace(base, scale_dtype=dtype)
        found[f"fp4 {dtype} scales"] = QuantizationScheme(["Linear"], args)
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
                cases = compress_cases("compress", scheme, rng, spec)
                weights = [case.source["weight"] for case in cases if case.source is not None]
                for weight in [*weights, powers(dtype)] if seed == 0 else weights:
                    with np.errstate(all="ignore"):
                        expected = weight_by_reference(weight, scheme)
                    given = {"weight": backend.from_numpy(weight)}
                    actual = backend.compress(given, scheme)
                    yield from compared(
                        f"{name} {dtype.name} {weight.shape}", expected, actual, backend
                    )
            if backend.fallbacks["compress"] > before:
                yield f"{name} {dtype.name}", "fell back"


def powers(dtype: np.dtype[Any]) -> Array:
    """All powers of two beside large ones, so that quotients vanish; a row of them goes to inf."""
    largest = 2.0 ** (10 if dtype == np.float16 else 100)
    exponents = np.arange(384)[::-1] - [[0], [150]]
    weight = np.where(exponents % 2 == 0, -largest, largest) * 2.0 ** -exponents.astype(float)
    weight[:, ::16] = largest
    with np.errstate(all="ignore"):
        return weight.astype(dtype)


def calibrated_differences(
    device: str,
    examples: int,
    part: int = 0,
    parts: int = 1,
    dtypes: Sequence[np.dtype[Any]] = DTYPES,
) -> Iterator[tuple[str, str]]:
    """As ``compress_differences``, of weights whose scales are given: usual ones, and any."""
    backend: Any = load_backend(f"triton:{device}")
    for name, scheme in list(schemes().items())[part::parts]:
        args = scheme.weights
        assert args is not None
        for dtype in dtypes:
            before, cases = backend.fallbacks["compress"], 0
            for seed in range(examples):
                spec = Spec(args.type, args.num_bits, dtype, args=args, nan=seed % 2 == 1)
                rng = np.random.default_rng([seed, len(name)])
                for case in compress_cases("compress", scheme, rng, spec):
                    for state in (case.inputs["state_dict"], _with_any_scales(case, rng)):
                        cases += 1
                        given = {key: backend.from_numpy(value) for key, value in state.items()}
                        expected, actual = answers(
                            partial(reference.compress, state, scheme),
                            partial(backend.compress, given, scheme),
                        )
                        label = f"calibrated {name} {dtype.name} {state['weight'].shape}"
                        yield from compared(label, expected, actual, backend)
            if backend.fallbacks["compress"] - before == cases:
                yield f"calibrated {name} {dtype.name}", "fell back"


def _with_any_scales(case: Case, rng: np.random.Generator) -> dict[str, Array]:
    """The tensors of a case, with scales that no calibration gives."""
    state: dict[str, Array] = dict(case.inputs["state_dict"])
    scale = state["weight_scale"].copy()
    any_of = np.array(
        [1.0, 0.5, 2.0**-14, 6e-8, 2.0**-133, 3e38, 65504, 448, np.inf, np.nan, 0, -0.0]
    )
    any_of = np.append(any_of, -any_of).astype(scale.dtype)
    if case.inputs["scheme"].weights.is_mx:
        any_of = any_of[~(any_of.astype(np.float32) < 0)]
    flat = scale.reshape(-1)
    chosen = rng.random(flat.size) < 0.5
    flat[chosen] = rng.choice(any_of, int(chosen.sum()))
    return state | {"weight_scale": flat.reshape(scale.shape)}


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
                        expected = dynamic_by_reference(x, args, whole)
                    actual = backend.quantize_dynamic(
                        backend.from_numpy(x),
                        args,
                        None if whole is None else backend.from_numpy(whole),
                    )
                    named = dict(zip(expected, actual, strict=True))
                    label = f"dynamic {kind}{bits} {args.strategy} {dtype.name} {x.shape}"
                    yield from compared(label, expected, named, backend)


def dynamic_by_reference(
    x: Array, args: QuantizationArgs, whole: Array | None = None
) -> dict[str, Array]:
    """Codes, scale and zero-point of a tensor that is scaled at run time."""
    scale, zero_point = reference.compute_dynamic_scales_and_zp(x, args, whole)
    codes = reference.quantize(
        x, scale, zero_point, args, dtype=args.code_format.dtype, global_scale=whole
    )
    return {"codes": codes, "scale": scale, "zero_point": zero_point}


def answers(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returns, or the name of what it raises."""
    found: list[Any] = []
    for call in calls:
        try:
            with np.errstate(all="ignore"):
                found.append(call())
        except (TypeError, ValueError) as error:
            found.append(type(error).__name__)
    return found


def compared(label: str, expected: Any, answer: Any, backend: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    """``(what, difference)`` of each tensor of two answers."""
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


def main() -> int:
    """Print what differs; 1 if anything does."""
    device, examples = sys.argv[1], int(sys.argv[2])
    part, parts = map(int, (sys.argv[3] if len(sys.argv) > 3 else "0/1").split("/"))
    fell_back: set[str] = set()
    wrong = 0
    found = compress_differences(device, examples, part, parts)
    given = calibrated_differences(device, examples, part, parts)
    for label, what in chain(
        found, given, dynamic_differences(device, examples) if part == 0 else ()
    ):
        if what == "fell back":
            fell_back.add(label)
        else:
            wrong += 1
            print(f"{label}: {what}")  # noqa: T201
    print(f"{wrong} differ; partly by torch: {sorted(fell_back)}")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
