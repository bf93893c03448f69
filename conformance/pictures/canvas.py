"""What the pictures share: paper, colours, labels, and how a file is written."""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bits import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
LINES = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (GREEN, "-.", "^"), (BLACK, ":", "D"))
SUFFIXES = (".png", ".svg")
# the same picture has the same bytes
_SAME = {"svg.hashsalt": "qparity", "svg.fonttype": "path"}
_LONG = 2.0**20
_INCHES_A_CHARACTER, _INSIDE = 0.095, 0.88


def check_path(path: Path) -> None:
    """Say before the work that a picture cannot be written.

    Raises:
        ValueError: if the name ends in something else than .png or .svg, its folder does not
            exist, or matplotlib is missing.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"out: {str(path)!r} is not allowed; allowed: a .png or .svg file")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"out: {path} cannot be written; allowed: a file in an existing folder")
    matplotlib_here()


def paper(rows: int, width: float, height: float, **options: Any) -> "tuple[Figure, list[Axes]]":  # noqa: ANN401 - of subplots
    """A figure of some rows of axes, text of 9 points and larger.

    Raises:
        ValueError: if matplotlib is missing.
    """
    matplotlib_here()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    made = figure.subplots(rows, 1, squeeze=False, **options)[:, 0].tolist()
    for axes in made:
        axes.grid(color="0.88", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    return figure, made


def label_values(axes: "Axes", values: Array) -> None:
    """A tick below each value, and a number where there is room for it, the shortest first."""
    low, high = axes.get_xlim()
    inches = axes.figure.bbox.width / axes.figure.dpi * _INSIDE
    per_inch = (high - low) / inches
    labels = [f"{value:g}".replace("-", "\N{MINUS SIGN}") for value in values]
    shown: dict[float, float] = {}
    sizes = {abs(value): len(f"{-abs(value) or 0:g}") for value in values.tolist()}
    for size, length in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        half = per_inch * _INCHES_A_CHARACTER * length / 2
        if all(abs(size - other) > half + room for other, room in shown.items()):
            shown[size] = half
    pairs = zip(values.tolist(), labels, strict=True)
    axes.set_xticks(values, [label if abs(value) in shown else "" for value, label in pairs])


def label_powers_of_two(axis: "Axis") -> None:
    """Numbers at the powers of two of a logarithmic axis, as ``1/8`` or ``32``; few exponents."""
    axis.set_major_formatter(lambda value, _: _power_of_two(value))
    axis.set_minor_formatter("")


def save(figure: "Figure", path: Path) -> None:
    """Write a figure beside its place, then rename it.

    Raises:
        OSError: if the file cannot be written.
        ValueError: as ``check_path``.
    """
    check_path(path)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    with matplotlib_here().rc_context(_SAME):
        figure.savefig(temporary, dpi=160, metadata=metadata)
    temporary.replace(path)


def matplotlib_here() -> Any:  # noqa: ANN401 - a module that may be missing
    """The library.

    Raises:
        ValueError: if it is missing, with the extra that has it.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        message = "plot: matplotlib is not installed; pip install 'qparity[plots]'"
        raise ValueError(message) from None
    return matplotlib


def _power_of_two(value: float) -> str:
    if not 1 / _LONG < value < _LONG:
        return f"2^{math.log2(value):.0f}"
    return f"{value:g}" if value >= 1 else f"1/{1 / value:.0f}"
