"""Ranges of tensors: static, running, and per call (SPEC section 5)."""

from collections.abc import Iterator

import torch

from qparity.reference import QuantizationArgs

from .arithmetic import add, multiply_number
from .dtypes import as_args, as_tensor, constant
from .layout import GROUPS, row_slices, split_blocks, split_groups
from .qparams import calculate_qparams

Range = tuple[torch.Tensor, torch.Tensor]


def compute_dynamic_scales_and_zp(
    x: torch.Tensor, args: QuantizationArgs, global_scale: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
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
    """
    x, args = as_tensor(x, "x"), as_args(args)
    if args.strategy == "token":
        reduced = tuple(range(2, x.ndim)) if x.ndim > 2 else (x.ndim - 1,)
        observed = _extremes(_not_empty(x, reduced), reduced, keepdim=True)
    elif args.strategy == "tensor":
        observed = _of_tensor(x)
    elif args.strategy in GROUPS:
        observed = _extremes(split_groups(x, args.group_size), (-1,))
    else:
        raise ValueError(
            f"strategy: {args.strategy!r} is not dynamic; "
            "allowed: 'token', 'tensor', 'group', 'tensor_group'"
        )
    return calculate_qparams(*observed, args, global_scale)


def memoryless_minmax(x: torch.Tensor, args: QuantizationArgs, state: Range | None = None) -> Range:
    """The range of ``x``, whatever came before; see ``minmax`` for shapes and errors."""
    del state
    return _range(x, args)


def static_minmax(x: torch.Tensor, args: QuantizationArgs, state: Range | None = None) -> Range:
    """The range of ``x`` and of all before it, the ``state``; see ``minmax``.

    NaN stays once it is there. Source: SPEC section 5.
    """
    lo, hi = _range(x, args)
    if state is None:
        return lo, hi
    before_lo, before_hi = _matching(state, lo)
    low = torch.where((before_lo < lo) | before_lo.isnan(), before_lo, lo)
    high = torch.where((before_hi > hi) | before_hi.isnan(), before_hi, hi)
    return low, high


def minmax(x: torch.Tensor, args: QuantizationArgs, state: Range | None = None) -> Range:
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
    """
    lo, hi = _range(x, args)
    if state is None:
        return lo, hi
    before_lo, before_hi = _matching(state, lo)
    constant_of = args.observer_kwargs.get("averaging_constant", 0.01)
    if isinstance(constant_of, bool) or not isinstance(constant_of, (int, float)):
        raise TypeError(f"averaging_constant: {constant_of!r} is not allowed; allowed: a number")
    if not 0 <= constant_of <= 1:
        raise ValueError(f"averaging_constant: {constant_of!r} is not allowed; allowed: 0 to 1")
    return _average(before_lo, lo, constant_of), _average(before_hi, hi, constant_of)


def _average(before: torch.Tensor, now: torch.Tensor, weight: float) -> torch.Tensor:
    # the two products and the sum, each to the dtype of the range
    return add(multiply_number(before, 1 - weight), multiply_number(now, weight))


def _range(x: torch.Tensor, args: QuantizationArgs) -> Range:
    x, args = as_tensor(x, "x"), as_args(args)
    _not_empty(x, tuple(range(x.ndim)))
    rows = x.reshape(1, -1) if x.ndim == 1 else x
    if args.strategy == "tensor":
        return _of_tensor(x)
    if args.strategy == "channel":
        return _extremes(rows, (-1,), keepdim=True)
    if args.strategy in GROUPS:
        return _extremes(split_groups(rows, args.group_size), (-1,))
    if args.strategy == "block":
        return _extremes(split_blocks(x, args), (1, 3))
    if args.strategy == "attn_head":
        return _of_heads(x)
    raise ValueError(
        f"strategy: {args.strategy!r} has no static range; "
        "allowed: all but 'token', for which see compute_dynamic_scales_and_zp"
    )


def _of_tensor(x: torch.Tensor) -> Range:
    lo, hi = torch.aminmax(_not_empty(x, tuple(range(x.ndim))))
    return _positive_zero(lo.reshape(1)), _positive_zero(hi.reshape(1))


def _of_heads(x: torch.Tensor) -> Range:
    if x.ndim < 3:
        raise ValueError(
            f"x: shape {tuple(x.shape)} is not allowed for strategy 'attn_head'; "
            "allowed: (..., heads, tokens, head_dim)"
        )
    others = tuple(axis for axis in range(x.ndim) if axis != x.ndim - 3)
    lo, hi = _extremes(x, others)
    return lo.reshape(-1, 1, 1), hi.reshape(-1, 1, 1)


def _extremes(x: torch.Tensor, axes: tuple[int, ...], keepdim: bool = False) -> Range:
    """The smallest and the largest value, exactly; a NaN among them gives NaN, a zero is +0."""
    found = [
        (torch.amin(part, axes, keepdim), torch.amax(part, axes, keepdim))
        for part in (_wide_pieces(x) if 0 not in axes and x.numel() else (x,))
    ]
    lo, hi = (
        torch.cat(parts) if len(parts) > 1 else parts[0] for parts in zip(*found, strict=True)
    )
    return _positive_zero(lo.to(x.dtype)), _positive_zero(hi.to(x.dtype))


def _wide_pieces(x: torch.Tensor) -> Iterator[torch.Tensor]:
    """``x`` in slices of rows; 16-bit floats on the CPU in float32, which has vector reductions."""
    narrow = x.is_cpu and x.itemsize == 2
    for start, count in row_slices(x):
        piece = x.narrow(0, start, count)
        yield piece.to(torch.float32) if narrow else piece


def _positive_zero(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x == 0, constant(0.0, x.dtype, x.device), x)


def _not_empty(x: torch.Tensor, reduced: tuple[int, ...]) -> torch.Tensor:
    """``x``, if there is an element along the axes that are reduced; there may be no such unit."""
    if 0 in (x.shape[axis] for axis in reduced):
        raise ValueError(
            f"x: shape {tuple(x.shape)} is empty and has no range; allowed: >= 1 element"
        )
    return x


def _matching(state: Range, lo: torch.Tensor) -> Range:
    if not isinstance(state, (tuple, list)) or len(state) != 2:
        raise TypeError(f"state: {state!r} is not allowed; allowed: two tensors, or None")
    before_lo, before_hi = (as_tensor(part, "state") for part in state)
    for part in (before_lo, before_hi):
        if (part.shape, part.dtype) != (lo.shape, lo.dtype):
            raise ValueError(
                f"state: {part.dtype} {tuple(part.shape)} is not allowed; "
                f"allowed: {lo.dtype} {tuple(lo.shape)}, those of the range of x"
            )
    return before_lo, before_hi
