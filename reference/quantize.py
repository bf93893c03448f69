"""Quantize, dequantize, and both without leaving floats (SPEC section 7)."""

import numpy as np

from .args import QuantizationArgs
from .arithmetic import add, cast, divide, multiply, quiet, subtract
from .dtypes import CODE_DTYPES, FLOAT32, WORKING_DTYPES, Array, as_dtype, promote
from .formats import FloatFormat, IntFormat, float_format
from .operands import Operands, operands
from .rounding import round_to_code

__all__ = ["dequantize", "fake_quantize", "quantize"]


@quiet
def quantize(
    x: Array,
    scale: Array,
    zero_point: Array | None,
    args: QuantizationArgs,
    *,
    dtype: np.dtype | None = None,
    g_idx: Array | None = None,
    global_scale: Array | None = None,
    compute_dtype: np.dtype | None = None,
) -> Array:
    """The codes of ``x``: ``round(clamp(x / (scale / global_scale) + zero_point))``.

    Args:
        x: float16, bfloat16, float32 or float64.
        scale: as from ``calculate_qparams``: broadcasts to ``x``, or for the groups (..., groups)
            or one per row, for ``block`` one per block.
        zero_point: shaped like the scale, or None, which is not the same as 0: -0.0 + 0 is +0.
        args: format and strategy.
        dtype: of the codes: int8 for integers, a float of 16 bits or more, or one of 8 bits that
            holds all codes. None: floats, in the dtype of ``x`` for the groups, else in the
            working dtype.
        g_idx: group of each column, for the groups; a negative entry means not given.
        global_scale: one float that the scale is divided by first, or None.
        compute_dtype: None: each operation is rounded to the working dtype. float32: they are
            evaluated in float32, and only the code is rounded.

    Returns:
        The codes, of the shape of ``x`` (0-D becomes (1,)). Out of range saturates, inf included.
        NaN (also 0/0 and inf/inf) becomes the code of +0, but stays NaN in fp8. -0.0 stays where
        the codes are floats and no zero-point is added, except in fp4, where it becomes +0.

    Raises:
        TypeError: if an array has a dtype that its field may not have.
        ValueError: if shapes do not fit, or ``dtype`` cannot hold the codes.

    Source: SPEC section 7; upstream ``quantize``.

    >>> x, scale = np.array([0.5, 1.5, 2.5, -9], np.float32), np.ones(1, np.float32)
    >>> quantize(x, scale, None, QuantizationArgs(num_bits=4), dtype=np.dtype(np.int8))
    array([ 0,  2,  2, -8], dtype=int8)
    """
    ops = operands(x, scale, zero_point, args, g_idx=g_idx, global_scale=global_scale, name="x")
    returned = ops.x.dtype if ops.grouped else _working_dtype(ops)
    if dtype is not None:
        returned = _code_dtype(dtype, args)
    return ops.evaluate(lambda rows: _codes(rows, args, compute_dtype, returned))


@quiet
def dequantize(
    x_q: Array,
    scale: Array,
    zero_point: Array | None = None,
    args: QuantizationArgs | None = None,
    *,
    dtype: np.dtype | None = None,
    g_idx: Array | None = None,
    global_scale: Array | None = None,
) -> Array:
    """The values of codes: ``(x_q - zero_point) * s``, s = scale / global_scale.

    Args:
        x_q: codes: int8, float8_e4m3fn, float8_e5m2, or floats.
        scale: as for ``quantize``.
        zero_point: shaped like the scale, or None.
        args: format and strategy; required.
        dtype: of the result, for the groups only; the other strategies ignore it, as upstream does.
        g_idx: as for ``quantize``.
        global_scale: as for ``quantize``.

    Returns:
        The values, of the shape of ``x_q``, evaluated in the dtype of s, and returned in it; the
        groups return ``dtype``, or the dtype of ``scale``. NaN codes give NaN; overflow gives inf.

    Raises:
        TypeError: if an array has a dtype that its field may not have, or ``args`` is missing.
        ValueError: if shapes do not fit.

    Source: SPEC section 7; upstream ``dequantize``.

    >>> codes, scale = np.array([3, -8], np.int8), np.array([0.25], np.float32)
    >>> dequantize(codes, scale, np.array([1], np.int8), QuantizationArgs(num_bits=4))
    array([ 0.5 , -2.25], dtype=float32)
    """
    if args is None:
        raise TypeError("args: None is not allowed; allowed: QuantizationArgs")
    ops = operands(x_q, scale, zero_point, args, g_idx=g_idx, global_scale=global_scale, name="x_q")
    returned = _scale_dtype(ops)
    if ops.grouped:
        returned = ops.scale.dtype if dtype is None else as_dtype(dtype, "dtype", WORKING_DTYPES)
    return ops.evaluate(lambda rows: cast(_values(rows.x, rows), returned))


@quiet
def fake_quantize(
    x: Array,
    scale: Array,
    zero_point: Array | None,
    args: QuantizationArgs,
    *,
    g_idx: Array | None = None,
    global_scale: Array | None = None,
    compute_dtype: np.dtype | None = None,
) -> Array:
    """The values that ``x`` has after quantization: ``dequantize(quantize(x))`` in floats.

    Args:
        x: as for ``quantize``, and so the other arguments.
        scale: as for ``quantize``.
        zero_point: as for ``quantize``.
        args: format and strategy.
        g_idx: as for ``quantize``.
        global_scale: as for ``quantize``.
        compute_dtype: as for ``quantize``; the second half is the same for both.

    Returns:
        The values, of the shape of ``x``, in the dtype of s = scale / global_scale; the groups
        return the dtype of ``x``. NaN, zero and overflow as in the two halves.

    Raises:
        TypeError: if an array has a dtype that its field may not have.
        ValueError: if shapes do not fit.

    Source: SPEC section 7; upstream ``fake_quantize``.

    >>> x, scale = np.array([0.3, 5.5], np.float32), np.array([0.5], np.float32)
    >>> fake_quantize(x, scale, None, QuantizationArgs(num_bits=4, type="float"))
    array([0.25, 3.  ], dtype=float32)
    """
    ops = operands(x, scale, zero_point, args, g_idx=g_idx, global_scale=global_scale, name="x")
    working = _working_dtype(ops)
    returned = ops.x.dtype if ops.grouped else _scale_dtype(ops)

    def values(rows: Operands) -> Array:
        return cast(_values(_codes(rows, args, compute_dtype, working), rows), returned)

    return ops.evaluate(values)


def _codes(
    ops: Operands, args: QuantizationArgs, compute_dtype: np.dtype | None, dtype: np.dtype
) -> Array:
    """Codes in a dtype that holds them: y = x / s + zero_point, clamped, rounded."""
    x, zero_point = ops.x, ops.zero_point
    if compute_dtype is None:
        zero_point = None if zero_point is None else cast(zero_point, x.dtype)
        s = _effective_scale(ops)
    else:
        as_dtype(compute_dtype, "compute_dtype", (FLOAT32,))
        x, scale = cast(x, FLOAT32), cast(ops.scale, FLOAT32)
        zero_point = None if zero_point is None else cast(zero_point, FLOAT32)
        whole = ops.global_scale
        s = scale if whole is None else divide(scale, cast(whole, FLOAT32))
    y = divide(x, s)
    if zero_point is not None:
        y = add(y, zero_point)
    return round_to_code(y, args.code_format, dtype)


def _values(codes: Array, ops: Operands) -> Array:
    """(codes - zero_point) * s, each operand in the dtype of s."""
    s = _effective_scale(ops)
    values = cast(codes, s.dtype)
    if ops.zero_point is not None:
        values = subtract(values, cast(ops.zero_point, s.dtype))
    return multiply(values, s)


def _effective_scale(ops: Operands) -> Array:
    """s = scale / global_scale."""
    return ops.scale if ops.global_scale is None else divide(ops.scale, ops.global_scale)


def _scale_dtype(ops: Operands) -> np.dtype:
    whole = () if ops.global_scale is None else (ops.global_scale.dtype,)
    return promote(ops.scale.dtype, *whole)


def _working_dtype(ops: Operands) -> np.dtype:
    return promote(ops.x.dtype, _scale_dtype(ops))


def _code_dtype(dtype: np.dtype, args: QuantizationArgs) -> np.dtype:
    """The dtype that codes are stored in, which must hold them all."""
    target, row = as_dtype(dtype, "dtype", CODE_DTYPES), args.code_format
    if not _holds(target, row):
        allowed = [known.name for known in CODE_DTYPES if _holds(known, row)]
        raise ValueError(
            f"dtype: {target.name} cannot hold the codes of {row.name}; allowed: {allowed}"
        )
    return target


def _holds(dtype: np.dtype, row: FloatFormat | IntFormat) -> bool:
    """Whether every code of a format is a number of a dtype.

    A number of p significant bits is one of a float of p or more, if it is no larger than the
    largest and a multiple of the smallest. Of integers, 2^p is the first that 2^p + 1 is not.
    """
    if dtype.kind == "i":
        return isinstance(row, IntFormat) and row.max <= np.iinfo(dtype).max
    if dtype.itemsize > 1:
        # 8 significant bits or more
        return True
    target = float_format(dtype.name)
    if isinstance(row, IntFormat):
        return max(-row.min, row.max) <= 2.0 ** (target.mantissa_bits + 1)
    return (
        row.mantissa_bits <= target.mantissa_bits
        and row.max <= target.max
        and row.smallest_subnormal >= target.smallest_subnormal
    )
