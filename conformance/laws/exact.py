"""Laws of how far codes and values may lie from the truth, in exact rational arithmetic."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from ..values import codes_of
from .ask import Ask
from .codes import of_element, quantized
from .law import Law, Sample, Violation, everywhere
from .samples import code_sample, quantize_sample
from .steps import FLOAT32, FLOAT64, through_float32, unit_roundoff, working_dtype
from .units import per_element

__all__ = ["EXACT"]


@dataclass(frozen=True, slots=True)
class Element:
    """The operands of one element as exact numbers; ``s`` is scale / global_scale."""

    x: Fraction
    s: Fraction
    zero_point: Fraction

    @property
    def quotient(self) -> Fraction:
        """x / s."""
        return self.x / self.s


@lru_cache(maxsize=16)
def _codes(args: QuantizationArgs) -> list[Fraction]:
    return [Fraction(float(code)) for code in codes_of(args.code_format)]


def _half_step(ask: Ask, sample: Sample) -> Violation | None:
    """|x/s + zp - code| <= the distance to the nearest code + 2 delta.

    delta bounds the roundings of s (if there is a global scale), x / s, the sum, and that of
    float64 to float32 on the way to fp6 and fp8. It is 0 where all of them are exact, and where
    x/s + zp is beyond the last code by more than delta.
    """
    codes = quantized(ask, sample)
    every = _codes(sample.args)
    for index, element in _elements(sample, ~_surely_nearest(sample, codes)):
        target = element.quotient + element.zero_point
        delta = _delta(sample, element)
        if target - delta >= every[-1] or target + delta <= every[0]:
            delta = Fraction(0)
        code = codes[index]
        allowed = _distance(target, every) + 2 * delta
        if not np.isfinite(code) or abs(target - Fraction(float(code))) > allowed:
            text = f"x / s + zero_point = {float(target):.9g} has a nearer code"
            return Violation(text, of_element(sample, index) | {"code": np.asarray(code)})
    return None


def _value_of_code(ask: Ask, sample: Sample) -> Violation | None:
    """|value - (code - zp) s| <= ((1 + u)^n - 1) |(code - zp) s| if n of them round."""
    inputs = {"x_q": sample.arrays["x"], "args": sample.args, **sample.scales}
    values = np.asarray(ask("dequantize", **inputs))
    working, returned = working_dtype(sample), values.dtype
    for index, element in _elements(sample, ~_surely_close(sample, values)):
        offset = element.x - element.zero_point
        exact = offset * element.s
        steps = [(element.s, working)] if sample.whole else []
        steps += [(offset, working), (exact, working)]
        steps += [(exact, returned)] if returned != working else []
        allowed = Fraction(1)
        for number, dtype in steps:
            if allowed != 1 or not _held(number, dtype):
                allowed *= 1 + Fraction(unit_roundoff(dtype))
        value = values[index]
        slack = abs(exact) * (allowed - 1)
        if not np.isfinite(value) or abs(Fraction(float(value)) - exact) > slack:
            text = f"(code - zero_point) * s = {float(exact):.9g}"
            shown = of_element(sample, index)
            shown = {"code": shown.pop("x"), **shown, "value": np.asarray(value)}
            return Violation(text, shown)
    return None


def _operands(sample: Sample) -> tuple[Array, Array, Array]:
    """x, the scale and the zero-point of every element in float64."""
    shape = sample.arrays["x"].shape
    spread = {
        key: per_element(sample.arrays[key].astype(np.float64), shape, sample.args)
        for key in ("scale", "zero_point")
        if key in sample.arrays
    }
    x = sample.arrays["x"].astype(np.float64)
    return x, spread["scale"], spread.get("zero_point", np.zeros(shape))


def _whole(sample: Sample) -> float:
    """The global scale, or 1."""
    return float(sample.whole["global_scale"][0]) if sample.whole else 1.0


def _surely_nearest(sample: Sample, codes: Array) -> Array:
    """Where float64, with its own error counted in, already proves that a code is nearest."""
    x, scale, zero_point = _operands(sample)
    s = scale / _whole(sample)
    target = x / s + zero_point
    error = 2.0**-50 * (np.abs(x / s) + np.abs(zero_point))
    values = codes_of(sample.args.code_format)
    middles = np.concatenate([[-np.inf], (values[:-1] + values[1:]) / 2, [np.inf]])
    code = codes.astype(np.float64)
    place = np.clip(np.searchsorted(values, code), 0, len(values) - 1)
    inside = (target - error > middles[place]) & (target + error < middles[place + 1])
    return np.asarray(inside & (values[place] == code))


def _surely_close(sample: Sample, values: Array) -> Array:
    """Where float64 already proves that a value is within a quarter of an ulp of the truth.

    If the value's dtype holds the truth, nothing else is so close to it.
    """
    code, scale, zero_point = _operands(sample)
    truth = (code - zero_point) * (scale / _whole(sample))
    if values.dtype == FLOAT64:
        return np.zeros(values.shape, np.bool_)
    close = np.abs(values.astype(np.float64) - truth) <= unit_roundoff(values.dtype) / 4 * np.abs(
        truth
    )
    return np.asarray(close)


def _elements(sample: Sample, wanted: Array) -> Iterator[tuple[tuple[int, ...], Element]]:
    """The exact operands of the wanted elements, by index."""
    x, scales, zero_points = _operands(sample)
    whole = Fraction(_whole(sample))
    for place in np.argwhere(wanted):
        index = tuple(int(i) for i in place)
        numbers = (Fraction(float(a[index])) for a in (x, scales, zero_points))
        number, scale, zero_point = numbers
        yield index, Element(number, scale / whole, zero_point)


def _delta(sample: Sample, element: Element) -> Fraction:
    """How far the number that is rounded to a code may lie from x / s + zero_point."""
    working = working_dtype(sample)
    u, tiny = _roundoffs(working)
    quotient = element.quotient
    exact_s = not sample.whole or _held(element.s, working)
    delta = Fraction(0)
    if not exact_s:
        delta += abs(quotient) * u / (1 - u)
    if not (exact_s and _held(quotient, working)):
        delta += (abs(quotient) + delta) * u + tiny
    total = quotient + element.zero_point
    if delta or not _held(total, working):
        delta += (abs(total) + delta) * u * bool(element.zero_point)
    narrow = through_float32(sample.args) and working == FLOAT64
    if narrow and (delta or not _held(total, FLOAT32)):
        single = Fraction(unit_roundoff(FLOAT32))
        delta += (abs(total) + delta) * single + Fraction(2) ** -150
    return delta


def _held(number: Fraction, dtype: np.dtype) -> bool:
    """Whether a dtype holds a number: few enough bits, none of them too high or too low."""
    numerator, denominator = abs(number.numerator), number.denominator
    if numerator == 0:
        return True
    if denominator & (denominator - 1):
        return False
    trailing = (numerator & -numerator).bit_length() - 1
    lowest, precision, highest = _field(dtype)
    last = trailing - (denominator.bit_length() - 1)
    bits = numerator.bit_length() - trailing
    return bits <= precision and last >= lowest and last + bits <= highest


@lru_cache(maxsize=8)
def _roundoffs(dtype: np.dtype) -> tuple[Fraction, Fraction]:
    """The largest relative rounding of normal numbers, and the absolute one of subnormals."""
    return Fraction(unit_roundoff(dtype)), Fraction(2) ** (_field(dtype)[0] - 1)


@lru_cache(maxsize=8)
def _field(dtype: np.dtype) -> tuple[int, int, int]:
    """The exponent of the last bit of subnormals, the bits of the significand, and 2^e > all."""
    info = ml_dtypes.finfo(dtype)
    return info.minexp - info.nmant, info.nmant + 1, info.maxexp


def _distance(target: Fraction, every: list[Fraction]) -> Fraction:
    """To the nearest code."""
    place = bisect_left(every, target)
    return min(abs(target - code) for code in every[max(place - 1, 0) : place + 1])


EXACT = (
    Law(
        "half_step",
        "The code is a nearest one: half a step of error at most inside the range, the last code "
        "beyond it; exactly so where x / s + zero_point is exact, else within twice its roundings.",
        "x finite; positive scales, 2^-40 to 2^41 (float16: 2^-3 to 2^3), half of them powers of 2",
        everywhere,
        quantize_sample,
        _half_step,
    ),
    Law(
        "value_of_code",
        "The value of a code is (code - zero_point) * s: exactly where that is exact, else within "
        "its roundings.",
        "codes as floats; positive scales, 2^-40 to 2^41 (float16: 2^-3 to 2^3)",
        everywhere,
        code_sample,
        _value_of_code,
    ),
)
