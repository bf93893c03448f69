"""Every verb of ``triton:cuda`` in a CUDA graph: replayed on other data, it gives a call's bits.

Run on a GPU as ``python -m tests.backends.graph_capture``. Prints a line for each call:

    kernels  kernels that a call launches, and copies and fills by the driver beside them
    waits    whether the host waits for the device in a call: for what, if it may
    graph    whether the bits of a replay are those of a call, or what went wrong
    eager    whether they are those of eager torch; "torch" if it was torch that computed them

Exits 1 if bits differ, if a call cannot be captured, or if the host waits where it need not.
With ``--plain cpu`` in Triton's interpreter: the calls alone, beside eager torch.
"""

import argparse
import subprocess
import sys
from collections import Counter
from typing import Any

import torch

from qparity.backends import load_backend

from .graph_cases import Eager, GraphCase, Tensors, bits_of, graph_cases

_WIDTHS = (30, 24, 10, 12, 12)


def main() -> int:
    """Print the table; 1 if a line of it is bad."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plain", metavar="DEVICE", help="no graphs: calls alone")
    parser.add_argument("--part", default="0/1", help="which of the calls, such as 0/8")
    parser.add_argument("--jobs", type=int, default=8, help="processes that compile ahead")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    if options.plain is None and options.jobs > 1 and parts == 1:
        _compile_ahead(options.jobs)
    device = options.plain or "cuda"
    backend: Any = load_backend(f"triton:{device}")
    if options.plain is None:
        print(torch.cuda.get_device_name(), "torch", torch.__version__)  # noqa: T201
        _print("verb", "call", "kernels", "waits", "graph", "eager")
    bad = 0
    one = Counter[bool]()
    for case in list(graph_cases(device))[part::parts]:
        try:
            eager = _beside_eager(case, backend)
            if options.plain is not None:
                kernels, waits, graph = "", "", "equal"
            else:
                waits, graph = _waits(case, backend), _replayed(case, backend)
                kernels = _launches(case, backend)
                one[kernels.split()[0] == "1"] += 1
        except Exception as error:  # noqa: BLE001 - the other calls are to be seen, too
            kernels, waits, graph, eager = "", "", _told(error), ""
        wrong = graph != "equal" and not case.reads
        wrong |= waits == "waits" or eager not in ("equal", "torch")
        bad += wrong
        if wrong or options.plain is None:
            _print(case.verb, case.name, kernels, waits, graph, eager, "BAD" if wrong else "")
    if options.plain is None:
        print(f"one kernel: {one[True]} calls; more: {one[False]}; bad: {bad}")  # noqa: T201
    return int(bad > 0)


def _compile_ahead(jobs: int) -> None:
    """Every call once, in processes that fill Triton's cache; what fails is told later."""
    command = [sys.executable, "-m", "tests.backends.graph_capture", "--plain", "cuda", "--part"]
    running = [
        subprocess.Popen(
            [*command, f"{i}/{jobs}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for i in range(jobs)
    ]
    for process in running:
        process.wait()


def _beside_eager(case: GraphCase, backend: Any) -> str:  # noqa: ANN401
    before = backend.fallbacks.total()
    found = case.call(backend, case.make(0))
    if backend.fallbacks.total() > before:
        return "torch"
    return _difference(found, case.call(Eager, case.make(0))) or "equal"


def _waits(case: GraphCase, backend: Any) -> str:  # noqa: ANN401
    """Whether a call makes the host wait: no, for what it may, or ``waits``."""
    tensors = case.make(0)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        case.call(backend, tensors)
    except RuntimeError as error:
        if "synchroniz" not in str(error):
            raise
        return (case.checks or case.reads or "waits")[:11]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "no"


def _replayed(case: GraphCase, backend: Any) -> str:  # noqa: ANN401
    """Whether a graph of a call, replayed on other data, gives what a call gives."""
    if case.reads:
        return "none"
    given, other = case.make(1), case.make(2)
    expected = {key: value.clone() for key, value in case.call(backend, other).items()}
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = case.call(backend, given)
    for key, value in other.items():
        given[key].copy_(value)
    graph.replay()
    torch.cuda.synchronize()
    return _difference(found, expected) or "equal"


def _launches(case: GraphCase, backend: Any) -> str:  # noqa: ANN401
    """Kernels, and copies and fills, of a call."""
    tensors = case.make(0)
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        case.call(backend, tensors)
        torch.cuda.synchronize()
    names = [
        event.name
        for event in profile.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    ]
    others = sum(name.startswith(("Memcpy", "Memset")) for name in names)
    return f"{len(names) - others}" + (f" + {others}" if others else "")


def _difference(found: Tensors, expected: Tensors) -> str:
    """The outputs that differ in dtype, shape or bits; empty if none does."""
    if set(found) != set(expected):
        return f"{sorted(found)}, not {sorted(expected)}"
    wrong = []
    for key, value in expected.items():
        (dtype, shape, bits), (d, s, b) = bits_of(value), bits_of(found[key])
        if (dtype, shape) != (d, s) or not torch.equal(bits, b):
            wrong.append(key or "result")
    return f"{', '.join(wrong)} differ" if wrong else ""


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:100]}"


def _print(*cells: str) -> None:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)]
    print(*padded, *cells[len(_WIDTHS) :], flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
