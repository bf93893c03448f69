"""How long a call takes on a GPU: medians of replays of a CUDA graph, or of calls from the host."""

import ctypes
import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

Call = Callable[[], object]
_OVER_L2 = 4
_GRAPH_US = 1000.0
_MOST_CALLS = 2000
_FEWEST, _MOST = 15, 200
_PART = 1 << 26


def sets_for(moved: int) -> int:
    """How many inputs to rotate among, so that no call finds its own in the cache."""
    if not torch.cuda.is_available():
        return 1
    cache = torch.cuda.get_device_properties(0).L2_cache_size
    return max(1, math.ceil(_OVER_L2 * cache / moved))


def replayed(calls: Sequence[Call], milliseconds: float) -> float:
    """Microseconds of a call on the device: the median of many replays of a graph of the calls.

    The calls of a rotation write to memory of their own each. Without a GPU: one call, by the
    clock of the host.
    """
    if not torch.cuda.is_available():
        start = time.perf_counter()
        calls[0]()
        return 1e6 * (time.perf_counter() - start)
    for call in calls:
        call()
    rough = _events(lambda: [call() for call in calls]) / len(calls)
    rotations = max(1, math.ceil(_GRAPH_US / (rough * len(calls))))
    rotations = min(rotations, max(1, _MOST_CALLS // len(calls)))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(rotations):
            kept = [call() for call in calls]
            del kept
    graph.replay()
    once = _events(graph.replay)
    count = min(_MOST, max(_FEWEST, math.ceil(1000 * milliseconds / once)))
    found = statistics.median(_events(graph.replay) for _ in range(count))
    del graph
    return found / (rotations * len(calls))


def from_host(calls: Sequence[Call], burst: int, bursts: int) -> float:
    """Microseconds of a call as it is called: the median of bursts, each waited for."""
    calls[0]()
    found = []
    for _ in range(bursts):
        _wait()
        start = time.perf_counter()
        for i in range(burst):
            calls[i % len(calls)]()
        _wait()
        found.append((time.perf_counter() - start) / burst)
    return 1e6 * statistics.median(found)


def launches(call: Call) -> int | None:
    """Kernels, copies and fills of a call: the nodes of its graph; None where it cannot be told."""
    if not torch.cuda.is_available():
        return None
    try:
        graph = torch.cuda.CUDAGraph(keep_graph=True)
        with torch.cuda.graph(graph):
            call()
        count = ctypes.c_size_t()
        driver = ctypes.CDLL("libcuda.so.1")
        status = driver.cuGraphGetNodes(
            ctypes.c_void_p(int(graph.raw_cuda_graph())), None, ctypes.byref(count)
        )
    except (AttributeError, OSError, RuntimeError, TypeError):
        return None
    return int(count.value) if status == 0 else None


def copy_time(moved: int, device: str, milliseconds: float) -> float:
    """Microseconds of a device copy that reads and writes ``moved`` bytes in all."""
    # whole vectors: a copy of an odd number of bytes is slower, and would flatter the kernels
    count = max(1, round(moved / 2 / 2**14)) * 2**14
    sets = sets_for(2 * count)
    pairs = [
        [torch.zeros(count // 4, dtype=torch.float32, device=device) for _ in range(2)]
        for _ in range(sets)
    ]
    calls = [partial(_copy, source, target) for source, target in pairs]
    return replayed(calls, milliseconds) * moved / (2 * count)


def _copy(source: torch.Tensor, target: torch.Tensor) -> None:
    # in parts: one copy of more than half a gigabyte is slower
    for part, of in zip(target.split(_PART), source.split(_PART), strict=True):
        part.copy_(of)


def _events(call: Call) -> float:
    """Microseconds on the device."""
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    stop.record()
    stop.synchronize()
    return max(1000 * start.elapsed_time(stop), 0.1)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
