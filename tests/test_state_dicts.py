"""What ``compress`` and ``decompress`` answer and refuse is the same in every backend."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.bits import bits_of
from qparity.conformance.compare import equal_bits
from qparity.reference import QuantizationArgs, QuantizationScheme, preset_name_to_scheme
from tests.interpreted import python

F32, E4M3 = np.float32, QuantizationArgs(type="float").code_format.dtype
State = dict[str, np.ndarray[Any, Any]]
W4A16, NVFP4, MXFP6 = map(preset_name_to_scheme, ("W4A16", "NVFP4A16", "MXFP6A16"))
MXFP4, INT8 = preset_name_to_scheme("MXFP4A16"), preset_name_to_scheme("W8A8")


def asymmetric(bits: int, **fields: Any) -> QuantizationScheme:  # noqa: ANN401 - any field
    """A scheme of packed weights with a zero-point."""
    return QuantizationScheme(["L"], QuantizationArgs(num_bits=bits, symmetric=False, **fields))


def made(scheme: QuantizationScheme, shape: tuple[int, ...], units: tuple[int, ...]) -> State:
    """A weight, and qparams of a shape, no two of them alike."""
    assert scheme.weights is not None
    high = np.linspace(0.2, 0.9, int(np.prod(units)), dtype=F32).reshape(units)
    scale, zero_point = reference.calculate_qparams(-high[::-1] - 1, high, scheme.weights)
    weight = np.linspace(-1, 1, int(np.prod(shape)), dtype=F32).reshape(shape)
    return {"weight": weight, "weight_scale": scale, "weight_zero_point": zero_point}


def round_trips() -> Iterator[tuple[str, QuantizationScheme, State]]:
    """Weights of which not every row has a zero-point of its own, and some of which it has."""
    for bits in (3, 4, 5, 8):
        for rows in (6, 40):
            for units in ((1, 2), (rows, 2), (1, 1), (rows, 1), (1, rows, 2)):
                scheme = asymmetric(bits, group_size=32)
                yield f"int{bits} group {rows} {units}", scheme, made(scheme, (rows, 64), units)
            for units in ((1, 1), (rows, 1), (1, 1, 1)):
                scheme = asymmetric(bits, strategy="channel")
                yield f"int{bits} channel {rows} {units}", scheme, made(scheme, (rows, 24), units)
    grouped = asymmetric(4, group_size=32)
    for units in ((1, 6, 2), (3, 1, 2), (6, 2), (1, 1)):
        yield f"three dimensions {units}", grouped, made(grouped, (3, 6, 64), units)
    state = made(grouped, (6, 64), (6, 1))
    yield "one per row", grouped, state | {"weight_scale": state["weight_scale"].reshape(6)}


FP4 = {
    "weight_packed": np.arange(16, dtype=np.uint8).reshape(2, 8),
    "weight_scale": np.ones((2, 1), E4M3),
    "weight_global_scale": np.ones(1, F32),
}
FP6 = {
    "weight_packed": np.zeros((2, 24), np.uint8),
    "weight_scale": np.full((2, 1), 127, np.uint8),
}
WORDS = {
    "weight_packed": np.arange(64, dtype=np.int32).reshape(2, 32),
    "weight_shape": np.array([2, 256]),
    "weight_scale": np.ones((2, 2), F32),
}
ASYMMETRIC = asymmetric(4, group_size=128)
WORDS_ZP = WORDS | {"weight_zero_point": np.zeros((1, 2), np.int32)}
CODES = {"weight": np.ones((2, 8), np.int8), "weight_scale": np.ones((2, 1), F32)}
WEIGHT = {"weight": np.ones((2, 256), F32), "weight_scale": np.ones((2, 2), F32)}
WEIGHT_ZP = WEIGHT | {"weight_zero_point": np.zeros((2, 2), np.int8)}


def empties() -> Iterator[tuple[str, QuantizationScheme, State]]:
    """Stored weights of no rows or no columns."""
    for rows, cols in ((3, 0), (0, 384)):
        groups = {16: (rows, cols // 16), 32: (rows, cols // 32), 128: (rows, cols // 128)}
        yield (
            f"NVFP4 {rows} {cols}",
            NVFP4,
            {
                "weight_packed": np.zeros((rows, cols // 2), np.uint8),
                "weight_scale": np.ones(groups[16], E4M3),
                "weight_global_scale": np.ones(1, F32),
            },
        )
        for scheme, bits in ((MXFP4, 4), (MXFP6, 6)):
            packed = np.zeros((rows, cols * bits // 8), np.uint8)
            scale = np.ones(groups[32], np.uint8)
            state = {"weight_packed": packed, "weight_scale": scale}
            yield f"MXFP{bits} {rows} {cols}", scheme, state
        words = {
            "weight_packed": np.zeros((rows, cols // 8), np.int32),
            "weight_shape": np.array([rows, cols]),
            "weight_scale": np.ones(groups[128], F32),
            "weight_zero_point": np.zeros((-(-rows // 8), cols // 128), np.int32),
        }
        yield f"words {rows} {cols}", ASYMMETRIC, words
        codes = {"weight": np.zeros((rows, cols), np.int8), "weight_scale": np.ones((rows, 1), F32)}
        yield f"codes {rows} {cols}", INT8, codes


# by the tensor that is to be named and what is wrong: verb, scheme, tensors
Refused = tuple[str, QuantizationScheme, Mapping[str, Any]]
WRONG_SHAPES = (
    *([2, 250], [3, 256], [2, 512], [-2, 256], [2.0, 256.0], [True, True]),
    *([[2, 256]], [2, 256, 1], [512]),
)
REFUSED: dict[str, Refused] = {
    **{
        f"weight_shape|weight_packed: {shape}": (
            "decompress",
            W4A16,
            WORDS | {"weight_shape": np.array(shape)},
        )
        for shape in WRONG_SHAPES
    },
    **{
        f"weight_packed: fp{bits} {shape}": (
            "decompress",
            scheme,
            state | {"weight_packed": np.zeros(shape, np.uint8)},
        )
        for bits, scheme, state in ((4, NVFP4, FP4), (6, MXFP6, FP6))
        for shape in ((2, 1, 24), (8,), (1, 2, 24), (2, 24, 1), ())
    },
    "weight_packed: columns": ("decompress", MXFP6, FP6 | {"weight_packed": FP4["weight_packed"]}),
    "weight_packed: int32": ("decompress", NVFP4, FP4 | {"weight_packed": np.ones((2, 8), int)}),
    "weight_packed: uint8": ("decompress", W4A16, WORDS | {"weight_packed": FP4["weight_packed"]}),
    "the values of weight_packed: group": (
        "decompress",
        NVFP4,
        FP4 | {"weight_packed": np.zeros((2, 9), np.uint8)},
    ),
    "weight_scale: groups": ("decompress", NVFP4, FP4 | {"weight_scale": np.ones((2, 3), E4M3)}),
    "weight_scale: dtype": ("decompress", W4A16, WORDS | {"weight_scale": np.ones((2, 2), int)}),
    "weight_global_scale: many": (
        "decompress",
        NVFP4,
        FP4 | {"weight_global_scale": np.ones(2, F32)},
    ),
    "weight_g_idx: shape": ("decompress", W4A16, WORDS | {"weight_g_idx": np.zeros(3, int)}),
    "weight_g_idx: group": ("decompress", W4A16, WORDS | {"weight_g_idx": np.full(256, 2)}),
    "weight_zero_point: words": (
        "decompress",
        ASYMMETRIC,
        WORDS_ZP | {"weight_zero_point": np.zeros((2, 2), np.int32)},
    ),
    "weight_zero_point: int8": (
        "decompress",
        ASYMMETRIC,
        WORDS_ZP | {"weight_zero_point": np.zeros((2, 2), np.int8)},
    ),
    "weight_zero_point: lost": ("decompress", ASYMMETRIC, WORDS),
    "weight: dtype": ("decompress", INT8, CODES | {"weight": np.ones((2, 8), np.int64)}),
    "weight_scale: rows": ("decompress", INT8, CODES | {"weight_scale": np.ones((3, 1), F32)}),
    "weight_zero_point: rows": (
        "decompress",
        QuantizationScheme(["L"], QuantizationArgs(strategy="channel"), QuantizationArgs()),
        CODES | {"weight_zero_point": np.zeros((3, 1), np.int8)},
    ),
    "weight: of integers": ("compress", W4A16, WEIGHT | {"weight": np.ones((2, 256), int)}),
    "weight: group": ("compress", W4A16, WEIGHT | {"weight": np.ones((2, 250), F32)}),
    "weight: one dimension": (
        "compress",
        W4A16,
        {"weight": np.ones(256, F32), "weight_scale": np.ones(2, F32)},
    ),
    "weight: fp4 of three dimensions": (
        "compress",
        MXFP4,
        {"weight": np.ones((2, 1, 32), F32), "weight_scale": np.ones((2, 1, 1), F32)},
    ),
    "weight_scale: of integers": ("compress", W4A16, WEIGHT | {"weight_scale": np.ones(2, int)}),
    "weight_scale: three groups": (
        "compress",
        W4A16,
        WEIGHT | {"weight_scale": np.ones((2, 3), F32)},
    ),
    "weight_scale: negative": (
        "compress",
        MXFP4,
        {"weight": np.ones((2, 32), F32), "weight_scale": np.full((2, 1), -1, F32)},
    ),
    "weight_g_idx: floats": ("compress", W4A16, WEIGHT | {"weight_g_idx": np.zeros(256, F32)}),
    "weight_global_scale: two": (
        "compress",
        NVFP4,
        {
            "weight": np.ones((2, 16), F32),
            "weight_scale": np.ones((2, 1), F32),
            "weight_global_scale": np.ones(2, F32),
        },
    ),
    "weight_zero_point: no codes": (
        "compress",
        ASYMMETRIC,
        WEIGHT_ZP | {"weight_zero_point": np.full((2, 2), 9, np.int8)},
    ),
    **{
        f"weight_zero_point: {dtype} {shape}": (
            "compress",
            ASYMMETRIC,
            WEIGHT_ZP | {"weight_zero_point": np.zeros(shape, dtype)},
        )
        for dtype in ("int8", "uint8")
        for shape in ((1, 2), (2, 1), (1, 1), (1, 2, 2), (2,))
    },
    "weight_zero_point: of each row": (
        "compress",
        ASYMMETRIC,
        WEIGHT_ZP | {"weight_scale": np.ones((1, 2), F32)},
    ),
    "weight_zero_point: of one scale": (
        "compress",
        asymmetric(4, strategy="channel"),
        {
            "weight": np.ones((2, 8), F32),
            "weight_scale": np.ones(1, F32),
            "weight_zero_point": np.zeros((1, 1), np.int8),
        },
    ),
    "scheme: None": ("compress", None, WEIGHT),  # type: ignore[dict-item]
    "state_dict: None": ("decompress", W4A16, None),  # type: ignore[dict-item]
    "weight_scale: a list": ("decompress", W4A16, WORDS | {"weight_scale": [1.0]}),
    "weight: a list": ("compress", W4A16, WEIGHT | {"weight": [1.0]}),
}


def called(
    backend: Any,  # noqa: ANN401 - any backend
    verb: str,
    scheme: QuantizationScheme,
    state: Mapping[str, Any],
) -> State:
    """What a verb makes of tensors."""
    native = None
    if state is not None:
        native = {k: backend.from_numpy(v) if hasattr(v, "dtype") else v for k, v in state.items()}
    made = getattr(backend, verb)(native, scheme)
    return {key: backend.to_numpy(value) for key, value in made.items()}


def answers_of(name: str) -> dict[str, str]:
    """What a backend answers to every case: bits, or the error."""
    backend, found = load_backend(name), {}

    def keep(label: str, *call: Any) -> State:  # noqa: ANN401 - as for called
        try:
            tensors = called(backend, *call)
        except (TypeError, ValueError) as error:
            found[label] = f"{type(error).__name__}: {error}"
            return {}
        shown = {k: (str(v.dtype), v.shape, bits_of(v).tolist()) for k, v in tensors.items()}
        found[label] = repr(dict(sorted(shown.items())))
        return tensors

    for label, scheme, state in round_trips():
        stored = keep(f"compress {label}", "compress", scheme, state)
        keep(f"decompress {label}", "decompress", scheme, stored)
    for label, scheme, state in empties():
        keep(f"empty {label}", "decompress", scheme, state)
    for label, call in REFUSED.items():
        keep(label, *call)
    return found


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    """What the reference answers."""
    return answers_of("numpy")


@pytest.mark.parametrize(
    ("scheme", "state"), [pytest.param(*case[1:], id=case[0]) for case in round_trips()]
)
def test_what_is_read_back_is_the_fake_quantized_weight(
    scheme: QuantizationScheme, state: State
) -> None:
    """A zero-point comes back in its shape, whatever it is of, and the weight as it was used."""
    read = reference.decompress(reference.compress(state, scheme), scheme)
    assert equal_bits(read["weight_zero_point"], state["weight_zero_point"])
    assert scheme.weights is not None
    values = reference.fake_quantize(*state.values(), scheme.weights)  # type: ignore[arg-type]
    np.testing.assert_array_equal(read["weight"], values)


@pytest.mark.parametrize("label", REFUSED)
def test_what_is_wrong_is_named_as_in_the_state_dict(
    label: str, expected: Mapping[str, str]
) -> None:
    """An error names the tensor by its key, and no argument of what is called within."""
    kind, field, message = expected[label].split(": ", 2)
    assert kind in ("TypeError", "ValueError")
    assert re.fullmatch(label.split(":")[0], field)
    assert "allowed" in message
    assert not re.search(r"\b(x|x_q|packed|scale|zero_point|g_idx|global_scale)\b", message)
    assert not re.search(r"\d\.\d", message.partition("allowed: ")[2])


def same_answers(name: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """The bits are equal; of errors the type and the field are."""
    assert found.keys() == expected.keys(), name
    for label, answer in expected.items():
        if answer.startswith(("TypeError", "ValueError")):
            assert found[label].split(": ")[:2] == answer.split(": ")[:2], label
        else:
            assert found[label] == answer, label


def test_torch_answers_as_the_reference(expected: Mapping[str, str]) -> None:
    """Eager torch has the bits of the reference, and refuses what that refuses, by name."""
    same_answers("torch:cpu", answers_of("torch:cpu"), expected)


def test_triton_answers_as_the_reference(expected: Mapping[str, str]) -> None:
    """So do the fused kernels, or what they leave to torch, in Triton's interpreter."""
    done = python("-m", "tests.test_state_dicts", "triton:cpu")
    assert done.returncode == 0, done.stderr
    same_answers("triton:cpu", json.loads(done.stdout), expected)


def test_a_weight_alone_is_named_too() -> None:
    """Where Triton's ``compress`` makes the scales, what is wrong with the weight is said of it."""
    code = (
        "import torch\n"
        "from qparity.backends import load_backend\n"
        "from tests.test_state_dicts import MXFP4, NVFP4, W4A16\n"
        "wrong = (W4A16, (2, 250)), (NVFP4, (2, 9)), (MXFP4, (0, 0)), (W4A16, (0,))\n"
        "for scheme, shape in wrong:\n"
        "    try:\n"
        "        load_backend('triton:cpu').compress({'weight': torch.ones(shape)}, scheme)\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("weight: ") for line in lines), lines


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answers_of(sys.argv[1])))
