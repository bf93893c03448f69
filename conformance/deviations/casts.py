"""What casts of libraries define otherwise, or leave undefined (docs/parity.md), as elements."""

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from ..bits import Array
from .declared import Declared
from .nan import nan_arises

__all__ = ["CASTS", "UNSATURATED_CASTS"]


def _sign_of_zero(op: str, inputs: Mapping[str, Any], expected: Mapping[str, Array]) -> Array:
    """Zeros that are given to fp4 codes."""
    args, dtype = inputs.get("args"), inputs.get("dtype")
    fp4 = getattr(dtype, "name", "") == "float4_e2m1fn" or getattr(args, "num_bits", 0) == 4
    del op, expected
    return np.asarray((np.atleast_1d(inputs["x"]) == 0) & fp4)


def _beyond_the_largest(
    op: str, inputs: Mapping[str, Any], expected: Mapping[str, Array]
) -> bool | Array:
    """Values beyond the largest of the target."""
    del op, expected
    largest = {4: 6.0, 6: 7.5, 8: 448.0}
    args = inputs.get("args")
    if args is not None:
        top = largest[args.num_bits]
    else:
        top = float(ml_dtypes.finfo(inputs["dtype"]).max)
    return np.asarray(np.abs(np.atleast_1d(inputs["x"]).astype(np.float64)) > top)


CASTS: tuple[Declared, ...] = (
    Declared("deviation 1", "NaN has no code in fp4 and fp6", nan_arises),
    Declared("casts: sign of zero", "fp4 keeps the sign of zero", _sign_of_zero),
)
UNSATURATED_CASTS: tuple[Declared, ...] = (
    *CASTS,
    Declared("ml_dtypes: not saturated", "inf or NaN beyond the largest", _beyond_the_largest),
)
