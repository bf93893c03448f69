"""A sample that breaks a law made small: one number or one unit, zeros for the rest."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..bits import bits_of
from .law import Sample
from .units import counts_of, main_of, take

__all__ = ["shrink"]


def shrink(sample: Sample, breaks: Callable[[Sample], bool], budget: int = 300) -> Sample:
    """The smallest sample found that still breaks the law.

    Args:
        sample: one that does.
        breaks: whether another one does.
        budget: how many may be tried.
    """
    for reduce in (_cut_units, _cut_block, _zeroed):
        before = None
        while before is not sample and budget > 0:
            before = sample
            for candidate in reduce(sample):
                budget -= 1
                if breaks(candidate):
                    sample = candidate
                    break
                if budget <= 0:
                    break
    return sample


def _cut_units(sample: Sample) -> Iterator[Sample]:
    """Fewer units along one axis: one alone, or half of them, or all but one."""
    main = sample.arrays[main_of(sample)]
    counts = counts_of(main.shape, sample.args) if main_of(sample) == "x" else main.shape
    for axis, count in enumerate(counts):
        if count <= 1:
            continue
        half = count // 2
        for start, stop in ((0, half), (half, count), (1, count), (0, count - 1)):
            yield take(sample, axis, start, stop)


def _cut_block(sample: Sample) -> Iterator[Sample]:
    """A part of the one block that is left."""
    if sample.args.strategy != "block" or "x" not in sample.arrays:
        return
    x = sample.arrays["x"]
    if counts_of(x.shape, sample.args) != (1, 1):
        return
    for axis in (0, 1):
        n = x.shape[axis]
        for start, stop in ((0, n // 2), (n // 2, n), (1, n), (0, n - 1)):
            if n > 1:
                yield sample.having(x=np.take(x, np.arange(start, stop), axis))


def _zeroed(sample: Sample) -> Iterator[Sample]:
    """Zeros in half of the numbers, a quarter, and so on, down to one."""
    name = main_of(sample)
    main = sample.arrays[name]
    if name == "min_vals":
        return
    alive = np.flatnonzero(bits_of(main))
    chunk = (len(alive) + 1) // 2
    while chunk >= 1 and len(alive) > 1:
        for start in range(0, len(alive), chunk):
            flat = main.reshape(-1).copy()
            flat[alive[start : start + chunk]] = 0
            yield replace(sample, arrays={**sample.arrays, name: flat.reshape(main.shape)})
        chunk = chunk // 2 if chunk > 1 else 0
