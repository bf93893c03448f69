"""quantize, dequantize and fake_quantize for one element with its scale and zero-point."""

from .args import GROUPS, Args, calculate_range
from .arithmetic import add, divide, multiply, promote, subtract
from .rounding import Scalar, cast, round_to_quantized_type_args


def effective_scale(scale: Scalar, global_scale: Scalar | None) -> Scalar:
    """The s of the formulas: scale / global_scale."""
    return scale if global_scale is None else divide(scale, global_scale)


def code_of(
    x: Scalar,
    scale: Scalar,
    zero_point: Scalar | None,
    args: Args,
    global_scale: Scalar | None,
    compute_dtype: str | None,
) -> Scalar:
    """The code as a float, in the working dtype of x / s."""
    s = effective_scale(scale, global_scale)
    result_dtype = promote(x.dtype, s.dtype)
    if compute_dtype is not None:
        x = cast(x, compute_dtype)
        scale = cast(scale, compute_dtype)
        if global_scale is not None:
            global_scale = cast(global_scale, compute_dtype)
        s = effective_scale(scale, global_scale)
    y = divide(x, s)
    if zero_point is not None:
        y = add(y, cast(zero_point, x.dtype))
    q_min, q_max = calculate_range(args)
    return cast(round_to_quantized_type_args(y, args, q_min, q_max), result_dtype)


def quantize(
    x: Scalar,
    scale: Scalar,
    zero_point: Scalar | None,
    args: Args,
    *,
    dtype: str | None = None,
    global_scale: Scalar | None = None,
    compute_dtype: str | None = None,
) -> Scalar:
    """The code: in `dtype`, else in x's dtype for groups, else in the working dtype."""
    code = code_of(x, scale, zero_point, args, global_scale, compute_dtype)
    if dtype is not None:
        return cast(code, dtype)
    return cast(code, x.dtype) if args.strategy in GROUPS else code


def value_of(
    code: Scalar, scale: Scalar, zero_point: Scalar | None, global_scale: Scalar | None
) -> Scalar:
    """(code - zp) * s, in the dtype of s."""
    s = effective_scale(scale, global_scale)
    difference = cast(code, s.dtype)
    if zero_point is not None:
        difference = subtract(difference, cast(zero_point, s.dtype))
    return multiply(difference, s)


def dequantize(
    x_q: Scalar,
    scale: Scalar,
    zero_point: Scalar | None,
    args: Args,
    *,
    dtype: str | None = None,
    global_scale: Scalar | None = None,
) -> Scalar:
    """The value of a code; for groups in `dtype` or the dtype of scale, else that of s."""
    value = value_of(x_q, scale, zero_point, global_scale)
    if args.strategy in GROUPS:
        return cast(value, dtype if dtype is not None else scale.dtype)
    return value


def fake_quantize(
    x: Scalar,
    scale: Scalar,
    zero_point: Scalar | None,
    args: Args,
    *,
    global_scale: Scalar | None = None,
    compute_dtype: str | None = None,
) -> Scalar:
    """Quantize and dequantize; for groups in x's dtype, else in that of s."""
    code = code_of(x, scale, zero_point, args, global_scale, compute_dtype)
    value = value_of(code, scale, zero_point, global_scale)
    return cast(value, x.dtype) if args.strategy in GROUPS else value
