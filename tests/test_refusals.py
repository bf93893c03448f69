"""Arguments that the reference refuses are refused by every backend, for the same field."""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qparity.backends import load_backend
from qparity.conformance.bits import bits_of
from qparity.reference import FORMATS, QuantizationArgs
from tests.interpreted import python

F32 = np.float32
INT4, FP6 = QuantizationArgs(num_bits=4), QuantizationArgs(num_bits=6, type="float")
FP8_DTYPES = {name: FORMATS[name].dtype for name in ("float8_e4m3fn", "float8_e5m2")}
Backend, Array = Any, Any
Bring = Callable[[Array], Array]


def unpacked(bits: int, m: object, n: object) -> Callable[[Backend, Bring], object]:
    """A call that unpacks six bytes as m rows of n values."""

    def call(backend: Backend, bring: Bring) -> object:
        return getattr(backend, f"unpack_fp{bits}_from_uint8")(bring(np.zeros((2, 3), "u1")), m, n)

    return call


def words_in(shape: object) -> Callable[[Backend, Bring], object]:
    """A call that unpacks two words in a shape."""
    return lambda b, bring: b.unpack_from_int32(bring(np.zeros((2, 1), np.int32)), 4, shape)


def observed(verb: str, args: object, *state: object) -> Callable[[Backend, Bring], object]:
    """A call of an observer."""
    return lambda b, bring: getattr(b, verb)(
        bring(np.ones((2, 4), F32)), args, *(_brought(s, bring) for s in state)
    )


def _brought(value: object, bring: Bring) -> object:
    if isinstance(value, tuple):
        return tuple(bring(part) for part in value)
    return value


def quantized(
    verb: str, args: object, dtype: str | None = None
) -> Callable[[Backend, Bring], object]:
    """A call that quantizes, or the reverse."""
    options = {} if dtype is None else {"dtype": FP8_DTYPES.get(dtype, np.dtype("int8"))}
    return lambda b, bring: getattr(b, verb)(
        bring(np.ones((2, 4), F32)), bring(np.ones(1, F32)), None, args, **options
    )


ONE = np.ones(1, F32)
# by the field that is to be named and what is wrong
CALLS: dict[str, Callable[[Backend, Bring], object]] = {
    **{
        f"args: None {verb}": quantized(verb, None)
        for verb in ("quantize", "dequantize", "fake_quantize")
    },
    **{
        f"args: None {verb}": observed(verb, None)
        for verb in (
            *("minmax", "static_minmax", "memoryless_minmax"),
            "compute_dynamic_scales_and_zp",
        )
    },
    "args: None range": lambda b, _: b.calculate_range(None),
    "args: None qparams": lambda b, bring: b.calculate_qparams(bring(ONE), bring(ONE), None),
    "args: None rounding": lambda b, bring: b.round_to_quantized_type_args(bring(ONE), None, -8, 7),
    "args: a dict": quantized("quantize", {"num_bits": 8}),
    **{
        f"state: {verb} {size}": observed(verb, INT4, (ONE,) * size)
        for verb in ("minmax", "static_minmax")
        for size in (0, 1, 3)
    },
    "state: a number": observed("static_minmax", INT4, 5),
    **{
        f"shape: {shape}": words_in(shape)
        for shape in ((2, True), (True, 2), (2, 3.5), (2, 3.0), (2, -3), None, 4)
    },
    "packed: fewer words": words_in((2, 16)),
    "packed: more words": words_in((2, 0)),
    **{
        f"m, n: {bits} {m} {n}": unpacked(bits, m, n)
        for bits, m, n in ((4, 2, 5), (4, -2, -6), (6, 2, 5), (6, 3, 2), (6, -2, -4))
    },
    "packed: fp4": unpacked(4, 2, 8),
    "packed: fp6": unpacked(6, 2, 8),
    "m: a float": unpacked(4, 2.0, 6),
    "n: a bool": unpacked(6, 6, True),
    **{
        f"dtype: {args.code_format.name} {dtype}": quantized("quantize", args, dtype)
        for args, dtypes in (
            (INT4, ()),
            (QuantizationArgs(num_bits=5), ("float8_e5m2",)),
            (QuantizationArgs(num_bits=6), ("float8_e4m3fn", "float8_e5m2")),
            (QuantizationArgs(num_bits=4, type="float"), ("int8",)),
            (FP6, ("int8", "float8_e5m2")),
            (QuantizationArgs(type="float"), ("int8", "float8_e5m2")),
        )
        for dtype in dtypes
    },
}


def refusals_of(name: str) -> dict[str, str]:
    """What a backend says to every call; empty where it is taken."""
    backend, found = load_backend(name), {}
    for label, call in CALLS.items():
        try:
            call(backend, backend.from_numpy)
        except (TypeError, ValueError) as error:
            found[label] = f"{type(error).__name__}: {error}"
        else:
            found[label] = ""
    return found


def codes_in_every_dtype(name: str) -> dict[str, str]:
    """The codes of numbers in every float of 8 bits that a backend lets hold them."""
    backend, found = load_backend(name), {}
    x = np.concatenate([np.arange(-40, 40, 0.0625), [-0.0, np.inf, -np.inf, np.nan]]).astype(F32)
    floats = [QuantizationArgs(num_bits=bits, type="float") for bits in (4, 6, 8)]
    for args in (*(QuantizationArgs(num_bits=bits) for bits in range(1, 9)), *floats):
        for dtype in FP8_DTYPES.values():
            label = f"{args.code_format.name} in {dtype.name}"
            try:
                codes = backend.quantize(
                    backend.from_numpy(x), backend.from_numpy(ONE), None, args, dtype=dtype
                )
            except ValueError:
                found[label] = "refused"
            else:
                codes = backend.to_numpy(codes)
                nan = np.isnan(codes.astype(F32))
                found[label] = str(np.where(nan, 0x7F, bits_of(codes)).tolist())
    return found


def of_triton(function: str) -> dict[str, str]:
    """What a function of this file finds in Triton's interpreter, in a process of its own."""
    done = python("-m", "tests.test_refusals", function)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("backend", ["numpy", "torch:cpu", "triton:cpu"])
def test_the_field_is_named(backend: str) -> None:
    """Every backend refuses with the field's name and what is allowed, which is possible."""
    found = of_triton("refusals_of") if backend == "triton:cpu" else refusals_of(backend)
    expected = refusals_of("numpy")
    for label, message in found.items():
        kind, field, *_ = message.split(": ")
        assert [kind, field] == expected[label].split(": ")[:2], label
        assert field == label.split(": ")[0]
        assert "allowed: " in message
        if field == "dtype":
            assert "float6_" not in message.partition("allowed: ")[2]


@pytest.mark.parametrize("backend", ["torch:cpu", "triton:cpu"])
def test_codes_in_floats_of_eight_bits(backend: str) -> None:
    """Where a float of 8 bits holds all codes of a format, they are the reference's bits in it."""
    expected = codes_in_every_dtype("numpy")
    refused = [label for label, codes in expected.items() if codes == "refused"]
    assert len(refused) == 3 + 4 + 2
    if backend == "triton:cpu":
        assert of_triton("codes_in_every_dtype") == expected
    else:
        assert codes_in_every_dtype(backend) == expected


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]]("triton:cpu")))
