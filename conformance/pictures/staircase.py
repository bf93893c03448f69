"""What a scheme makes of every number of a range, and the error it makes."""

from typing import TYPE_CHECKING

import numpy as np

from qparity.reference import QuantizationArgs

from .canvas import BLACK, BLUE, VERMILION, paper
from .coded import values_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 6001
_BEYOND = 0.15
# so that what is drawn, and its errors, are normal numbers of float32
_LEAST, _MOST = 1e-30, 1e38


def staircase(
    args: QuantizationArgs, *, name: str, low: float = -1.0, high: float = 1.0
) -> "Figure":
    """The values that numbers become, and their errors, where the unit reaches from low to high.

    Args:
        args: the scheme.
        name: of the scheme, for the title.
        low: the smallest number of the unit.
        high: the largest.

    Raises:
        ValueError: if the range is none, float32 does not hold it, or matplotlib is missing.
    """
    largest = max(abs(low), abs(high))
    held = _LEAST <= largest <= _MOST
    if not held or not np.float32(low) < np.float32(high):
        raise ValueError(
            f"range: {low} to {high} is not allowed; allowed: LOW below HIGH, the larger of "
            f"magnitude {_LEAST:.3g} to {_MOST:.3g}"
        )
    beyond = _BEYOND * min(largest, high - low)
    x = np.linspace(low - beyond, high + beyond, _POINTS).astype(np.float32)
    values = values_of(x, low, high, args)
    figure, (stairs, errors) = paper(2, 6, 5, sharex=True, height_ratios=[1.7, 1])
    stairs.plot(x, x, "--", color=BLACK, linewidth=0.8, label="the number itself")
    stairs.plot(x, values, "-", color=BLUE, linewidth=1.3, label="what it becomes")
    stairs.set_ylabel("value")
    stairs.legend(loc="upper left", frameon=False)
    stairs.set_title(f"{name}: range {low:g} to {high:g}")
    errors.plot(x, values - x, "-", color=VERMILION, linewidth=1)
    errors.axhline(0, color=BLACK, linewidth=0.6)
    inside = (x >= low) & (x <= high)
    bound = 1.25 * float(np.abs(values - x)[inside].max())
    errors.set_ylim(-bound, bound)
    errors.set_ylabel("error")
    errors.set_xlabel("number (the error grows beyond the range: numbers are clipped)")
    for axes in (stairs, errors):
        axes.axvspan(low, high, color="0.95", zorder=-1)
    return figure
