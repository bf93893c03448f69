"""What must hold before a comparison means anything: the bridge, and subnormals."""

import platform
import sys
from importlib import metadata
from itertools import chain

import ml_dtypes
import numpy as np

from .bits import Array
from .compare import find_difference
from .layouts import LAYOUTS, with_layout
from .run import Outcome

_BRIDGED = (
    *("int8", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64"),
    *("float8_e4m3fn", "float8_e5m2"),
)
_PACKAGES = ("qparity", "numpy", "ml_dtypes", "hypothesis", "torch", "triton", "compressed-tensors")


def environment() -> dict[str, str]:
    """Versions and the machine, for the head of a report."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["cuda device"] = str(torch.cuda.get_device_name())
    return found


def probe_bridge(backend: object) -> Outcome:
    """Every bit pattern of the dtypes up to 16 bits, and chosen wide ones, crosses unchanged."""
    outcome = Outcome("bridge", "round trip of bits", evidence="exhaustive")
    for array in chain(_patterns(), _layouts()):
        outcome.cases += 1
        outcome.elements += int(array.size)
        try:
            crossed = backend.to_numpy(backend.from_numpy(array))  # type: ignore[attr-defined]
            difference = find_difference(array, crossed)
        except Exception as error:  # noqa: BLE001 - whatever the bridge raises is the answer
            detail = f"{type(error).__name__}: {error}"
            return _fail(outcome, f"{array.dtype.name} {array.shape}: {detail}")
        if difference is not None:
            detail = difference.detail or f"{difference.count} of {difference.total} bit patterns"
            return _fail(outcome, f"{array.dtype.name} {array.shape}: {detail} changed")
    return outcome


def probe_subnormals() -> Outcome:
    """The processor keeps subnormals in this thread: 1e-40 * 1 is not 0."""
    outcome = Outcome("bridge", "subnormals are kept", evidence="fixed", cases=1, elements=1)
    tiny = np.full(64, 1e-40, np.float32)
    if not (tiny * np.float32(1) != 0).all():
        return _fail(outcome, "numpy flushes subnormals to zero in this thread")
    return outcome


def _patterns() -> list[Array]:
    arrays = []
    for name in _BRIDGED:
        dtype = np.dtype(getattr(ml_dtypes, name, name))
        if dtype.itemsize <= 2:
            every = np.arange(1 << (8 * dtype.itemsize)).astype(f"u{dtype.itemsize}")
        else:
            rng = np.random.default_rng(0)
            every = rng.integers(0, 1 << 63, 4096, dtype=np.uint64).astype(f"u{dtype.itemsize}")
        arrays.append(every.view(dtype))
    return arrays


def _layouts() -> list[Array]:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    shaped = [with_layout(values, layout) for layout in LAYOUTS]
    return [*shaped, np.zeros((0, 3), np.float32), np.array(1.5, np.float32)]


def _fail(outcome: Outcome, detail: str) -> Outcome:
    outcome.status, outcome.detail, outcome.differing = "FAIL", detail, 1
    return outcome
