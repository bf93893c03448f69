"""The verbs of the Triton backend that take one tensor or two, on the cases of ``verify``.

Run as ``python -m tests.backends.fused_verbs cuda 20 [OPERATION]...``: device, examples of each
kind, and which operations.
"""

import sys
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from qparity.backends import load_backend
from qparity.backends.torch_eager import TorchBackend
from qparity.conformance.case import run_case
from qparity.conformance.operations import all_checks
from qparity.reference import FORMATS, QuantizationArgs

ROUNDING = ("round_to_quantized_type_dtype", "round_to_quantized_type_args")
PACKING = ("pack_to_int32", "pack_fp4_to_uint8", "pack_fp6_to_uint8")
UNPACKING = ("unpack_from_int32", "unpack_fp4_from_uint8", "unpack_fp6_from_uint8")
RANGES = ("memoryless_minmax", "minmax", "static_minmax")
QPARAMS = ("calculate_qparams", "generate_gparam")
VERBS = (*ROUNDING, *PACKING, *UNPACKING, *RANGES, *QPARAMS)


def verb_differences(
    device: str, examples: int, operations: Collection[str] = VERBS
) -> Iterator[tuple[str, str]]:
    """``(check, difference)`` of each case with other bits, and of each that a kernel left."""
    backend: Any = load_backend(f"triton:{device}")
    for check in all_checks():
        if check.op not in operations or check.spec.dtype == np.float64:
            continue
        for seed in range(examples):
            for case in check.cases(seed, seed % 2 == 1):
                label = f"{case.op} {check.name} {case.label}"
                before = backend.fallbacks[case.op]
                _, _, difference = run_case(case, backend)
                if difference is not None:
                    yield label, difference.detail or f"{difference.count} of {difference.total}"
                wide = str(case.inputs.get("dtype")) == "float64" and case.op not in ROUNDING
                if backend.fallbacks[case.op] > before and not case.is_empty and not wide:
                    yield label, "fell back"


def refusal_differences(device: str) -> Iterator[tuple[str, str]]:
    """``(call, answer)`` of what torch refuses and the kernels do not, or in other words."""
    backend: Any = load_backend(f"triton:{device}")
    for op, inputs in _refused():
        native = {key: _to_native(value, backend) for key, value in inputs.items()}
        answers = []
        for function in (getattr(TorchBackend, op), getattr(backend, op)):
            try:
                answers.append(f"returned {function(**native)}")
            except (TypeError, ValueError) as error:
                answers.append(f"{type(error).__name__}: {error}")
        expected, answer = answers
        if answer != expected or expected.startswith("returned"):
            yield f"{op} {sorted(inputs)}", answer


def _to_native(value: Any, backend: Any) -> Any:  # noqa: ANN401
    if isinstance(value, tuple):
        return tuple(_to_native(part, backend) for part in value)
    return backend.from_numpy(value) if isinstance(value, np.ndarray) else value


def _refused() -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls with one thing wrong, of values at the end, where a kernel sees it last."""
    codes = np.zeros((3, 40), np.int8)
    for bits, wrong in ((4, 8), (4, -9), (1, 1), (7, -65), (3, 127), (5, -128)):
        codes[-1, -1] = wrong
        for packed_dim in (0, 1):
            yield (
                "pack_to_int32",
                {"value": codes.copy(), "num_bits": bits, "packed_dim": packed_dim},
            )
    for change in ({"num_bits": 9}, {"packed_dim": 2}, {"value": codes[0]}, {"value": codes * 1.0}):
        yield "pack_to_int32", {"value": codes, "num_bits": 8} | change
    for op in ("pack_fp4_to_uint8", "pack_fp6_to_uint8"):
        for value in (0.3, 8.0, np.nan, np.inf, -1e-30, 6.0000005):
            x = np.zeros((2, 44), np.float32)
            x[-1, -1] = value
            yield op, {"x": x}
        yield op, {"x": np.zeros((2, 3), np.float32)}
    words = np.zeros((3, 5), np.int32)
    for shape, packed_dim in (((3, 41), 1), ((2, 40), 1), ((41, 5), 0), ((3,), 1)):
        inputs = {"packed": words, "num_bits": 4, "shape": shape, "packed_dim": packed_dim}
        yield "unpack_from_int32", inputs
    for op in ("unpack_fp4_from_uint8", "unpack_fp6_from_uint8"):
        for m, n in ((2, 8), (-2, -8), (2, 7)):
            yield op, {"packed": np.zeros((2, 5), np.uint8), "m": m, "n": n}
    x = np.ones((3, 40), np.float32)
    e2m1 = FORMATS["float4_e2m1fn"].dtype
    inputs = {"x": x, "dtype": e2m1, "cast_to_original_dtype": False}
    yield "round_to_quantized_type_dtype", inputs
    yield "round_to_quantized_type_dtype", {"x": x, "dtype": np.dtype(np.int32)}
    bounds = {"q_min": np.zeros(2, np.float32), "q_max": 1.0}
    yield "round_to_quantized_type_args", {"x": x, "args": QuantizationArgs(), **bounds}
    for op in RANGES:
        for shape, fields in (
            ((3, 40), {"strategy": "token", "dynamic": True}),
            ((0, 40), {}),
            ((3, 40), {"group_size": 16}),
            ((2, 3, 4), {"strategy": "block", "block_structure": [2, 2]}),
            ((3, 40), {"strategy": "attn_head"}),
        ):
            yield op, {"x": np.ones(shape, np.float32), "args": QuantizationArgs(**fields)}
    for op in ("minmax", "static_minmax"):
        for part in (np.ones(2, np.float32), np.ones(1, np.float16)):
            yield op, {"x": x, "args": QuantizationArgs(), "state": (part, part)}


def main() -> int:
    """Print what differs; 1 if anything does."""
    device, examples = sys.argv[1], int(sys.argv[2])
    found = list(verb_differences(device, examples, sys.argv[3:] or VERBS))
    found += refusal_differences(device)
    for label, what in found:
        print(f"{label}: {what}")  # noqa: T201
    print(f"{len(found)} differ or fell back")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
