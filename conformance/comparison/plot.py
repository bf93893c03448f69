"""A comparison as a picture: a line of dots for each scheme, each with its number."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ..pictures.canvas import BLUE, VERMILION, matplotlib_here
from .measure import Measured

__all__ = ["has_matplotlib", "plot"]

_PANELS = {
    "bits": ("bits per weight, with scales", "{:.3f}"),
    "snr": ("signal to noise, dB", "{:.2f}"),
    "max_error": ("largest error, relative", "{:.4f}"),
}
_BESIDE: dict[str, Any] = {
    "xytext": (8, 0),
    "textcoords": "offset points",
    "va": "center",
    "size": 9,
}
# the room left of the lowest dot, and right of the highest, where its number stands
_LEFT, _RIGHT = 0.08, 0.4
# the same picture has the same bytes
_UNDATED: dict[str, dict[str, str | None]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def has_matplotlib() -> bool:
    """Whether there is something to draw with."""
    try:
        matplotlib_here()
    except ValueError:
        return False
    return True


def plot(found: Sequence[Measured], file: Path, marked: Collection[str] = ()) -> None:
    """Write a picture: of each scheme the bits per weight, the noise and the largest error.

    Errors are on a logarithmic scale, unless one is 0; what is infinite or NaN stands where the
    largest finite number does.

    Args:
        found: what to draw, by bits, then by noise.
        file: its name ends in .png, .svg or .pdf.
        marked: names of the schemes that stand out.

    Raises:
        ValueError: if the name ends in something else, or matplotlib is missing.
    """
    if file.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"plot: {str(file)!r} is not allowed; allowed: a .png, .svg or .pdf file")
    rc_context = matplotlib_here().rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sorted(found, key=lambda one: (one.bits, one.snr, one.name))
    figure = Figure(figsize=(9, 0.8 + 0.28 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (value, (label, shown)) in zip(panels, _PANELS.items(), strict=True):
        numbers = [float(getattr(one, value)) for one in rows]
        places = _places(numbers, logarithmic=value == "max_error")
        for height, (one, number, place) in enumerate(zip(rows, numbers, places, strict=True)):
            color, marker = (VERMILION, "D") if one.name in marked else (BLUE, "o")
            axes.plot(place, height, marker, color=color, markersize=6)
            axes.annotate(shown.format(number), (place, height), **_BESIDE)
        axes.set_title(label, size=10)
        axes.set_xlim(-_LEFT, 1 + _RIGHT)
        axes.set_xticks([])
        axes.grid(axis="y", color="0.88")
        axes.set_axisbelow(True)
        axes.tick_params(left=False)
        axes.spines[:].set_visible(False)
    panels[0].set_yticks(range(len(rows)), [one.name for one in rows])
    panels[0].set_ylim(-0.7, len(rows) - 0.3)
    with rc_context({"svg.hashsalt": "qparity"}):
        figure.savefig(file, dpi=150, metadata=_UNDATED.get(file.suffix))


def _places(numbers: Sequence[float], *, logarithmic: bool) -> list[float]:
    """From 0, where zero is, or the least on a logarithmic scale, to 1, where the largest is."""
    logarithmic = logarithmic and all(number > 0 for number in numbers)
    sizes = [math.log(number) if logarithmic else number for number in numbers]
    finite = [size for size in sizes if math.isfinite(size)] or [0.0]
    low, high = min(finite), max(finite)
    if not logarithmic:
        low, high = min(low, 0.0), max(high, 0.0)
    places = [size if math.isfinite(size) else high for size in sizes]
    return [(place - low) / (high - low or 1.0) for place in places]
