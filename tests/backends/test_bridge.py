"""The bridge of bits between numpy and torch."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
import torch

from qparity.backends.memory import copy_memory
from qparity.backends.torch_bridge import numpy_dtype, to_array, to_tensor, torch_dtype

Array = npt.NDArray[Any]

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
DTYPES = {
    "bool": torch.bool,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint8": torch.uint8,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "whole": lambda a: a,
    "rows": lambda a: a[2:5],
    "columns": lambda a: a[:, 1:4],
    "stepped": lambda a: a[::2, 1::3],
    "transposed": lambda a: a.T,
    "sliced then transposed": lambda a: a[1:, ::2].T,
    "one element": lambda a: a[3:4, 2:3],
    "0-D": lambda a: a[3, 2, ...],
    "three axes": lambda a: a.reshape(2, 3, 8).swapaxes(0, 2),
    "broadcast rows": lambda a: np.broadcast_to(a[:1], (4, 8)),
    "broadcast all": lambda a: np.broadcast_to(a[1, 1], (3, 5)),
    "empty": lambda a: a[:0],
    "empty columns": lambda a: a[:, 4:4],
}


def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy or ml_dtypes dtype of a name."""
    return np.dtype(getattr(ml_dtypes, name, name))


def unsigned(array: Array) -> Array:
    """The bits of an array, its shape kept."""
    return array.view(np.dtype(f"u{array.itemsize}"))


def patterns(name: str) -> Array:
    """All bit patterns of a dtype of 8 or 16 bits, else many; bool has two."""
    dtype = dtype_of(name)
    rng = np.random.default_rng(0)
    if dtype == np.bool_:
        return np.array([False, True] * 24)
    if dtype.itemsize <= 2:
        return np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype)
    return rng.integers(0, 256, dtype.itemsize << 12, np.uint8).view(dtype)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", DTYPES)
def test_every_pattern_crosses_and_comes_back(name: str, device: str) -> None:
    """Crossing to torch and back keeps every bit pattern, NaN payloads and subnormals included."""
    array = patterns(name)
    tensor = to_tensor(array, device)
    back = to_array(tensor)
    assert (tensor.dtype, tensor.device.type) == (DTYPES[name], device)
    assert back.dtype == array.dtype
    assert (unsigned(back) == unsigned(array)).all()


@pytest.mark.parametrize("name", [n for n in DTYPES if "float8" not in n and n != "bool"])
def test_values_agree(name: str) -> None:
    """The dtype tag is right: torch and numpy read the same numbers from the same bits."""
    array = np.array([-1.0, 0.0, 1.0, 2.0, 100.0]).astype(dtype_of(name))
    assert to_tensor(array).double().tolist() == array.astype(np.float64).tolist()


@pytest.mark.parametrize(("name", "one"), [("float8_e4m3fn", 0x38), ("float8_e5m2", 0x3C)])
def test_float8_tags(name: str, one: int) -> None:
    """The code of 1.0 in each float8 reads as 1.0 on both sides."""
    array = np.array([one], np.uint8).view(dtype_of(name))
    assert float(to_tensor(array).float()) == float(array[0]) == 1.0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["bool", "uint8", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_shape_and_strides_cross(layout: str, name: str, device: str) -> None:
    """A tensor has the shape, the strides and the bits of the array that it came from."""
    array = LAYOUTS[layout](patterns(name)[:48].reshape(6, 8))
    tensor = to_tensor(np.asarray(array), device)
    assert tuple(tensor.shape) == array.shape
    assert tensor.stride() == tuple(step // array.itemsize for step in array.strides)
    assert (unsigned(to_array(tensor)) == unsigned(np.ascontiguousarray(array))).all()


@pytest.mark.parametrize(("rows", "columns"), [(-1, 1), (1, -1), (-2, -1), (2, -3)])
def test_negative_strides_arrive_contiguous(rows: int, columns: int) -> None:
    """An array with a negative stride, which torch has not, arrives contiguous with its bits."""
    array = patterns("bfloat16")[:48].reshape(6, 8)[::rows, ::columns]
    tensor = to_tensor(array)
    assert tensor.is_contiguous()
    assert (unsigned(to_array(tensor)) == unsigned(np.ascontiguousarray(array))).all()


def test_misaligned_data_arrive_contiguous() -> None:
    """An array whose items are not aligned, or not a whole number apart, arrives with its bits."""
    memory = np.arange(64, dtype=np.uint8)
    shifted = memory[1:33].view(np.float32)
    odd = np.ndarray((4,), np.float32, memory, 0, (6,))
    for array in (shifted, odd):
        tensor = to_tensor(array)
        assert tensor.is_contiguous()
        assert (unsigned(to_array(tensor)) == unsigned(array.copy())).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layout", [n for n in LAYOUTS if "empty" not in n])
def test_memory_is_never_shared(layout: str, device: str) -> None:
    """Writing to either side of a crossing leaves the other side, and its base, as they were."""
    base = np.arange(48, dtype=np.float32).reshape(6, 8)
    array = np.asarray(LAYOUTS[layout](base))
    tensor = to_tensor(array, device)
    torch.as_strided(tensor, (1,), (1,)).fill_(-7.0)
    assert (base == np.arange(48).reshape(6, 8)).all()
    back = to_array(tensor)
    before = tensor.clone()
    back[...] = -9.0
    assert torch.equal(tensor, before)


def test_read_only_arrays_cross() -> None:
    """An array that may not be written crosses without a warning, to a tensor that may."""
    array = np.arange(4, dtype=np.float32)
    array.flags.writeable = False
    assert to_tensor(array).add_(1).tolist() == [1, 2, 3, 4]
    assert array.tolist() == [0, 1, 2, 3]


def test_numpy_scalars_cross() -> None:
    """A numpy scalar, which an index returns, crosses as a 0-D tensor."""
    tensor = to_tensor(np.float32(1.5))  # type: ignore[arg-type]
    assert (tensor.ndim, tensor.item()) == (0, 1.5)


def test_tensors_of_a_graph_cross() -> None:
    """A tensor that requires a gradient crosses like any other."""
    assert to_array(torch.ones(2, requires_grad=True)).tolist() == [1, 1]


def test_dtypes_map_one_to_one() -> None:
    """Each dtype that crosses has one partner, and is its partner's partner."""
    assert {torch_dtype(dtype_of(name)) for name in DTYPES} == set(DTYPES.values())
    for name, dtype in DTYPES.items():
        assert torch_dtype(dtype_of(name)) == dtype
        assert numpy_dtype(dtype) == dtype_of(name)


@pytest.mark.parametrize("name", ["complex64", "uint16", "float4_e2m1fn", "datetime64"])
def test_other_dtypes_are_refused(name: str) -> None:
    """A dtype that does not cross is refused by its name."""
    with pytest.raises(TypeError, match=name):
        to_tensor(np.zeros(2, dtype_of(name)))


def test_torch_dtypes_that_do_not_cross_are_refused() -> None:
    """A torch dtype that does not cross is refused by its name."""
    with pytest.raises(TypeError, match="complex64"):
        to_array(torch.zeros(1, dtype=torch.complex64))


def test_what_is_no_array_is_refused() -> None:
    """A list is not an array, and an array is not a tensor."""
    with pytest.raises(TypeError, match="list"):
        to_tensor([1.0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="ndarray"):
        to_array(np.zeros(1))  # type: ignore[arg-type]


def test_foreign_byte_order_is_refused() -> None:
    """Items in the other byte order are refused: their raw bits would be other numbers."""
    with pytest.raises(TypeError, match="byte order"):
        copy_memory(np.zeros(2, np.dtype(np.float32).newbyteorder()))
    with pytest.raises(TypeError, match="float32"):
        to_tensor(np.zeros(2, np.dtype(np.float32).newbyteorder()))
