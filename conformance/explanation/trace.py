"""The steps from numbers to codes and back, in the order of SPEC sections 5 to 8."""

from collections.abc import Iterator
from dataclasses import replace

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.reference import (
    FLOAT8_E4M3FN,
    FormatArgs,
    QuantizationArgs,
    arithmetic,
    dtypes,
    scales,
)
from qparity.reference.args import GROUP_STRATEGIES

from ..bits import Array
from . import mx_steps, operations
from .exact import fraction as exactly
from .exact import rounding, row_of
from .steps import Part, Step, Tensor, Trace
from .storage import Storage, element_stored, own_bits, unit_stored

__all__ = ["trace"]

_FLOAT32 = np.dtype(np.float32)
_STRATEGIES = ("tensor", "channel", "group", "tensor_group", "block", "token")


@arithmetic.quiet
def trace(
    tensor: Tensor,
    args: QuantizationArgs,
    *,
    name: str = "",
    storage: Storage | None = None,
    compute_dtype: np.dtype | None = None,
) -> Trace:
    """Every step of some elements of a tensor.

    Args:
        tensor: the numbers, and which of them.
        args: what they are quantized to; any strategy but ``attn_head``.
        name: of the scheme, for the reader.
        storage: how the codes and the scale are stored; None: they are not.
        compute_dtype: as for ``quantize``: None or float32.

    Returns:
        The trace; the values are the reference's own, bit for bit: zero, NaN and overflow as there.

    Raises:
        ValueError: if the columns are no whole groups, or the strategy is another.
    """
    if args.strategy not in _STRATEGIES:
        allowed = ", ".join(_STRATEGIES)
        raise ValueError(f"strategy: {args.strategy!r} has no explanation; allowed: {allowed}")
    tracer = _Tracer(tensor, args, storage, compute_dtype)
    return Trace(name, args, tensor, tuple(tracer.parts()))


class _Tracer:
    """What the parts share: ranges of all units, and the global scale."""

    def __init__(
        self,
        tensor: Tensor,
        args: QuantizationArgs,
        storage: Storage | None,
        compute_dtype: np.dtype | None,
    ) -> None:
        self.tensor, self.args, self.storage = tensor, args, storage
        self.compute_dtype = compute_dtype
        channel = QuantizationArgs(strategy="channel")
        self.ranges = reference.minmax(tensor.x, channel if args.strategy == "token" else args)
        self.whole = self._whole() if args.strategy == "tensor_group" else ()
        self.global_scale = _array(self.whole[-1]) if self.whole else None

    def parts(self) -> Iterator[Part]:
        """The tensor, then each unit followed by its elements."""
        if self.whole:
            yield Part("tensor", (), "the tensor: its global scale", self.whole)
        units: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for element in self.tensor.elements:
            units.setdefault(self._unit_of(*element), []).append(element)
        for unit, elements in units.items():
            steps = tuple(self._unit(unit))
            yield Part("unit", unit, self._unit_title(unit), steps)
            for element in elements:
                inner = tuple(self._element(element, steps))
                yield Part("element", element, f"x[{element[0]}, {element[1]}]", inner)

    def _whole(self) -> tuple[Step, ...]:
        """Section 5: the global scale, from the range of the tensor."""
        lo, hi = reference.minmax(self.tensor.x, QuantizationArgs(strategy="tensor"))
        amax = np.maximum(np.abs(np.minimum(lo, 0)), np.abs(np.maximum(hi, 0))).astype(lo.dtype)
        steps = [operations.plain("amax", "max(|min x|, |max x|)", 5, amax)]
        tiny = ml_dtypes.finfo(amax.dtype).smallest_normal
        if (amax < tiny).any():
            amax = np.where(amax < tiny, tiny, amax)
            steps.append(operations.plain("amax", "max(amax, smallest normal)", 5, amax))
        row = self.args.scale_format or FLOAT8_E4M3FN
        most = row.max * self.args.code_format.max
        one = np.array([1], arithmetic.evaluation_dtype(amax.dtype))
        inverse = operations.divide("reciprocal", "1 / amax", 5, one.astype(amax.dtype), amax)
        formula = f"reciprocal * {most:g}"
        product = operations.multiply_scalar("product", formula, 5, _array(inverse.value), most)
        steps += [inverse, product]
        value = _array(product.value)
        if not np.isfinite(value).all():
            value = np.ones_like(value)
            steps.append(operations.plain("product", "1 in place of inf and NaN", 5, value))
        steps.append(operations.cast("global_scale", "product in float32", 5, value, _FLOAT32))
        return tuple(steps)

    def _unit(self, unit: tuple[int, ...]) -> Iterator[Step]:
        """Section 5: scale and zero-point of the elements that share them."""
        args = self.args
        lo, hi = (values[unit].reshape(1) for values in self.ranges)
        zero = np.zeros(1, lo.dtype)
        lo, hi = np.where(lo >= zero, zero, lo), np.where(hi <= zero, zero, hi)
        q_min, q_max = reference.calculate_range(args)
        yield operations.plain("lo", "min(min x, 0)", 5, lo)
        yield operations.plain("hi", "max(max x, 0)", 5, hi)
        zero_point = None
        if not args.symmetric:
            width = operations.subtract("width", "hi - lo", 5, hi, lo)
            levels = operations.scalar(q_max - q_min, lo)
            formula = f"width / {q_max - q_min:g}"
            scale = operations.divide("scale", formula, 5, _array(width.value), levels)
            below = operations.divide("below", "lo / scale", 5, lo, _array(scale.value))
            least = operations.scalar(q_min, lo)
            formula = f"{q_min:g} - below"
            moved = operations.subtract("zero_point", formula, 5, least, _array(below.value))
            formula = f"clamp(zero_point, {q_min:g}, {q_max:g})"
            point = _array(moved.value)
            zero_point = operations.clamp("zero_point", formula, 5, point, q_min, q_max)
            yield from (width, scale, below, moved, zero_point)
        else:
            amax = np.maximum(np.abs(lo), np.abs(hi))
            yield operations.plain("amax", "max(|lo|, |hi|)", 5, amax)
            *before, scale = mx_steps.scale_steps(amax, args)
            yield from before
            yield scale
        s = _array(scale.value)
        if self.global_scale is not None:
            scale = operations.multiply("scale", "global_scale * scale", 5, self.global_scale, s)
            yield scale
            s = _array(scale.value)
        rounded = scales.round_scale(s, args)
        if args.scale_format is not None and args.scale_rule in ("nearest", "rceil"):
            row = args.scale_format
            limited = operations.clamp("scale", "", 5, s, row.min, row.max)
            note = f"saturated at {row.max:g}" if limited.note else ""
            formula = f"scale in {row.name}"
            source, rule = _array(limited.value), args.scale_rule
            yield operations.rounded("scale", formula, 5, rounded, source, row, note, rule)
        if (rounded == 0).any():
            safe = scales.safe_scale(args, rounded.dtype)
            rounded = np.where(rounded == 0, safe, rounded)
            yield operations.plain("scale", "the smallest safe scale, not 0", 5, rounded)
        if isinstance(args, FormatArgs) and args.scale_format is not None:
            yield from own_bits("scale", rounded[0], args.scale_format)
        if zero_point is not None:
            yield self._zero_point(_array(zero_point.value), rounded.dtype)
        if self.global_scale is not None:
            # s is evaluated per call of quantize: section 7
            given = self._given(rounded)
            yield operations.divide("s", "scale / global_scale", 7, given, self.global_scale)
        if self.storage is not None:
            stored = self._zero_point(_array(zero_point.value), s.dtype) if zero_point else None
            yield from unit_stored(rounded, stored, self.global_scale, args, self.storage, unit)

    def _zero_point(self, value: Array, working: np.dtype) -> Step:
        dtype = self.args.zp_dtype or working
        point = reference.round_to_quantized_type_dtype(value, dtype, cast_to_original_dtype=False)
        return operations.rounded("zero_point", f"zero_point in {dtype.name}", 5, point, value)

    def _element(self, element: tuple[int, int], unit: tuple[Step, ...]) -> Iterator[Step]:
        """Section 7: a code and its value; section 8: where it is stored."""
        args, x = self.args, self.tensor.x[element].reshape(1)
        scale, point = _last(unit, "scale", 5, 6), _last(unit, "zero_point", 5)
        assert scale is not None
        yield self._given_value(element)
        code, steps = self._code(x, scale, point)
        yield from steps
        if isinstance(args, FormatArgs):
            yield from own_bits("code", code.value, args.code_format)
        whole = _last(unit, "s", 7)
        s = _array(scale if whole is None else _divided(scale, self.global_scale))
        values = arithmetic.cast(_array(code.value), s.dtype)
        if point is not None:
            moved = arithmetic.cast(_array(point), s.dtype)
            shift = operations.subtract("shifted", "code - zero_point", 7, values, moved)
            yield shift
            values = _array(shift.value)
        left = "shifted" if point is not None else "code"
        right = "scale" if whole is None else "s"
        value = operations.multiply("value", f"{left} * {right}", 7, values, s)
        back = x.dtype if args.strategy in GROUP_STRATEGIES else s.dtype
        if back == s.dtype:
            yield _with_error(value, x)
        else:
            yield value
            formula = f"value in {back.name}"
            yield _with_error(operations.cast("value", formula, 7, _array(value.value), back), x)
        if self.storage is not None:
            neighbours = self._codes_beside(element)
            yield from element_stored(code, neighbours, element, args, self.storage, unit)

    def _code(
        self, x: Array, scale: np.generic, point: np.generic | None
    ) -> tuple[Step, list[Step]]:
        """x / s + zero_point, clamped, rounded to a code."""
        row = self.args.code_format
        given, s = self._given(x), self._given(_array(scale))
        if self.global_scale is not None:
            s = arithmetic.divide(s, self.global_scale)
        right = "scale" if self.global_scale is None else "s"
        steps = [operations.divide("y", f"x / {right}", 7, given, s)]
        if point is not None:
            moved = arithmetic.cast(_array(point), given.dtype)
            y = _array(steps[-1].value)
            steps.append(operations.add("y", "y + zero_point", 7, y, moved))
        formula = f"clamp(y, {row.min:g}, {row.max:g})"
        steps.append(operations.clamp("y", formula, 7, _array(steps[-1].value), row.min, row.max))
        y = _array(steps[-1].value)
        rounded = reference.round_to_quantized_type_args(y, self.args, row.min, row.max)
        dtype = dtypes.promote(x.dtype, _scale_dtype(scale, self.global_scale))
        dtype = x.dtype if self.args.strategy in GROUP_STRATEGIES else dtype
        note = "NaN has no code: that of +0" if np.isnan(y).any() and not row.has_nan else ""
        code = arithmetic.cast(rounded, dtype)
        if (np.signbit(y) & (y == 0) & ~np.signbit(code)).any():
            note = f"-0 becomes +0 in {row.name}"
        steps.append(operations.rounded("code", f"y in {row.name}", 7, code, y, row, note))
        return steps[-1], steps

    def _codes_beside(self, element: tuple[int, int]) -> dict[int, np.generic]:
        """The codes of the words that an element is packed into, by column."""
        assert self.storage is not None
        row = element[0]
        codes: dict[int, np.generic] = {}
        for column in self.storage.columns_beside(element[1], self.tensor.x.shape[1]):
            x = self.tensor.x[row, column].reshape(1)
            unit = self._unit_values(self._unit_of(row, column))
            codes[column] = self._code(x, *unit)[0].value
        return codes

    def _unit_values(self, unit: tuple[int, ...]) -> tuple[np.generic, np.generic | None]:
        lo, hi = (values[unit].reshape(1) for values in self.ranges)
        scale, point = reference.calculate_qparams(lo, hi, self.args, self.global_scale)
        return scale[0], None if self.args.symmetric else point[0]

    def _given_value(self, element: tuple[int, int]) -> Step:
        x = self.tensor.x[element]
        exact = dict(zip(self.tensor.elements, self.tensor.exact, strict=False)).get(element)
        found = None if exact is None else rounding(exact, x, row_of(x.dtype), None)
        return Step("x", f"given, in {x.dtype.name}", 7, x, found)

    def _given(self, value: Array) -> Array:
        """As the operations of quantize see it: cast to ``compute_dtype``, if there is one."""
        return value if self.compute_dtype is None else arithmetic.cast(value, _FLOAT32)

    def _unit_of(self, row: int, column: int) -> tuple[int, ...]:
        args = self.args
        if args.strategy == "tensor":
            return (0,)
        if args.strategy in GROUP_STRATEGIES:
            return row, column // (args.group_size or 1)
        rows, columns = args.block_structure or (1, self.tensor.x.shape[1])
        return row // rows, column // columns

    def _unit_title(self, unit: tuple[int, ...]) -> str:
        args = self.args
        if args.strategy == "tensor":
            return "the tensor: its scale"
        if args.strategy in GROUP_STRATEGIES:
            size = args.group_size or 1
            first = unit[1] * size
            return f"group {unit[1]} of row {unit[0]}, columns {first} to {first + size - 1}"
        if args.strategy == "block":
            return f"block {unit[0]}, {unit[1]} of {args.block_structure}"
        return f"row {unit[0]}: its scale"


def _with_error(value: Step, x: Array) -> Step:
    after, before = exactly(value.value), exactly(x[0])
    if after is None or before is None:
        return value
    return replace(value, note=f"value - x = {float(after - before):.6g}")


def _divided(scale: np.generic, whole: Array | None) -> np.generic:
    assert whole is not None
    value = arithmetic.divide(_array(scale), whole)[0]
    assert isinstance(value, np.generic)
    return value


def _scale_dtype(scale: np.generic, whole: Array | None) -> np.dtype:
    return dtypes.promote(scale.dtype, *(() if whole is None else (whole.dtype,)))


def _last(steps: tuple[Step, ...], name: str, *sections: int) -> np.generic | None:
    found = [step.value for step in steps if step.name == name and step.section in sections]
    return found[-1] if found else None


def _array(value: Step | np.generic) -> Array:
    number = value.value if isinstance(value, Step) else value
    return np.asarray(number).reshape(1)
