"""Where two backends give other codes, in the plane of value and scale."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array, step
from ..compare import differing
from ..values import ties_of
from .canvas import VERMILION, paper

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Codes = Callable[[Array, Array], Array]
_SCALES = 256
_ULPS = np.array([-2, -1, 0, 1, 2])


def backends(
    first: tuple[str, Codes],
    second: tuple[str, Codes],
    args: QuantizationArgs,
    dtype: np.dtype,
) -> "Figure":
    """Ties and scales at which codes differ, two ulps around each tie, scales of one octave.

    Args:
        first: a name, and a function of x (rows, columns) and scale (rows, 1) to codes.
        second: likewise.
        args: names the codes.
        dtype: of x and of the scale.

    Raises:
        ValueError: if matplotlib is missing.
    """
    ties = np.sort(ties_of(args.code_format))[1:-1]
    scales = np.unique(np.linspace(1, 2, _SCALES, endpoint=False).astype(dtype))[:, np.newaxis]
    middle = (ties * scales.astype(np.float64)).astype(dtype)
    x = step(np.repeat(middle, _ULPS.size, axis=1), np.tile(_ULPS, ties.size))
    mine, theirs = (np.asarray(codes(x, scales)) for _, codes in (first, second))
    where = differing(mine, theirs).reshape(scales.size, ties.size, _ULPS.size).any(axis=2)
    rows, columns = np.nonzero(where)
    figure, (axes,) = paper(1, 6.5, 4.2)
    if rows.size:
        axes.plot(ties[columns], scales[rows, 0].astype(np.float64), "s", ms=2.2, color=VERMILION)
    else:
        axes.text(0.5, 0.5, "no difference", ha="center", transform=axes.transAxes)
    axes.set_xlim(ties[0], ties[-1])
    axes.set_ylim(1, 2)
    axes.set_xlabel("tie between two codes")
    axes.set_ylabel("scale")
    share = 100 * float(where.mean())
    name = f"{args.code_format.name}, {dtype.name}"
    axes.set_title(f"{first[0]} and {second[0]}\ndiffer at {share:.3g} % of ties ({name})")
    return figure
