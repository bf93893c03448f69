"""The number line of a format: its codes, and the gaps between them."""

from typing import TYPE_CHECKING

import numpy as np

from qparity.reference import FloatFormat, IntFormat

from ..values import codes_of
from .canvas import BLUE, VERMILION, label_powers_of_two, label_values, paper

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEW = 17


def number_line(row: FloatFormat | IntFormat) -> "Figure":
    """All values of a format of at most 8 bits, and how far each is from the next.

    Raises:
        ValueError: if the format has more bits, or matplotlib is missing.
    """
    if row.bits > 8:
        raise ValueError(f"format: {row.name} has {row.bits} bits; allowed: at most 8")
    values = codes_of(row) + 0.0
    figure, (line, gaps) = paper(2, 7, 3.4, sharex=True, height_ratios=[1, 1.6])
    line.vlines(values, 0, 1, color=BLUE, linewidth=1.4 if values.size <= 64 else 0.7)
    line.set_yticks([])
    line.spines["left"].set_visible(False)
    line.set_ylim(0, 1.25)
    line.grid(visible=False)
    line.set_title(f"{row.name}: {values.size} values, {row.bits} bits")
    middles, widths = (values[1:] + values[:-1]) / 2, np.diff(values)
    gaps.plot(middles, widths, "o", color=VERMILION, markersize=3.5)
    gaps.vlines(middles, widths.min() / 2, widths, color=VERMILION, linewidth=0.6)
    gaps.set_yscale("log", base=2)
    gaps.set_ylim(widths.min() / 2, widths.max() * 2)
    gaps.set_ylabel("gap to the next")
    gaps.set_xlabel("value")
    label_powers_of_two(gaps.yaxis)
    if values[0] > 0:
        # binades alone, without a zero: equal distances
        gaps.set_xscale("log", base=2)
        label_powers_of_two(gaps.xaxis)
    if values.size <= _FEW:
        label_values(gaps, values)
    return figure
