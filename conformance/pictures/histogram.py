"""A tensor against the codes that it uses."""

from typing import TYPE_CHECKING

import numpy as np

from qparity.reference import (
    QuantizationArgs,
    calculate_qparams,
    compute_dynamic_scales_and_zp,
    dequantize,
    minmax,
    quantize,
)

from ..bits import Array
from ..of_formats import global_scale_of
from ..values import codes_of
from .canvas import BLUE, ORANGE, label_values, paper

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS, _FEW = 240, 32


def histogram(x: Array, args: QuantizationArgs, *, name: str, of: str = "tensor") -> "Figure":
    """How the scaled numbers of a tensor lie between the codes, and how often each code is used.

    Args:
        x: two-dimensional, whole groups.
        args: the scheme.
        name: of the scheme.
        of: the name of the tensor.

    Raises:
        ValueError: if ``x`` does not fit, or matplotlib is missing.
    """
    scaled, codes = _scaled(x, args)
    values = codes_of(args.code_format) + 0.0
    counts = np.bincount(np.searchsorted(values, codes), minlength=values.size) / codes.size
    figure, (numbers, used) = paper(2, 7, 4.6, sharex=True)
    low, high = values[0] - 0.5, values[-1] + 0.5
    numbers.hist(np.clip(scaled, low, high), bins=_BINS, range=(low, high), color=ORANGE)
    numbers.set_yticks([])
    numbers.set_ylabel("numbers")
    unused = int((counts == 0).sum())
    bits = -float((counts[counts > 0] * np.log2(counts[counts > 0])).sum())
    title = f"{name}: {values.size - unused} of {values.size} codes used"
    numbers.set_title(f"{of}\n{title}, {bits:.2f} bits of information each")
    few = values.size <= _FEW
    if few:
        numbers.vlines(values, 0, 1, transform=numbers.get_xaxis_transform(), lw=0.6, color="0.5")
    gaps = np.diff(values, append=values[-1] + (values[-1] - values[-2]))
    widths = np.minimum(gaps, np.diff(values, prepend=values[0] - gaps[0])) * 0.7
    used.bar(values, 100 * counts, width=widths, color=BLUE)
    used.set_ylabel("share, %")
    point = "" if args.symmetric else " + zero_point"
    used.set_xlabel(f"above: x / scale{point}; below: the code")
    if few:
        label_values(used, values)
    return figure


def _scaled(x: Array, args: QuantizationArgs) -> tuple[Array, Array]:
    """x / s + zero_point, in float64, and the codes, both flat."""
    whole = global_scale_of(x, args)
    if args.strategy == "token":
        scale, made = compute_dynamic_scales_and_zp(x, args, whole)
    else:
        scale, made = calculate_qparams(*minmax(x, args), args, whole)
    point = None if args.symmetric else made
    codes = quantize(x, scale, point, args, global_scale=whole).astype(np.float64)
    one = np.ones(x.shape)
    s = dequantize(one, scale.astype(np.float64), None, args, global_scale=whole)
    moved = np.zeros_like(s)
    if point is not None:
        moved = dequantize(one, point.astype(np.float64), None, args)
    return (x.astype(np.float64) / s + moved).ravel(), codes.ravel()
