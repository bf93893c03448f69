"""One measurement, and what is to be measured."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PRESETS = (
    *("FP8", "FP8_DYNAMIC", "FP8_BLOCK", "W8A8", "MXFP8A16", "MXFP6A16", "MXFP4A16", "NVFP4A16"),
    *("W4A16", "W4A16_ASYM", "W2A16", "W3A16", "W5A16", "W6A16", "W7A16", "W8A16"),
)
OF_SIZES = ("FP8_DYNAMIC", "NVFP4A16", "MXFP4A16", "W4A16")
WITH_GIVEN_SCALES = ("FP8_DYNAMIC", "W4A16", "NVFP4A16", "MXFP4A16")
GIVEN = ("quantize", "dequantize", "fake_quantize")
DYNAMIC = ("FP8_DYNAMIC", "FP8_BLOCK", "W8A8")
SHAPES = {
    1: (512, 1024),
    8: (2048, 2048),
    64: (4096, 8192),
    128: (8192, 8192),
    512: (16384, 16384),
    2048: (65536, 16384),
    4096: (131072, 16384),
}
MAIN = 128


@dataclass(frozen=True, slots=True)
class Task:
    """What to measure.

    Attributes:
        verb: function of the backend.
        preset: whose weights, or whose inputs where the scales are dynamic.
        dtype: of the weight.
        shape: of the weight.
    """

    verb: str
    preset: str
    dtype: str
    shape: tuple[int, int]


@dataclass(slots=True)
class Row:
    """One measurement.

    Attributes:
        verb: see ``Task``, and so the next three.
        preset: see there.
        dtype: see there.
        shape: see there.
        moved: bytes: every input once, twice where the tensor is read before, every output once.
        sets: inputs that the calls rotate among.
        microseconds: of a call on the device.
        copy_microseconds: of a device copy of as many bytes, measured next.
        eager: whether eager torch answered, for want of a kernel.
        launches: kernels of a call, None where not told; of small weights.
        host_microseconds: of a call from the host without a graph; of small weights.
        peers: microseconds of each peer, or why it has none.
    """

    verb: str
    preset: str
    dtype: str
    shape: tuple[int, int]
    moved: int
    sets: int
    microseconds: float
    copy_microseconds: float
    eager: bool
    launches: int | None = None
    host_microseconds: float | None = None
    peers: dict[str, Any] = field(default_factory=dict)

    @property
    def of_copy(self) -> float:
        """Rate over that of the copy."""
        return self.copy_microseconds / self.microseconds

    @property
    def rate(self) -> float:
        """Gigabytes a second."""
        return self.moved / self.microseconds / 1000


def main_tasks(presets: list[str], dtype: str, shape: tuple[int, int]) -> Iterator[Task]:
    """All verbs of one dtype and shape."""
    for preset in presets:
        yield Task("compress", preset, dtype, shape)
        yield Task("decompress", preset, dtype, shape)
        if preset in DYNAMIC:
            yield Task("quantize_dynamic", preset, dtype, shape)
        if preset == "NVFP4A16":
            yield Task("compute_dynamic_scales_and_zp", "NVFP4", dtype, shape)
    for preset in WITH_GIVEN_SCALES:
        if preset in presets and dtype == "bfloat16":
            yield from (Task(verb, preset, dtype, shape) for verb in GIVEN)


def all_tasks(presets: list[str], sizes: list[int], dtypes: list[str]) -> list[Task]:
    """The main size in every dtype, then few presets in the other sizes; bfloat16 first."""
    main = SHAPES[MAIN]
    tasks = []
    if MAIN in sizes:
        tasks += main_tasks(presets, dtypes[0], main)
    for size in sizes:
        if size != MAIN:
            for preset in OF_SIZES:
                if preset in presets:
                    verbs = ("compress", "decompress")
                    tasks += [Task(verb, preset, dtypes[0], SHAPES[size]) for verb in verbs]
    if MAIN in sizes:
        for dtype in dtypes[1:]:
            tasks += main_tasks(presets, dtype, main)
    return tasks
