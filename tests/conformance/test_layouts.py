"""Layouts change addresses and nothing else."""

import ml_dtypes
import numpy as np
import pytest

from qparity.conformance.compare import equal_bits
from qparity.conformance.layouts import LAYOUTS, with_layout, with_strides
from tests.conformance.planted import Array

SHAPES = ((), (1,), (7,), (1, 5), (3, 4), (2, 3, 4), (0, 3), (2, 1, 3))
DTYPES = ("int8", "float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "int64")


def numbers(shape: tuple[int, ...], name: str = "float32") -> Array:
    """Different numbers, NaN and -0.0 among them where there are such."""
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    size = int(np.prod(shape))
    raw = np.random.default_rng(size).integers(0, 256, size * dtype.itemsize, dtype=np.uint8)
    return raw.view(dtype).reshape(shape)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", DTYPES)
def test_a_layout_keeps_the_array(layout: str, shape: tuple[int, ...], name: str) -> None:
    """Shape, dtype and bits are those of the array, and its memory is not written."""
    x = numbers(shape, name)
    before = x.copy()
    laid = with_layout(x, layout)
    assert (laid.shape, laid.dtype) == (x.shape, x.dtype)
    assert laid.tobytes() == x.tobytes() == before.tobytes()


def test_layouts_have_different_strides() -> None:
    """On a matrix of several rows, every layout but ``broadcast`` has strides of its own."""
    x = numbers((3, 4))
    strides = [with_layout(x, layout).strides for layout in LAYOUTS if layout != "broadcast"]
    assert len(set(strides)) == len(LAYOUTS) - 1


def test_each_layout_is_what_its_name_says() -> None:
    """Columns first, gaps, an offset, a negative stride, and a stride of 0."""
    x = numbers((3, 4))
    assert with_layout(x, "contiguous").flags.c_contiguous
    assert with_layout(x, "transposed").flags.f_contiguous
    assert with_layout(x, "every_second").strides == (32, 8)
    assert with_layout(x, "offset").strides == (28, 4)
    assert with_layout(x, "reversed").strides[-1] < 0
    assert with_layout(x[:1], "broadcast").strides[0] == 0


def test_an_unknown_layout_is_refused() -> None:
    """The message names the layout and those that there are."""
    with pytest.raises(ValueError, match=r"layout: 'diagonal' is not allowed; allowed: \["):
        with_layout(numbers((3,)), "diagonal")


@pytest.mark.parametrize(
    "strides", [(16, 4), (4, 12), (32, 8), (-16, 4), (16, -4), (-16, -4), (4, -12), (400, 8)]
)
def test_strides_are_as_asked_for(strides: tuple[int, ...]) -> None:
    """Strides of any sign and gap are made, with the bits where they belong."""
    x = numbers((3, 4))
    laid = with_strides(x, strides)
    assert laid.strides == strides
    assert laid.tobytes() == x.tobytes()


@pytest.mark.parametrize("strides", [(0, 4), (4, 4), (8, 4), (16, 3), (16,), (16, 4, 4), (0, 0)])
def test_strides_that_cannot_be_are_contiguous(strides: tuple[int, ...]) -> None:
    """Where elements would overlap, or strides are no multiples of the item, bits come first."""
    x = numbers((3, 4))
    laid = with_strides(x, strides)
    assert laid.flags.c_contiguous
    assert equal_bits(laid, x)
