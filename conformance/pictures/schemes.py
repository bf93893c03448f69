"""Which of two schemes is nearer, in the plane of value and range."""

from typing import TYPE_CHECKING, Any

import numpy as np

from qparity.reference import QuantizationArgs

from .canvas import BLUE, ORANGE, paper
from .coded import values_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VALUES, _RANGES = 600, 240
_HIGHEST = 2.0
_ALIKE = 2.0**-20


def schemes(first: tuple[str, QuantizationArgs], second: tuple[str, QuantizationArgs]) -> "Figure":
    """Where one scheme is nearer to a number than another, for units of one octave of ranges.

    Errors that differ by less than 2^-20 count as the same. Where there are two levels of scale,
    the tensor's largest number is 2.

    Args:
        first: the name and args of a scheme.
        second: those of the other.

    Raises:
        ValueError: if matplotlib is missing.
    """
    (name, args), (other_name, other) = first, second
    share = np.linspace(0, 1, _VALUES)
    ranges = np.linspace(1, _HIGHEST, _RANGES, endpoint=False)
    better = np.zeros((_RANGES, _VALUES))
    for i, amax in enumerate(ranges):
        x = (share * amax).astype(np.float32)
        made = (values_of(x, -amax, amax, a, tensor=_HIGHEST) for a in (args, other))
        mine, theirs = (np.abs(values - x) for values in made)
        better[i] = np.where(np.abs(mine - theirs) < _ALIKE, 0, np.sign(mine - theirs))
    figure, (axes,) = paper(1, 6.5, 4.4)
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    edges = (share[0], share[-1], ranges[0], _HIGHEST)
    options: dict[str, Any] = {
        "origin": "lower",
        "aspect": "auto",
        "extent": edges,
        "interpolation": "nearest",
    }
    colors = ListedColormap([BLUE, "white", ORANGE])
    axes.grid(visible=False)
    axes.imshow(better, cmap=colors, vmin=-1, vmax=1, **options)
    parts = [100 * float((better == sign).mean()) for sign in (-1, 0, 1)]
    labels = [f"{name} is nearer: {parts[0]:.0f} %", f"the same: {parts[1]:.0f} %"]
    labels.append(f"{other_name} is nearer: {parts[2]:.0f} %")
    patches = [
        Patch(facecolor=color, edgecolor="black", label=label)
        for color, label in zip((BLUE, "white", ORANGE), labels, strict=True)
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=3, frameon=False)
    axes.set_xlabel("value, of the largest in its unit")
    two = "tensor_group" in (args.strategy, other.strategy)
    axes.set_ylabel("largest in the unit" + two * f" ({_HIGHEST:g} in the tensor)")
    axes.set_title(f"{name} and {other_name}")
    return figure
