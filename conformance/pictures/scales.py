"""The scale that is used beside the one that a range asks for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from qparity.reference import QuantizationArgs, dequantize

from ..bits import Array
from .canvas import LINES, label_powers_of_two, paper
from .coded import qparams_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OCTAVES, _EACH, _MOST = 16, 48, 4
_LOWEST, _HIGHEST = 0.4, 2.1


def scales(named: Mapping[str, QuantizationArgs], *, tensor: float = 1.0) -> "Figure":
    """The scale of a unit, of what ``amax`` over half the range of the codes is.

    1 is what was asked for; above, codes are wasted; below, the largest numbers are clipped.

    Args:
        named: one to four schemes, by name.
        tensor: the largest number of the tensor that the unit is of; units reach from it down by
            16 octaves.

    Raises:
        ValueError: if there are none or too many, the number is not positive and finite, or
            matplotlib is missing.
    """
    if not 1 <= len(named) <= _MOST:
        raise ValueError(f"SCHEME: {len(named)} are given; allowed: 1 to {_MOST}")
    if not 0 < tensor < np.inf:
        raise ValueError(f"tensor: {tensor} is not allowed; allowed: a positive number")
    figure, (axes,) = paper(1, 7, 3.8)
    ranges = tensor * np.exp2(np.linspace(-_OCTAVES, 0, _OCTAVES * _EACH + 1))
    for (name, args), (color, line, marker) in zip(named.items(), LINES, strict=False):
        found = np.array([_used(float(amax), args, tensor) for amax in ranges])
        style: dict[str, Any] = {"color": color, "linestyle": line, "marker": marker}
        axes.plot(ranges, found, markevery=_EACH, markersize=3.5, lw=1.3, label=name, **style)
    axes.set_xscale("log", base=2)
    axes.set_ylim(_LOWEST, _HIGHEST)
    label_powers_of_two(axes.xaxis)
    axes.set_xlabel("largest number of the unit")
    axes.set_ylabel("scale, of the one asked for")
    axes.set_title(f"Scales of units, in a tensor whose largest number is {tensor:g}")
    figure.legend(loc="outside lower center", ncols=_MOST, frameon=False)
    return figure


def _used(amax: float, args: QuantizationArgs, tensor: float) -> float:
    scale, _, whole = qparams_of(-amax, amax, args, tensor=tensor)
    size = args.group_size if args.group_size is not None and args.group_size > 0 else 1
    one: Array = np.ones((1, size), np.float32)
    s = float(dequantize(one, scale, None, args, global_scale=whole)[0, 0])
    half = (args.code_format.max - args.code_format.min) / 2
    return s / (amax / half)
