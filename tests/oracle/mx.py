"""Power-of-two scales of the MX formats, from the bits of amax."""

from .args import Args
from .arithmetic import rounded
from .formats import FORMATS, power_of_two
from .number import INF, NAN, Number, exactly
from .rounding import Scalar, encode, floor_log2

CODE_OF_INF = 255


def mx_code(amax: Scalar, num_bits: int) -> int | None:
    """The exponent code of the scale for amax >= 0; None if amax is NaN.

    field = (bits + 2^(M-m-1)) >> M;  field 0: 0;  inf: 255;
    else clip(127 + field - B - offset, 0, 254)
    """
    if amax.number.is_nan:
        return None
    if amax.number.is_inf:
        return CODE_OF_INF
    row = FORMATS[amax.dtype]
    m, offset = {4: (1, 2), 6: (3, 2), 8: (1, 8)}[num_bits]
    bits = encode(amax.dtype, amax.number)
    field = (bits + (1 << (row.mantissa_bits - m - 1))) >> row.mantissa_bits
    if field == 0:
        return 0
    return min(max(127 + field - row.bias - offset, 0), 254)


def scale_of_code(code: int | None, dtype: str) -> Scalar:
    """2^(code - 127) in dtype; 255 is inf, None is NaN."""
    if code is None:
        return Scalar(NAN, dtype)
    if code == CODE_OF_INF:
        return Scalar(INF, dtype)
    return rounded(exactly(power_of_two(code - 127)), dtype)


def mx_scale(amax: Scalar, args: Args) -> Scalar:
    """The scale for amax, in its dtype; not yet guarded against zero."""
    return scale_of_code(mx_code(amax, args.num_bits), amax.dtype)


def stored_code(scale: Number) -> int:
    """The uint8 code that a scale is stored as: its exponent + 127; inf and NaN are 255."""
    if scale.is_nan or scale.is_inf:
        return CODE_OF_INF
    return floor_log2(scale.magnitude) + 127
