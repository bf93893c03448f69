"""A comparison as a picture: a line of dots for each scheme."""

from collections.abc import Collection, Sequence
from pathlib import Path

from .measure import Measured

__all__ = ["has_matplotlib", "plot"]

# the blue and the vermilion of Okabe and Ito, which the colour-blind tell apart, as do the markers
_OTHERS, _MARKED = "#0072B2", "#D55E00"
_PANELS = {
    "bits per weight, scales included": "bits",
    "signal to noise, dB": "snr",
    "largest error, relative": "max_error",
}
# the same picture has the same bytes
_UNDATED: dict[str, dict[str, str | None]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def has_matplotlib() -> bool:
    """Whether there is something to draw with."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def plot(found: Sequence[Measured], file: Path, marked: Collection[str] = ()) -> None:
    """Write a picture: of each scheme the bits per weight, the noise and the largest error.

    Args:
        found: what to draw, by bits, then by noise.
        file: its name ends in .png, .svg or .pdf.
        marked: names of the schemes that stand out.

    Raises:
        ValueError: if the name ends in something else, or matplotlib is missing.
    """
    if file.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"plot: {str(file)!r} is not allowed; allowed: a .png, .svg or .pdf file")
    if not has_matplotlib():
        raise ValueError("plot: matplotlib is not installed; pip install qparity[plots]")
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sorted(found, key=lambda one: (one.bits, one.snr, one.name))
    figure = Figure(figsize=(9, 1.2 + 0.26 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (label, value) in zip(panels, _PANELS.items(), strict=True):
        for height, one in enumerate(rows):
            own = one.name in marked
            color, marker = (_MARKED, "D") if own else (_OTHERS, "o")
            axes.plot(getattr(one, value), height, marker, color=color, markersize=6)
        axes.set_xlabel(label)
        axes.grid(color="0.88")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(rows)), [one.name for one in rows])
    panels[0].set_ylim(-0.7, len(rows) - 0.3)
    if all(one.max_error > 0 for one in rows):
        panels[2].set_xscale("log")
    with rc_context({"svg.hashsalt": "qparity"}):
        figure.savefig(file, dpi=150, metadata=_UNDATED.get(file.suffix))
