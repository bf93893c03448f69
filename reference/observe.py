"""Ranges of tensors: static, running, and per call (SPEC section 5)."""

import numpy as np

from .args import QuantizationArgs, as_args
from .arithmetic import add, multiply_scalar, quiet
from .dtypes import Array, as_array
from .extremes import extremes
from .layout import split_blocks, split_groups
from .qparams import calculate_qparams

__all__ = [
    "compute_dynamic_scales_and_zp",
    "memoryless_minmax",
    "minmax",
    "static_minmax",
]

Range = tuple[Array, Array]


@quiet
def compute_dynamic_scales_and_zp(
    x: Array, args: QuantizationArgs, global_scale: Array | None = None
) -> tuple[Array, Array]:
    """The scale and zero-point of the tensor at hand.

    Args:
        x: float16, bfloat16, float32 or float64.
        args: strategy ``token``, ``tensor``, ``group`` or ``tensor_group``.
        global_scale: one float, or None.

    Returns:
        ``(scale, zero_point)`` as from ``calculate_qparams``, of shape (1,) for ``tensor``,
        ``(..., groups)`` for the groups, and for ``token`` (1,) of a 1-D ``x``, (rows, 1) of a
        2-D one, axes 0 and 1 kept and the others 1 of a larger rank.

    Raises:
        TypeError: if ``x`` has another dtype.
        ValueError: if the strategy is another, the columns of ``x`` do not divide, or what is to
            have a range has no element.

    Source: SPEC section 5; upstream ``compute_dynamic_scales_and_zp``.

    >>> x = np.array([[1, -127.5], [255, 2]], np.float32)
    >>> scale, _ = compute_dynamic_scales_and_zp(x, QuantizationArgs(group_size=2))
    >>> scale.tolist()
    [[1.0], [2.0]]
    """
    x, args = as_array(x, "x"), as_args(args)
    if args.strategy == "token":
        reduced = tuple(range(2, x.ndim)) if x.ndim > 2 else (x.ndim - 1,)
        observed = extremes(_not_empty(x, reduced), reduced, keepdims=True)
    elif args.strategy == "tensor":
        observed = _of_tensor(x)
    elif args.strategy in ("group", "tensor_group"):
        observed = extremes(split_groups(x, args.group_size), -1)
    else:
        raise ValueError(
            f"strategy: {args.strategy!r} is not dynamic; "
            "allowed: 'token', 'tensor', 'group', 'tensor_group'"
        )
    return calculate_qparams(*observed, args, global_scale)


@quiet
def memoryless_minmax(x: Array, args: QuantizationArgs, state: Range | None = None) -> Range:
    """The range of ``x``, whatever came before; see ``minmax`` for shapes and errors.

    >>> x, state = np.array([1, 2], np.float32), (np.zeros(1, np.float32), np.ones(1, np.float32))
    >>> memoryless_minmax(x, QuantizationArgs(), state)
    (array([1.], dtype=float32), array([2.], dtype=float32))
    """
    del state
    return _range(x, args)


@quiet
def static_minmax(x: Array, args: QuantizationArgs, state: Range | None = None) -> Range:
    """The range of ``x`` and of all before it, the ``state``; see ``minmax``.

    NaN stays once it is there. Source: SPEC section 5.

    >>> x, state = np.array([1, 2], np.float32), (np.zeros(1, np.float32), np.ones(1, np.float32))
    >>> static_minmax(x, QuantizationArgs(), state)
    (array([0.], dtype=float32), array([2.], dtype=float32))
    """
    lo, hi = _range(x, args)
    if state is None:
        return lo, hi
    before_lo, before_hi = _matching(state, lo)
    smaller = np.where((before_lo < lo) | np.isnan(before_lo), before_lo, lo)
    larger = np.where((before_hi > hi) | np.isnan(before_hi), before_hi, hi)
    return smaller, larger


@quiet
def minmax(x: Array, args: QuantizationArgs, state: Range | None = None) -> Range:
    """The range of ``x``; with a ``state``, the moving average of the ranges.

    average = state * (1 - c) + range * c, c = ``observer_kwargs["averaging_constant"]`` or 0.01

    Args:
        x: float16, bfloat16, float32 or float64.
        args: any strategy but ``token``.
        state: the result of the call before, or None at the first.

    Returns:
        ``(min_vals, max_vals)`` in the dtype of ``x``, which is the next state: (1,) for
        ``tensor``; (..., rows, 1) for ``channel``; (..., rows, groups) for the groups; (block
        rows, block columns) of the zero-padded tensor for ``block``; (heads, 1, 1) for
        ``attn_head``, heads being axis -3. A 1-D ``x`` is one row. A zero is +0; NaN gives NaN.

    Raises:
        TypeError: if ``x`` has another dtype.
        ValueError: if the strategy is ``token``, ``x`` is empty, its rank or columns do not fit,
            c is not 0 to 1, or the state is not of the shape and dtype of the range.

    Source: SPEC section 5; observers ``minmax``, ``static_minmax`` and ``memoryless_minmax``.

    >>> x = np.array([[1, -2, 3, 4]], np.float32)
    >>> minmax(x, QuantizationArgs(group_size=2))
    (array([[-2.,  3.]], dtype=float32), array([[1., 4.]], dtype=float32))
    """
    lo, hi = _range(x, args)
    if state is None:
        return lo, hi
    before = _matching(state, lo)
    constant = _averaging_constant(args)
    kept = (multiply_scalar(start, 1 - constant) for start in before)
    new = (multiply_scalar(end, constant) for end in (lo, hi))
    low, high = (add(a, b) for a, b in zip(kept, new, strict=True))
    return low, high


def _range(x: Array, args: QuantizationArgs) -> Range:
    x, args = as_array(x, "x"), as_args(args)
    _not_empty(x, tuple(range(x.ndim)))
    rows = x.reshape(1, -1) if x.ndim == 1 else x
    if args.strategy == "tensor":
        return _of_tensor(x)
    if args.strategy == "channel":
        return extremes(rows, -1, keepdims=True)
    if args.strategy in ("group", "tensor_group"):
        return extremes(split_groups(rows, args.group_size), -1)
    if args.strategy == "block":
        return extremes(split_blocks(x, args), (1, 3))
    if args.strategy == "attn_head":
        return _of_heads(x)
    raise ValueError(
        f"strategy: {args.strategy!r} has no static range; "
        "allowed: all but 'token', for which see compute_dynamic_scales_and_zp"
    )


def _of_tensor(x: Array) -> Range:
    lo, hi = extremes(_not_empty(x, tuple(range(x.ndim))), None)
    return lo.reshape(1), hi.reshape(1)


def _of_heads(x: Array) -> Range:
    if x.ndim < 3:
        raise ValueError(
            f"x: shape {x.shape} is not allowed for strategy 'attn_head'; "
            "allowed: (..., heads, tokens, head_dim)"
        )
    others = tuple(axis for axis in range(x.ndim) if axis != x.ndim - 3)
    lo, hi = extremes(x, others)
    return lo.reshape(-1, 1, 1), hi.reshape(-1, 1, 1)


def _not_empty(x: Array, reduced: tuple[int, ...]) -> Array:
    """``x``, if there is an element along the axes that are reduced; there may be no such unit."""
    if 0 in (x.shape[axis] for axis in reduced):
        raise ValueError(f"x: shape {x.shape} is empty and has no range; allowed: >= 1 element")
    return x


def _averaging_constant(args: QuantizationArgs) -> float:
    constant = args.observer_kwargs.get("averaging_constant", 0.01)
    if isinstance(constant, bool) or not isinstance(constant, (int, float)):
        raise TypeError(f"averaging_constant: {constant!r} is not allowed; allowed: a number")
    if not 0 <= constant <= 1:
        raise ValueError(f"averaging_constant: {constant!r} is not allowed; allowed: 0 to 1")
    return constant


def _matching(state: Range, lo: Array) -> Range:
    if not isinstance(state, (tuple, list)) or len(state) != 2:
        raise TypeError(f"state: {state!r} is not allowed; allowed: two arrays, or None")
    before_lo, before_hi = (as_array(part, "state") for part in state)
    for part in (before_lo, before_hi):
        if (part.shape, part.dtype) != (lo.shape, lo.dtype):
            raise ValueError(
                f"state: {part.dtype.name} {part.shape} is not allowed; "
                f"allowed: {lo.dtype.name} {lo.shape}, those of the range of x"
            )
    return before_lo, before_hi
