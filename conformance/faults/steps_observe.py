"""Ranges of tensors in steps that a fault can replace."""

import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from .arithmetic import F64
from .steps_qparams import Pair, QparamSteps

Axes = tuple[int, ...]


class ObserveSteps(QparamSteps):
    """The observers and dynamic scales of SPEC section 5, one step a method."""

    def extremes(self, x: Array, axes: Axes, keepdims: bool = False) -> Pair:
        """The smallest and the largest; a zero is +0, NaN stays."""
        exact = x.astype(F64)
        lo, hi = (f(exact, axis=axes, keepdims=keepdims) + 0.0 for f in (np.min, np.max))
        return lo.astype(x.dtype), hi.astype(x.dtype)

    def grouped(self, x: Array, args: QuantizationArgs) -> Array:
        """The last axis as groups."""
        size = args.group_size or 1
        return x.reshape(*x.shape[:-1], x.shape[-1] // size, size)

    def padded(self, x: Array, rows: int, cols: int) -> Array:
        """A tensor that is whole blocks."""
        return np.pad(x, ((0, -x.shape[0] % rows), (0, -x.shape[1] % cols)))

    def blocked(self, x: Array, args: QuantizationArgs) -> Array:
        """(block rows, rows, block columns, columns)."""
        rows, cols = args.block_structure or (1, 1)
        whole = self.padded(x, rows, cols)
        return whole.reshape(whole.shape[0] // rows, rows, whole.shape[1] // cols, cols)

    def observed(self, x: Array, args: QuantizationArgs) -> Pair:
        """The range of every unit of a static strategy."""
        rows = x.reshape(1, -1) if x.ndim == 1 else x
        if args.strategy == "channel":
            return self.extremes(rows, (-1,), keepdims=True)
        if args.strategy in ("group", "tensor_group"):
            return self.extremes(self.grouped(rows, args), (-1,))
        if args.strategy == "block":
            return self.extremes(self.blocked(x, args), (1, 3))
        if args.strategy == "attn_head":
            others = tuple(axis for axis in range(x.ndim) if axis != x.ndim - 3)
            lo, hi = self.extremes(x, others)
            return lo.reshape(-1, 1, 1), hi.reshape(-1, 1, 1)
        return self.of_tensor(x)

    def of_tensor(self, x: Array) -> Pair:
        """One range."""
        lo, hi = self.extremes(x.reshape(-1), (0,))
        return lo.reshape(1), hi.reshape(1)

    def of_tokens(self, x: Array) -> Pair:
        """A range per token."""
        axes = tuple(range(2, x.ndim)) if x.ndim > 2 else (-1,)
        return self.extremes(x, axes, keepdims=True)

    def compute_dynamic_scales_and_zp(
        self, x: Array, args: QuantizationArgs, global_scale: Array | None = None
    ) -> Pair:
        """The qparams of the tensor at hand."""
        x = np.atleast_1d(x)
        if args.strategy == "token":
            observed = self.of_tokens(x)
        elif args.strategy == "tensor":
            observed = self.of_tensor(x)
        else:
            observed = self.extremes(self.grouped(x, args), (-1,))
        return self.calculate_qparams(*observed, args, global_scale)

    def average(self, start: Array, end: Array, c: float) -> Array:
        """start * (1 - c) + end * c."""
        return self.add(self.times_number(start, 1 - c), self.times_number(end, c))

    def minmax(self, x: Array, args: QuantizationArgs, state: Pair | None = None) -> Pair:
        """The moving average of the ranges."""
        lo, hi = self.observed(np.atleast_1d(x), args)
        if state is None:
            return lo, hi
        c = args.observer_kwargs.get("averaging_constant", 0.01)
        with np.errstate(all="ignore"):
            return self.average(state[0], lo, c), self.average(state[1], hi, c)

    def static_minmax(self, x: Array, args: QuantizationArgs, state: Pair | None = None) -> Pair:
        """The range of all tensors so far."""
        lo, hi = self.observed(np.atleast_1d(x), args)
        if state is None:
            return lo, hi
        before_lo, before_hi = state
        smaller = np.where((before_lo < lo) | np.isnan(before_lo), before_lo, lo)
        return smaller, np.where((before_hi > hi) | np.isnan(before_hi), before_hi, hi)

    def memoryless_minmax(
        self, x: Array, args: QuantizationArgs, state: Pair | None = None
    ) -> Pair:
        """The range of the last tensor."""
        return self.observed(np.atleast_1d(x), args)
