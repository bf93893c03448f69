"""Laws of codes and values at given scales: bits and order."""

from dataclasses import replace
from functools import partial

import ml_dtypes
import numpy as np

from qparity.reference import QuantizationArgs

from ..bits import Array
from ..compare import differing
from ..of_formats import stored_dtype
from ..values import Rng, codes_of
from .ask import Ask
from .law import Law, Sample, Violation, everywhere
from .samples import quantize_sample
from .steps import difference
from .survival import codes_survive
from .units import per_element

__all__ = ["CODES", "of_element"]


def quantized(ask: Ask, sample: Sample, **options: object) -> Array:
    """The codes of x."""
    inputs = {"x": sample.arrays["x"], "args": sample.args, **sample.scales, **options}
    return np.asarray(ask("quantize", **inputs))


def faked(ask: Ask, sample: Sample) -> Array:
    """The values of x after quantization."""
    inputs = {"x": sample.arrays["x"], "args": sample.args, **sample.scales}
    return np.asarray(ask("fake_quantize", **inputs))


def of_element(sample: Sample, index: tuple[int, ...]) -> dict[str, Array]:
    """x, scale, zero-point and global scale of one element."""
    x = sample.arrays["x"]
    shown = {"x": np.asarray(x[index])}
    for key in ("scale", "zero_point"):
        if key in sample.arrays:
            spread = per_element(sample.arrays[key], x.shape, sample.args)
            shown[key] = np.asarray(spread[index])
    return shown | sample.whole


def _first(sample: Sample, broken: Array, detail: str, **found: Array) -> Violation | None:
    if not broken.any():
        return None
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(broken)), broken.shape))
    shown = of_element(sample, index)
    return Violation(detail, shown | {name: np.asarray(a[index]) for name, a in found.items()})


def _codes_in_range(ask: Ask, sample: Sample) -> Violation | None:
    args = sample.args
    stored = stored_dtype(args)
    for options in ({}, *([] if stored is None else [{"dtype": stored}])):
        codes = quantized(ask, sample, **options)
        broken = ~np.isin(codes.astype(np.float64), codes_of(args.code_format))
        found = _first(sample, broken, f"not a code of {args.code_format.name}", code=codes)
        if found is not None:
            return found
    return None


def _of_zeros(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    sample = quantize_sample(rng, args, dtype)
    x = sample.arrays["x"]
    return sample.having(x=np.where(rng.random(x.shape) < 0.3, x, x.dtype.type(0)))


def _zero_to_zero(ask: Ask, sample: Sample) -> Violation | None:
    zeros = np.where(sample.arrays["x"].astype(np.float64) == 0, 1, 0).astype(bool)
    values = faked(ask, sample)
    broken = zeros & (values.astype(np.float64) != 0)
    return _first(sample, broken, "zero does not come back as zero", value=values)


def _monotone(ask: Ask, sample: Sample) -> Violation | None:
    x = sample.arrays["x"].astype(np.float64)
    order = np.argsort(x, axis=-1, kind="stable")
    ascending = sample.having(x=np.take_along_axis(sample.arrays["x"], order, -1))
    for name, results in (("code", quantized(ask, ascending)), ("value", faked(ask, ascending))):
        falls = np.diff(results.astype(np.float64), axis=-1) < 0
        if falls.any():
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(falls)), falls.shape))
            after = (*at[:-1], at[-1] + 1)
            shown = of_element(ascending, at)
            shown |= {f"{name} of x": np.asarray(results[at])}
            shown |= {"larger x": np.asarray(ascending.arrays["x"][after])}
            shown |= {f"{name} of larger x": np.asarray(results[after])}
            return Violation(f"a larger x has a smaller {name}", shown)
    return None


def _has_mirror(args: QuantizationArgs, dtype: np.dtype) -> str:
    del dtype
    if not args.symmetric:
        return "asymmetric: the codes of x and -x differ by the zero-point"
    return ""


def _sign_symmetric(ask: Ask, sample: Sample) -> Violation | None:
    row = sample.args.code_format
    codes = quantized(ask, sample)
    mirrored = quantized(ask, sample.having(x=-sample.arrays["x"]))
    broken = differing(-codes, mirrored)
    if row.name == "float4_e2m1fn":
        broken &= ~((codes == 0) & (mirrored == 0))
    if row.min != -row.max:
        ends = [(codes == a) & (mirrored == b) for a, b in ((row.min, row.max), (row.max, row.min))]
        broken &= ~(ends[0] | ends[1])
    detail = "the code of -x is not minus the code of x"
    return _first(sample, broken, detail, code=codes, **{"code of -x": mirrored})


def _far_from_the_edges(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    """x without infinities, and without numbers whose doubles or quarters are not exact."""
    sample = quantize_sample(rng, args, dtype)
    if sample.power == 0:
        sample = replace(sample, power=1)
    info = ml_dtypes.finfo(dtype)
    x = sample.arrays["x"]
    magnitude = np.abs(x.astype(np.float64))
    low, high = 8 * float(info.smallest_normal), float(info.max) / 8
    return sample.having(x=np.where((magnitude < low) | (magnitude > high), dtype.type(0), x))


def _power_of_two(ask: Ask, sample: Sample) -> Violation | None:
    factor = 2.0**sample.power
    codes = quantized(ask, sample)
    moved = {
        key: (sample.arrays[key].astype(np.float64) * factor).astype(sample.arrays[key].dtype)
        for key in ("x", "scale")
    }
    after = quantized(ask, sample.having(**moved))
    detail = f"the code changes when x and the scale are multiplied by 2^{sample.power}"
    return _first(sample, differing(codes, after), detail, code=codes, **{"code after": after})


def _composition(ask: Ask, sample: Sample) -> Violation | None:
    inputs = {"x_q": quantized(ask, sample), "args": sample.args, **sample.scales}
    apart = {"values": np.asarray(ask("dequantize", **inputs))}
    return difference(apart, {"values": faked(ask, sample)}, "in one go")


def _idempotent(ask: Ask, sample: Sample) -> Violation | None:
    once = faked(ask, sample)
    twice = faked(ask, sample.having(x=once.astype(sample.arrays["x"].dtype)))
    broken = differing(once, twice)
    if sample.args.code_format.name == "float4_e2m1fn" or "zero_point" in sample.arrays:
        broken &= ~((once == 0) & (twice == 0))
    return _first(sample, broken, "the second time changes it", once=once, twice=twice)


_finite = partial(quantize_sample, finite=True)
_infinite = partial(quantize_sample, finite=False)
_rows_alike = partial(quantize_sample, finite=False, rows_alike=True)
_NORMAL = "positive scales, 2^-40 to 2^41 (float16: 2^-3 to 2^3), far from overflow"

CODES = (
    Law(
        "codes_in_range",
        "Every code is one of the format's: what is beyond them saturates.",
        f"x finite or infinite; {_NORMAL}",
        everywhere,
        _infinite,
        _codes_in_range,
    ),
    Law(
        "zero_to_zero",
        "Zero comes back as zero, of either sign.",
        f"zero-points that are codes and that zp_dtype holds; {_NORMAL}",
        everywhere,
        _of_zeros,
        _zero_to_zero,
    ),
    Law(
        "monotone",
        "At one scale and zero-point, a larger x never has a smaller code or value.",
        f"x finite or infinite; {_NORMAL}",
        everywhere,
        _rows_alike,
        _monotone,
    ),
    Law(
        "idempotent",
        "fake_quantize twice is fake_quantize once; the sign of zero may change in fp4, and where "
        "a zero-point is added.",
        f"x finite; {_NORMAL}",
        codes_survive,
        _finite,
        _idempotent,
    ),
    Law(
        "sign_symmetric",
        "The code of -x is minus that of x, down to the sign of zero (fp4 aside); in int the "
        "smallest and the largest code mirror each other as well.",
        f"no zero-point; x finite or infinite; {_NORMAL}",
        _has_mirror,
        _infinite,
        _sign_symmetric,
    ),
    Law(
        "power_of_two",
        "x and scale times the same power of two have the same codes.",
        f"x zero or normal with three binades to spare; {_NORMAL}",
        everywhere,
        _far_from_the_edges,
        _power_of_two,
    ),
    Law(
        "composition",
        "fake_quantize is dequantize of quantize.",
        f"x and scale of one dtype, x finite or infinite; {_NORMAL}",
        everywhere,
        _infinite,
        _composition,
    ),
)
