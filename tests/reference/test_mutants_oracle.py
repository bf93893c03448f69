"""Planted faults: each comparison with the oracle fails once one side is wrong."""

from collections.abc import Callable
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from qparity.reference import QuantizationArgs, generate_gparam, pack_to_int32
from qparity.reference import quantize as reference_quantize
from tests.oracle import arithmetic, mx, number, packing, qparams, quantize, rounding
from tests.oracle.formats import FORMATS, Format, magnitude
from tests.oracle.number import ONE, Number, exactly
from tests.oracle.rounding import Scalar
from tests.reference import test_qparams_oracle as qparams_tests
from tests.reference import test_quantize_oracle as quantize_tests
from tests.reference import test_rounding_oracle as rounding_tests
from tests.reference.oracle_bridge import array_of, assert_same, differences, dtype_of, scalars_of
from tests.reference.oracle_cases import Setting, case_of
from tests.reference.oracle_inputs import any_code, drawn

Check = Callable[[], None]


def round_to_e4m3() -> None:
    """Rounding of float32 and float64 to e4m3."""
    for name in ("float32", "float64"):
        rounding_tests.check_dtype(
            rounding_tests.inputs_for_float("float8_e4m3fn", name), "float8_e4m3fn"
        )


def round_to_int4() -> None:
    """Rounding of float32 to int4."""
    rounding_tests.test_rounding_to_a_quantized_type("int", 4, "float32")


def round_to_fp4() -> None:
    """Rounding of float32 to fp4."""
    rounding_tests.test_rounding_to_a_quantized_type("float", 4, "float32")


def linear_qparams() -> None:
    """Asymmetric and symmetric qparams of bfloat16, with a scale in e4m3."""
    for symmetric in (True, False):
        args = QuantizationArgs(symmetric=symmetric, scale_dtype=dtype_of("float8_e4m3fn"))
        for seed in range(10):
            qparams_tests.check(*qparams_tests.ranges("bfloat16", args, Random(seed)), args)


def mx_qparams() -> None:
    """MXFP4 qparams of float32."""
    args = qparams_tests.mx_args(4)
    qparams_tests.check(*qparams_tests.ranges("float32", args, Random(1)), args)


def global_scales() -> None:
    """Global scales of float32."""
    rng = Random(2)
    for _ in range(40):
        low, high = drawn(any_code, "float32", (1,), rng), drawn(any_code, "float32", (1,), rng)
        expected = qparams.generate_gparam(scalars_of(low)[0], scalars_of(high)[0])
        assert_same(generate_gparam(low, high), [expected], low, high)


def quantize_int8() -> None:
    """int8 and fp8 codes and values of float32 and bfloat16 at every boundary."""
    for name in ("float32", "bfloat16"):
        for kind in ("int", "float"):
            quantize_tests.test_every_boundary_at_a_scale_of_a_third(kind, 8, None, name)


def quantize_with_zero_point() -> None:
    """int8 codes of bfloat16 with an int8 zero-point."""
    args = QuantizationArgs()
    for seed in range(20):
        setting = Setting(args, "tensor", "bfloat16", "bfloat16", "int8", None, seed)
        case = case_of(setting)
        codes = reference_quantize(case.x, case.scale, case.zero_point, args)
        case.check(codes, quantize.quantize)


def pack_int3() -> None:
    """Packing of int3."""
    value = np.arange(-4, 4, dtype=np.int8).reshape(1, 8)
    assert pack_to_int32(value, 3).tolist() == packing.pack_to_int32(value.tolist(), 3)


def half_away(fmt: Format, value: Fraction) -> int:
    """The nearest code, the larger of two as near."""
    code = true_nearest_even(fmt, value)
    return code + (value * 2 == magnitude(fmt, code) + magnitude(fmt, code + 1))


def toward_zero(fmt: Format, value: Fraction) -> int:
    """The largest code that is not larger."""
    code = true_nearest_even(fmt, value)
    return code - (magnitude(fmt, code) > value)


def integer_half_away(x: Number) -> Number:
    """The nearest integer, the larger of two as near."""
    if x.kind != "finite":
        return true_round_to_integer(x)
    return Number("finite", x.negative, Fraction(int(x.magnitude + Fraction(1, 2))))


def cast_directly(x: Scalar, dtype: str) -> Scalar:
    """A cast in one rounding, float64 too."""
    if dtype not in FORMATS:
        return true_cast(x, dtype)
    return Scalar(rounding.round_to_format(FORMATS[dtype], x.number), dtype)


def true_division(s: Number, x: Scalar) -> Scalar:
    """The quotient s / x, rounded once."""
    return arithmetic.rounded(number.divide(s, x.number), x.dtype)


def by_reciprocal(a: Scalar, b: Scalar) -> Scalar:
    """The quotient as a rounded reciprocal times the dividend."""
    return arithmetic.multiply(a, arithmetic.divide(Scalar(ONE, b.dtype), b))


def floor_exponent(amax: Scalar, num_bits: int) -> int | None:
    """The exponent code without the rounding up."""
    if amax.number.kind != "finite" or amax.number.is_zero:
        return true_mx_code(amax, num_bits)
    offset = 8 if num_bits == 8 else 2
    return min(max(127 + rounding.floor_log2(amax.number.magnitude) - offset, 0), 254)


def in_float32(a: Scalar, b: Scalar) -> Scalar:
    """An operation that keeps float32 where bfloat16 is due."""
    return arithmetic.divide(rounding.cast(a, "float32"), rounding.cast(b, "float32"))


def big_endian(codes: list[int], bits: int) -> int:
    """A bit string that begins with the last code."""
    return true_bit_string(codes[::-1], bits)


def unchanged(a: Scalar, b: Scalar) -> Scalar:
    """A sum that forgets what is added."""
    return arithmetic.add(a, Scalar(number.ZERO, b.dtype))


true_nearest_even = rounding.nearest_even
true_round_to_integer = rounding.round_to_integer
true_cast = rounding.cast
true_mx_code = mx.mx_code
true_bit_string = packing.bit_string

MUTANTS: dict[str, tuple[object, str, object, Check]] = {
    "ties away from zero": (rounding, "nearest_even", half_away, round_to_e4m3),
    "rounding toward zero": (rounding, "nearest_even", toward_zero, round_to_e4m3),
    "fp4 ties away from zero": (rounding, "nearest_even", half_away, round_to_fp4),
    "fp4 keeps a negative zero": (rounding, "ZERO", number.negate(number.ZERO), round_to_fp4),
    "integer ties away from zero": (rounding, "round_to_integer", integer_half_away, round_to_int4),
    "float64 not by way of float32": (rounding, "cast", cast_directly, round_to_e4m3),
    "s / x as a division": (qparams, "divide_scalar", true_division, global_scales),
    "zero-point by a reciprocal": (qparams, "divide", by_reciprocal, linear_qparams),
    "scale by half the range": (qparams, "exactly", lambda n: exactly(n + 1), linear_qparams),
    "MX without rounding up": (mx, "mx_code", floor_exponent, mx_qparams),
    "x times a reciprocal": (quantize, "divide", by_reciprocal, quantize_int8),
    "x / s kept in float32": (quantize, "divide", in_float32, quantize_int8),
    "zero-point forgotten": (quantize, "add", unchanged, quantize_with_zero_point),
    "codes packed backwards": (packing, "bit_string", big_endian, pack_int3),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check passes, and fails on a difference once a fault is planted in the oracle."""
    module, attribute, mutant, check = MUTANTS[name]
    check()
    monkeypatch.setattr(module, attribute, mutant)
    with pytest.raises(AssertionError):
        check()


def test_a_difference_shows_the_bits() -> None:
    """A difference names the place, the bits given, the bits expected, and those of the input."""
    x = array_of([0x3FC0_0000, 0x4020_0000], "float32")
    assert differences(x, scalars_of(x), x) == []
    other = scalars_of(array_of([0x3FC0_0000, 0x4020_0001], "float32"))
    assert differences(x, other, x) == [
        "[1] inputs float32:0x40200000: float32 0x40200000, expected 0x40200001"
    ]


def test_signed_zeros_differ_and_nans_do_not() -> None:
    """-0.0 is not 0.0, any NaN is any NaN, and another dtype or length is a difference."""
    zeros, nans = array_of([0, 1 << 31], "float32"), array_of([0x7FC0_0000, 0xFF80_0001], "float32")
    assert len(differences(zeros, scalars_of(zeros)[::-1])) == 2
    assert differences(nans, scalars_of(nans)[::-1]) == []
    assert differences(nans, scalars_of(zeros))
    assert differences(zeros, scalars_of(zeros.astype(np.float64)))
    assert differences(zeros, scalars_of(zeros)[:1])
