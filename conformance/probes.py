"""What must hold before a comparison means anything: the bridge, and subnormals."""

import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from itertools import chain

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs

from .bits import Array, hex_bits
from .case import Case, UnsupportedError, run_case
from .compare import find_difference
from .float_mode import changed_mode
from .known_failure import KnownFailure
from .layouts import LAYOUTS, with_layout
from .outcome import Outcome
from .values import specials_of, with_nan

_BRIDGED = (
    *("int8", "uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64"),
    *("float8_e4m3fn", "float8_e5m2"),
)
SUBNORMALS_KEPT = "subnormals are kept by the backend"
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
    outcome = Outcome("bridge", "round trip of bits", evidence="fixed")
    for array in chain(_patterns(), _layouts()):
        outcome.cases += 1
        outcome.elements += int(array.size)
        try:
            crossed = backend.to_numpy(backend.from_numpy(array))  # type: ignore[attr-defined]
            difference = find_difference(array, crossed)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the bridge raises is the answer
            detail = f"{type(error).__name__}: {error}"
            return _fail(outcome, f"{array.dtype.name} {array.shape}: {detail}")
        if difference is not None:
            detail = difference.detail or f"{difference.count} of {difference.total} bit patterns"
            return _fail(outcome, f"{array.dtype.name} {array.shape}: {detail} changed")
    return outcome


def probe_subnormals() -> Outcome:
    """The processor keeps subnormals in this thread, 1e-40 * 1 is not 0, and rounds to nearest."""
    outcome = Outcome("bridge", "subnormals are kept", evidence="fixed", cases=1, elements=1)
    mode = changed_mode()
    return outcome if mode is None else _fail(outcome, f"numpy {mode} in this thread")


def probe_backend_subnormals(backend: object, known: Sequence[KnownFailure] = ()) -> Outcome:
    """The backend keeps subnormals: code 1 with scale 2^-140 is dequantized to 2^-140, not to 0.

    UNSUPPORTED if it has no ``dequantize`` or gives another answer, which is for the checks of
    ``dequantize`` to judge; KNOWN if an entry of ``known`` matches.
    """
    outcome = Outcome("bridge", SUBNORMALS_KEPT, "UNSUPPORTED")
    outcome.evidence = "fixed"
    scale = np.array([2.0**-140], np.float32)
    inputs = {"x_q": np.ones(1, np.int8), "scale": scale, "zero_point": None}
    case = Case("dequantize", inputs | {"args": QuantizationArgs()})
    try:
        expected, actual, difference = run_case(case, backend)
    except UnsupportedError as error:
        outcome.detail = str(error)
        return outcome
    outcome.cases = outcome.elements = 1
    if difference is None:
        outcome.status = "PASS"
    elif difference.reason != "bits" or actual[""][0] != 0:
        outcome.detail = "dequantize gives another answer"
    else:
        text = f"dequantize of code 1 with scale {hex_bits(expected[''][0])} gives 0"
        _fail(outcome, f"the backend flushes subnormals to zero: {text}")
        outcome.known = {entry for entry in known if entry.matches(case, outcome.check)}
        outcome.status = "KNOWN" if outcome.known else "FAIL"
    return outcome


def _patterns() -> list[Array]:
    arrays = []
    for name in _BRIDGED:
        dtype = np.dtype(getattr(ml_dtypes, name, name))
        if dtype.itemsize <= 2:
            every = np.arange(1 << (8 * dtype.itemsize)).astype(f"u{dtype.itemsize}")
        else:
            every = _wide_patterns(dtype)
        arrays.append(every.view(dtype))
    return arrays


def _wide_patterns(dtype: np.dtype) -> Array:
    """Bit patterns of 32 or 64 bits: random ones, each single bit, and what is special."""
    bits = 8 * dtype.itemsize
    kind = np.dtype(f"u{dtype.itemsize}")
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, 1 << 64, 4096, dtype=np.uint64, endpoint=False).astype(kind)
    single = kind.type(1) << np.arange(bits, dtype=kind)
    special = np.array([0], kind)
    if dtype.kind == "f":
        with_signs = with_nan(rng, np.full(64, 1.5, dtype), 1.0).view(kind)
        special = np.concatenate([specials_of(dtype).view(kind), with_signs])
    return np.concatenate([chosen, single, ~single, special, ~special])


def _layouts() -> list[Array]:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    shaped = [with_layout(values, layout) for layout in LAYOUTS]
    return [*shaped, np.zeros((0, 3), np.float32), np.array(1.5, np.float32)]


def _fail(outcome: Outcome, detail: str) -> Outcome:
    outcome.status, outcome.detail, outcome.differing = "FAIL", detail, 1
    return outcome
