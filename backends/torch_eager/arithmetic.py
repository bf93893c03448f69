"""Elementary operations, each rounded once to the working dtype (SPEC section 4).

Operands are tensors of at least one dimension on one device. torch evaluates float16 and bfloat16
in float32 and rounds the result once, on CPU and CUDA alike; nothing here is fused or compiled.
"""

import torch

from .dtypes import cast, constant, evaluation_dtype


def divide(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``a / b``, a true division, rounded once to the promoted dtype."""
    return torch.div(*promoted(a, b))


def multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``a * b``, rounded once to the promoted dtype."""
    return torch.mul(*promoted(a, b))


def add(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``a + b``, rounded once to the promoted dtype."""
    return torch.add(*promoted(a, b))


def subtract(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``a - b``, rounded once to the promoted dtype."""
    return torch.sub(*promoted(a, b))


def promoted(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both operands in the working dtype, in which they are exact."""
    working = torch.promote_types(a.dtype, b.dtype)
    return a.to(working), b.to(working)


def multiply_number(x: torch.Tensor, number: float) -> torch.Tensor:
    """``x * number``: the number stays in float32 (float64), the product is rounded once."""
    wide = evaluation_dtype(x.dtype)
    # to float32, then to the dtype of x
    return cast(x.to(wide) * constant(number, wide, x.device), x.dtype)


def divide_number(number: float, x: torch.Tensor) -> torch.Tensor:
    """``number / x`` as torch defines it: the reciprocal, rounded, times the number, rounded."""
    # two roundings to the dtype of x
    return multiply_number(divide(constant(1.0, x.dtype, x.device), x), number)


def clamp(
    x: torch.Tensor, low: float, high: float, out: torch.Tensor | None = None
) -> torch.Tensor:
    """``x`` limited to ``[low, high]``; the bounds are rounded to its dtype, NaN and -0.0 stay.

    The result is written to ``out``, which may be ``x``, if given.
    """
    host = torch.device("cpu")
    lowest, highest = (float(constant(bound, x.dtype, host).item()) for bound in (low, high))
    if lowest != 0 != highest:
        return torch.clamp(x, lowest, highest, out=out)
    # beside a bound of zero torch does not say which zero it takes
    limited = x.masked_fill(x < lowest, lowest).masked_fill(x > highest, highest)
    return limited if out is None else out.copy_(limited)
