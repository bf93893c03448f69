"""Formats and scale rules of one's own in the fused kernels: the reference's bits, never torch's.

Run as ``python -m tests.backends.fused_formats cuda 400 [0/16 [60]]``: device, random args, which
part of them, and after how many seconds no more of them are begun.
"""

import sys
from collections.abc import Iterable, Iterator
from math import inf, ldexp
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import numpy as np

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.case import Case, run_case
from qparity.conformance.compare import find_difference
from qparity.conformance.of_formats import stored_dtype
from qparity.conformance.operations import scheme_checks
from qparity.conformance.scheme_file import load_schemes, short_name
from qparity.reference import (
    FLOAT8_E8M0FNU,
    FORMATS,
    FloatFormat,
    FormatArgs,
    IntFormat,
    QuantizationArgs,
    QuantizationScheme,
)

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (
    "round_to_quantized_type_args",
    "calculate_qparams",
    "quantize",
    "dequantize",
    "fake_quantize",
    "compute_dynamic_scales_and_zp",
)
STRATEGIES: tuple[dict[str, Any], ...] = (
    {"strategy": "tensor_group", "group_size": 16, "dynamic": "local"},
    {"strategy": "group", "group_size": 32, "dynamic": True},
    {"strategy": "group", "group_size": 12},
    {"strategy": "token", "dynamic": True},
    {"strategy": "tensor", "dynamic": True},
    {"strategy": "channel"},
    {"strategy": "block", "block_structure": (2, 3)},
)
RULES = ("nearest", "rceil", "floor", "ceil", "even")
ZERO_POINTS = (None, "int8", "uint8", "float8_e4m3fn", "float8_e5m2", "bfloat16", "float16")
CODES = ("int1", "int4", "int8", "float4_e2m1fn", "float8_e4m3fn", "float8_e5m2")
SCALES = ("float8_e4m3fn", "float8_e5m2", "bfloat16", "float16", "float32", "float64")


def random_row(rng: Random, reach: int) -> FloatFormat | IntFormat:
    """Any row of at most 8 bits, its bias up to ``reach`` from IEEE 754's, or ValueError."""
    if rng.random() < 0.2:
        return IntFormat(bits=rng.randint(1, 8), signed=rng.random() < 0.5)
    signed, has_zero = rng.random() < 0.5, rng.random() < 0.8
    exponent_bits = rng.randint(1, 8 - signed)
    mantissa_bits = rng.randint(0, 8 - signed - exponent_bits)
    has_nan = rng.random() < 0.5
    fields: dict[str, Any] = {
        "exponent_bits": exponent_bits,
        "mantissa_bits": mantissa_bits,
        "bias": None
        if rng.random() < 0.5
        else 2 ** (exponent_bits - 1) + rng.randint(-reach, reach),
        "has_nan": has_nan,
        "has_inf": has_nan and rng.random() < 0.3,
        "signed": signed,
        "has_zero": has_zero,
        "has_subnormals": has_zero and rng.random() < 0.7,
    }
    row = FloatFormat(**fields)
    if rng.random() < 0.7:
        return row
    steps = rng.randint(2**mantissa_bits, 2 ** (mantissa_bits + 1) - 1)
    exponent = rng.randint(row.min_exponent, row.max_exponent)
    return FloatFormat(**fields, max=ldexp(steps, exponent - mantissa_bits))


def random_args(rng: Random) -> FormatArgs:
    """Args with any formats of codes and scales, any rule, strategy and zero-point."""
    while True:
        scale: dict[str, Any] = rng.choice(
            (
                {},
                {"scale_dtype": rng.choice(SCALES)},
                {"scale_format": FLOAT8_E8M0FNU},
                *3 * ({"scale_format": None},),
            )
        )
        try:
            if "scale_format" in scale:
                scale = {"scale_format": scale["scale_format"] or random_row(rng, 130)}
            return FormatArgs(
                code_format=FORMATS[rng.choice(CODES)]
                if rng.random() < 0.3
                else random_row(rng, 16),
                scale_rule=rng.choice(RULES),
                symmetric=rng.random() < 0.6,
                zp_dtype=rng.choice(ZERO_POINTS),  # type: ignore[arg-type] # a name of one
                **scale,
                **rng.choice(STRATEGIES),
            )
        except ValueError:
            continue


def examples() -> Iterator[tuple[int, str, QuantizationArgs]]:
    """The args of the schemes of examples/, by number and name."""
    paths = map(str, sorted((ROOT / "examples").glob("*.py")))
    for seed, (name, scheme) in enumerate(load_schemes(paths).items()):
        assert scheme.weights is not None
        yield seed, short_name(name), scheme.weights


def randoms(count: int, part: int = 0, parts: int = 1) -> Iterator[tuple[int, str, FormatArgs]]:
    """A part of so many random args, by number."""
    for seed in range(part, count, parts):
        yield seed, str(seed), random_args(Random(seed))


def differences(
    device: str,
    named: Iterable[tuple[int, str, QuantizationArgs]],
    dtypes: tuple[str, ...] = ("float16", "bfloat16", "float32"),
) -> Iterator[tuple[str, str]]:
    """``(args and operation, difference)`` of each call with other bits, or left to torch."""
    backend: Any = load_backend(f"triton:{device}")
    for seed, name, args in named:
        for check in scheme_checks("own", QuantizationScheme(["Linear"], args)):
            if check.op not in OPERATIONS or check.spec.dtype.name not in dtypes:
                continue
            label = f"{name} {check.op} {check.spec.dtype.name} {args}"
            for case in check.cases(seed, nan=seed % 2 == 1):
                before = backend.fallbacks[check.op]
                with np.errstate(all="ignore"):
                    _, _, difference = run_case(case, backend)
                if difference is not None:
                    yield label, str(difference)
                if backend.fallbacks[check.op] > before and not excused(case):
                    yield label, f"fell back: {shapes(case)}"
                if check.op == "compute_dynamic_scales_and_zp":
                    for what in dynamic_difference(case, backend):
                        yield label, f"quantize_dynamic: {what}"


def long_differences(device: str) -> Iterator[tuple[str, str]]:
    """``(case, difference)`` of units longer than what one program of the kernels takes."""
    backend: Any = load_backend(f"triton:{device}")
    rng = np.random.default_rng(0)
    for strategy, shape, code in (
        ("token", (2, 33000), "float8_e5m2"),
        ("tensor", (2, 3, 50), "int8"),
    ):
        args = FormatArgs(
            code_format=FORMATS[code],
            strategy=strategy,
            dynamic=True,
            symmetric=code != "int8",
            scale_format=FLOAT8_E8M0FNU,
            scale_rule="rceil",
        )
        x = rng.standard_normal(shape).astype(np.float16)
        case = Case("compute_dynamic_scales_and_zp", {"x": x, "args": args})
        for what in dynamic_difference(case, backend):
            yield f"{strategy} {shape} {code}", what


def dynamic_difference(case: Case, backend: Any) -> Iterator[str]:  # noqa: ANN401
    """How ``quantize_dynamic`` differs from its steps in the reference."""
    x, args = case.inputs["x"], case.inputs["args"]
    whole = case.inputs.get("global_scale")
    dtype = stored_dtype(args)
    if dtype is None or (whole is not None and whole.dtype == np.float64):
        return
    with np.errstate(all="ignore"):
        scale, zero_point = reference.compute_dynamic_scales_and_zp(x, args, whole)
        codes = reference.quantize(x, scale, zero_point, args, dtype=dtype, global_scale=whole)
    given = None if whole is None else backend.from_numpy(whole)
    before = backend.fallbacks["quantize_dynamic"]
    actual = backend.quantize_dynamic(backend.from_numpy(x), args, given)
    for name, expected, tensor in zip(
        ("codes", "scale", "zero point"), (codes, scale, zero_point), actual, strict=True
    ):
        difference = find_difference(expected, backend.to_numpy(tensor))
        if difference is not None:
            yield f"{name}: {difference}"
    if backend.fallbacks["quantize_dynamic"] > before and not excused(case):
        yield f"fell back: {shapes(case)}"


def excused(case: Case) -> bool:
    """Whether no kernel covers a case, which torch then computes.

    float64; columns by ``g_idx``; a scale or zero-point that is spread over several units; nothing.
    """
    inputs, args = case.inputs, case.inputs["args"]
    arrays = [value for value in inputs.values() if isinstance(value, np.ndarray)]
    scale, zero_point = inputs.get("scale"), inputs.get("zero_point")
    spread = zero_point is not None and zero_point.shape != scale.shape
    if scale is not None and scale.size > 1:
        x = inputs.get("x", inputs.get("x_q"))
        spread = spread or (scale.ndim < x.ndim and x.ndim > 2)
        if args.strategy == "block":
            sizes = zip(x.shape, args.block_structure, strict=True)
            spread = spread or scale.shape != tuple(-(-n // size) for n, size in sizes)
    return (
        any(array.dtype == np.float64 or array.size == 0 for array in arrays)
        or inputs.get("g_idx") is not None
        or spread
    )


def shapes(case: Case) -> str:
    """The inputs of a case, in a line."""
    return ", ".join(
        f"{key} {value.dtype.name}{value.shape}" if isinstance(value, np.ndarray) else key
        for key, value in case.inputs.items()
        if value is not None
    )


def main() -> int:
    """Print what differs; 1 if anything does."""
    device, count = sys.argv[1], int(sys.argv[2])
    part, parts = map(int, (sys.argv[3] if len(sys.argv) > 3 else "0/1").split("/"))
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else inf
    started, done, wrong = monotonic(), 0, 0
    for numbered in randoms(count, part, parts):
        for label, what in differences(device, [numbered]):
            wrong += 1
            print(f"{label}: {what}", flush=True)  # noqa: T201
        done += 1
        if monotonic() - started > seconds:
            break
    print(f"{done} args, {wrong} differ")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
