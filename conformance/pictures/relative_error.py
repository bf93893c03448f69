"""The relative error of schemes, from the largest number of a unit down to zero."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .canvas import LINES, label_powers_of_two, paper
from .coded import values_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OCTAVES, _BINS, _EACH = 12, 96, 200
_MOST = 4


def relative_error(named: Mapping[str, QuantizationArgs]) -> "Figure":
    """The largest relative error in each eighth of an octave, in a unit whose largest is 1.

    Args:
        named: one to four schemes, by name.

    Raises:
        ValueError: if there are none or too many, or matplotlib is missing.
    """
    if not 1 <= len(named) <= _MOST:
        raise ValueError(f"SCHEME: {len(named)} are given; allowed: 1 to {_MOST}")
    figure, (axes,) = paper(1, 6.5, 3.8)
    exponent = np.linspace(-_OCTAVES, 0, _BINS * _EACH)
    x = np.exp2(exponent).astype(np.float32)
    middles = 2 ** exponent.reshape(_BINS, _EACH).mean(axis=1)
    for (name, args), (color, line, marker) in zip(named.items(), LINES, strict=False):
        found = _errors(x, args).reshape(_BINS, _EACH).max(axis=1)
        style: dict[str, Any] = {
            "color": color,
            "linestyle": line,
            "marker": marker,
            "markersize": 3.5,
        }
        axes.plot(middles, found, markevery=6, linewidth=1.3, label=name, **style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_ylim(None, 1.4)
    label_powers_of_two(axes.xaxis)
    axes.yaxis.set_major_formatter(lambda value, _: _percent(100 * value))
    axes.set_xlabel("magnitude, of the largest in its unit")
    axes.set_ylabel("largest relative error")
    axes.set_title("Relative error against magnitude (100 %: it becomes zero)")
    figure.legend(loc="outside lower center", ncols=_MOST, frameon=False)
    return figure


def _errors(x: Array, args: QuantizationArgs) -> Array:
    values = values_of(x, -1.0, 1.0, args)
    found: Array = np.maximum(np.abs(values - x) / x, 2.0**-12)
    return found


def _percent(share: float) -> str:
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"
