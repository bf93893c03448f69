"""How far an answer is from the right one is told in what the operation yields."""

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from qparity.conformance.case import Case
from qparity.conformance.distance import codes_yielded, distance
from qparity.reference import QuantizationArgs

FP4, FP8 = QuantizationArgs(num_bits=4, type="float"), QuantizationArgs(type="float")


@pytest.mark.parametrize(
    ("expected", "actual", "dtype", "text"),
    [
        (1, 2, np.int8, "distance 1 code"),
        (-128, 127, np.int8, "distance 255 codes"),
        (448, 416, ml_dtypes.float8_e4m3fn, "distance 1 code"),
        (1, 1 + 2**-23, np.float32, "distance 1 ulp"),
        (-(2**-149), 2**-149, np.float32, "distance 2 ulps"),
        (0.0, -0.0, np.float32, "the sign of zero"),
        (0.0, -0.0, ml_dtypes.float8_e4m3fn, "the sign of zero"),
        (np.nan, 0, np.float16, "one of them NaN"),
        (1, np.nan, ml_dtypes.bfloat16, "one of them NaN"),
    ],
)
def test_distances_are_in_codes_or_ulps(
    expected: float, actual: float, dtype: npt.DTypeLike, text: str
) -> None:
    """Numbers of 8 bits and integers are codes apart, the others ulps; zeros and NaN are said."""
    one, other = np.array([expected, actual], np.float64).astype(dtype)
    assert distance(one, other) == text


@pytest.mark.parametrize(
    ("args", "expected", "actual", "text"),
    [
        (QuantizationArgs(), -1, 0, "distance 1 code"),
        (QuantizationArgs(), -128, 127, "distance 255 codes"),
        (FP4, 4, 6, "distance 1 code"),
        (FP4, 0.5, -0.5, "distance 2 codes"),
        (FP8, 448, 416, "distance 1 code"),
        (FP8, 0.0, -0.0, "the sign of zero"),
        (FP8, 0.0, np.nan, "one of them NaN"),
        (QuantizationArgs(num_bits=4), 1.0, 1 + 2**-23, "distance 1 ulp"),
        (QuantizationArgs(num_bits=4), 7.0, 8.0, "distance 2,097,152 ulps"),
    ],
)
def test_codes_that_come_as_floats_are_codes_apart(
    args: QuantizationArgs, expected: float, actual: float, text: str
) -> None:
    """Where an operation yields codes, codes are counted; what is no code is ulps away."""
    one, other = np.array([expected, actual], np.float32)
    for op in ("quantize", "round_to_quantized_type_args"):
        assert distance(one, other, codes_yielded(Case(op, {"args": args}))) == text


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        (np.dtype(ml_dtypes.float8_e4m3fn), "distance 1 code"),
        (np.dtype(ml_dtypes.float4_e2m1fn), "distance 1 code"),
        (np.dtype(np.int8), "distance 2 codes"),
        (np.dtype(ml_dtypes.bfloat16), "distance 4,194,304 ulps"),
    ],
)
def test_rounding_to_a_dtype_yields_its_codes(dtype: np.dtype, text: str) -> None:
    """4 and 6 are neighbours in fp4, and in float32 far apart whatever they were rounded to."""
    pair = (4, 4.5) if dtype.name == "float8_e4m3fn" else (4, 6)
    one, other = np.array(pair, np.float32)
    case = Case("round_to_quantized_type_dtype", {"dtype": dtype})
    assert distance(one, other, codes_yielded(case)) == text


def test_other_operations_yield_numbers() -> None:
    """What ``dequantize`` returns is counted in ulps."""
    assert codes_yielded(Case("dequantize", {"args": FP8})) is None
