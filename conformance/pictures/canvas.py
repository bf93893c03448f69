"""What the pictures share: paper, colours, and how a file is written."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
LINES = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (GREEN, "-.", "^"), (BLACK, ":", "D"))
SUFFIXES = (".png", ".svg")
_SIZES = {"font.size": 9, "axes.titlesize": 10, "legend.fontsize": 8, "axes.titleweight": "bold"}
# the same picture has the same bytes
_SAME = {"svg.hashsalt": "qparity", "svg.fonttype": "path"}


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
    _matplotlib()


def paper(rows: int, width: float, height: float, **options: Any) -> "tuple[Figure, list[Axes]]":  # noqa: ANN401 - of subplots
    """A figure of some rows of axes, 9 points and larger in print.

    Raises:
        ValueError: if matplotlib is missing.
    """
    matplotlib = _matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SIZES):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        made = figure.subplots(rows, 1, squeeze=False, **options)[:, 0].tolist()
        for axes in made:
            axes.grid(color="0.88", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
    return figure, made


def save(figure: "Figure", path: Path) -> None:
    """Write a figure beside its place, then rename it.

    Raises:
        OSError: if the file cannot be written.
        ValueError: as ``check_path``.
    """
    check_path(path)
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp{path.suffix}")
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    with _matplotlib().rc_context(_SIZES | _SAME):
        figure.savefig(temporary, dpi=160, metadata=metadata)
    temporary.replace(path)


def _matplotlib() -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise ValueError("plot: matplotlib is not installed; pip install qparity[plots]") from None
    return matplotlib
