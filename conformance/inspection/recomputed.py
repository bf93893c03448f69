"""What the reference makes of the dense weight of a module, piece by piece."""

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array, bits_of
from .expected import PACKED_FLOATS
from .plan import Plan
from .stored import Stored

_FLOAT32 = np.dtype(np.float32)


class Recomputed(Stored):
    """The tensors of a module, and those that its dense weight gives.

    Attributes:
        rules: other than the reference's own that codes were found to be made by.
    """

    def __init__(self, plan: Plan, args: QuantizationArgs, shape: tuple[int, ...]) -> None:
        super().__init__(plan, args, shape)
        self.rules: set[str] = set()

    def minmax(self, span: tuple[Array, Array], whole: Array | None) -> tuple[Array, Array]:
        """Scale and zero-point by min/max, in the dtype of the weight."""
        if self.args.strategy == "tensor":
            lows, highs = [span[0]], [span[1]]
        else:
            lows, highs = [], []
            for start, stop in self.pieces():
                weight = self.weight(start, stop)
                if self.g_idx is not None:
                    weight = weight[:, np.argsort(self.g_idx, kind="stable")]
                low, high = reference.minmax(weight, self.args)
                lows.append(low)
                highs.append(high)
        low, high = np.concatenate(lows), np.concatenate(highs)
        scale, zero_point = reference.calculate_qparams(low, high, self.args, whole)
        return scale.astype(self.dtype), zero_point

    def quantized(
        self,
        weight: Array,
        scale: Array,
        zero_point: Array | None,
        used: Array | None,
        start: int,
        stop: int,
        stored: Array,
    ) -> tuple[Array, Array]:
        """The codes that qparams give, by the rule that gives the fewest differences."""
        zeros = np.zeros(scale.shape, self.args.zp_dtype) if self._adds_zero() else None
        given = zero_point if not self.args.symmetric else zeros
        variants: list[tuple[str, dict[str, Any]]] = [
            ("", {"zero_point": given}),
            ("", {"zero_point": None if self.args.symmetric else given}),
            ("float32", {"zero_point": given, "compute_dtype": _FLOAT32}),
        ]
        best: tuple[Array, Array] | None = None
        for rule, options in variants:
            codes = self._one_rule(weight, scale, used, start, stop, options)
            wrong = bits_of(codes) != bits_of(stored)
            if not wrong.any():
                self.rules |= {rule} - {""}
                return codes, wrong
            if best is None:
                best = codes, wrong
        assert best is not None
        return best

    def _one_rule(
        self,
        weight: Array,
        scale: Array,
        used: Array | None,
        start: int,
        stop: int,
        options: Mapping[str, Any],
    ) -> Array:
        rows = self.rows_of_scale(start, stop)
        zero_point = options["zero_point"]
        packed_float = self.plan.format in PACKED_FLOATS
        codes = reference.quantize(
            weight,
            scale[rows],
            None if zero_point is None else zero_point[rows],
            self.args,
            dtype=None if packed_float else self.args.code_format.dtype,
            g_idx=self.g_idx,
            global_scale=used,
            compute_dtype=options.get("compute_dtype"),
        )
        return codes.astype(ml_dtypes.bfloat16) if packed_float else codes

    def _adds_zero(self) -> bool:
        return self.plan.format not in PACKED_FLOATS
