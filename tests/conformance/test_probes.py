"""A bridge that changes a bit is found before anything is compared."""

from collections.abc import Callable
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest

import qparity
from qparity.backends import load_backend
from qparity.conformance.probes import environment, probe_bridge, probe_subnormals
from tests.conformance.planted import Array


def bridge(change: Callable[[Array], Array]) -> SimpleNamespace:
    """A bridge that changes arrays on the way back."""
    return SimpleNamespace(from_numpy=lambda array: array.copy(), to_numpy=change)


def of(name: str, change: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A change of the arrays of one dtype."""
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    return lambda array: change(array) if array.dtype == dtype and array.size else array


def without(bits: int, uint: str) -> Callable[[Array], Array]:
    """A bit pattern replaced by 0."""

    def change(array: Array) -> Array:
        raw = array.copy().view(uint)
        raw[raw == bits] = 0
        return raw.view(array.dtype)

    return change


@pytest.mark.parametrize("name", ["numpy", "torch:cpu"])
def test_the_bridges_here_keep_every_bit(name: str) -> None:
    """Every pattern of every dtype up to 16 bits, and every layout, crosses and comes back."""
    outcome = probe_bridge(load_backend(name))
    assert outcome.status == "PASS"
    assert outcome.elements > 2 * 65536 + 4 * 256


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("bfloat16", without(0x8000, "u2")),
        ("bfloat16", without(0x0001, "u2")),
        ("float16", without(0x83FF, "u2")),
        ("float8_e4m3fn", without(0x80, "u1")),
        ("float8_e5m2", without(0x7C, "u1")),
        ("int8", without(0x80, "u1")),
        ("float32", lambda array: array.reshape(-1)),
        ("float64", lambda array: array.astype(np.float32)),
        ("int64", lambda array: array.astype(np.int32)),
        ("float32", lambda array: array.tolist()),
        ("float32", lambda array: array + np.float32(0)),
        ("float32", without(0x00000001, "u4")),
        ("float32", without(0x7F800000, "u4")),
        ("float32", without(0x7F7FFFFF, "u4")),
        ("float64", np.abs),
        ("float64", lambda array: array + 0.0),
        ("float64", without(0x7FEFFFFFFFFFFFFF, "u8")),
        ("int32", without(0x80000000, "u4")),
        ("int64", np.abs),
        ("int64", without(0x7FFFFFFFFFFFFFFF, "u8")),
    ],
)
def test_a_changed_pattern_is_found(name: str, change: Callable[[Array], Array]) -> None:
    """One pattern lost in one dtype, another shape or dtype: each fails, and the dtype is named."""
    outcome = probe_bridge(bridge(of(name, change)))
    assert outcome.status == "FAIL"
    assert outcome.detail.startswith(name)


def test_a_bridge_that_raises_fails() -> None:
    """An exception is told with the dtype it came from."""

    def refuses(array: Array) -> Array:
        raise TypeError(f"no {array.dtype}")

    outcome = probe_bridge(bridge(of("float8_e5m2", refuses)))
    assert outcome.status == "FAIL"
    assert outcome.detail.startswith("float8_e5m2 (256,): TypeError: no float8_e5m2")


def test_subnormals_are_kept_here() -> None:
    """The processor of this machine does not flush subnormals: comparisons mean something."""
    assert probe_subnormals().status == "PASS"


def test_the_environment_names_versions() -> None:
    """The head of a report has the versions that decide the bits."""
    found = environment()
    assert found["numpy"] == np.__version__
    assert found.keys() >= {"python", "machine", "ml_dtypes", "hypothesis"}
    assert found.get("qparity", qparity.__version__) == qparity.__version__
