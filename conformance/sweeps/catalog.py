"""The sweeps of each level, and the choice among them."""

from collections.abc import Mapping, Sequence

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationScheme

from ..case import format_label
from .packing import packing_sweeps
from .rounding import rounding_sweeps
from .scaling import dequantize_sweeps, quantize_sweeps
from .sweep import Sweep

__all__ = ["all_sweeps", "chosen_sweeps"]

_SMALL = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


def all_sweeps(level: str | None) -> list[Sweep]:
    """The sweeps of a level: none below ``"thorough"``, those of 2^32 at ``"exhaustive"`` alone."""
    if level not in ("thorough", "exhaustive"):
        return []
    sweeps = [sweep for dtype in _SMALL for sweep in rounding_sweeps(dtype)]
    sweeps += [*quantize_sweeps(), *dequantize_sweeps(), *packing_sweeps()]
    if level == "exhaustive":
        sweeps += rounding_sweeps(np.dtype(np.float32))
    return sweeps


def chosen_sweeps(
    level: str | None,
    operations: Sequence[str] = (),
    schemes: Mapping[str, QuantizationScheme] | None = None,
    compute_dtype: np.dtype | None = None,
) -> list[Sweep]:
    """The sweeps of a level that a verification asks for.

    Args:
        level: as for ``verify``.
        operations: only these; empty: all.
        schemes: only operations that take args, in the formats of these schemes; None: all.
        compute_dtype: float32 leaves out ``quantize`` under the other rule; None: both rules.
    """
    sweeps = all_sweeps(level)
    if operations:
        sweeps = [sweep for sweep in sweeps if sweep.op in operations]
    if schemes is not None:
        formats = {label for scheme in schemes.values() for label in _formats(scheme)}
        sweeps = [sweep for sweep in sweeps if sweep.code_format in formats]
    if compute_dtype is not None:
        name = compute_dtype.name
        sweeps = [s for s in sweeps if s.op != "quantize" or s.compute_dtype == name]
    return sweeps


def _formats(scheme: QuantizationScheme) -> list[str]:
    sides = (scheme.weights, scheme.input_activations, scheme.output_activations)
    return [format_label(args).removeprefix("mx") for args in sides if args is not None]
