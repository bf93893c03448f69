"""Hypothesis strategies aimed at the places where roundings part, for anybody's ``@given``.

Arrays are made by numpy from one drawn seed, so that a thousand numbers cost one draw; Hypothesis
shrinks their shapes and arguments, and ``qparity.conformance.shrink`` a failing case to a number.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from qparity.reference import (
    FLOAT8_E8M0FNU,
    PRESET_SCHEMES,
    SCALE_RULES,
    FloatFormat,
    FormatArgs,
    IntFormat,
    QuantizationArgs,
    QuantizationScheme,
)
from qparity.reference import preset_name_to_scheme as preset

from .bits import Array
from .case import Case
from .layouts import LAYOUTS, with_layout
from .of_formats import scale_grid
from .operations import all_checks
from .quantized import WORKING
from .ranges import global_scales as aimed_global_scales
from .ranges import ranges as aimed_ranges
from .shapes import BLOCKS, GROUP_SIZES, per_element, shapes_for
from .spec import FORMATS_OF_CODES
from .values import near_codes, near_values_of, scales, with_nan

__all__ = [
    "cases",
    "dtypes",
    "format_args",
    "layouts",
    "quantization_args",
    "quantization_schemes",
    "quantized_inputs",
    "ranges",
    "tensors",
]

_STRATEGIES = ("tensor", "channel", "group", "block", "token", "tensor_group", "attn_head")
_SCALE_DTYPES = (
    *("float16", "bfloat16", "float32", "float64"),
    *("float8_e4m3fn", "float8_e5m2", "uint8"),
)
_SEEDS = st.integers(0, 2**63 - 1)


def dtypes() -> st.SearchStrategy[np.dtype]:
    """The dtypes of tensors: float32, bfloat16, float16, float64."""
    order = ("float32", "bfloat16", "float16", "float64")
    return st.sampled_from(sorted(WORKING, key=lambda dtype: order.index(dtype.name)))


def layouts() -> st.SearchStrategy[str]:
    """Names of memory layouts; see ``qparity.conformance.layouts.with_layout``."""
    return st.sampled_from(LAYOUTS)


@st.composite
def quantization_args(
    draw: st.DrawFn,
    *,
    strategies: Sequence[str] = _STRATEGIES,
    formats: Sequence[tuple[str, int]] = FORMATS_OF_CODES,
) -> QuantizationArgs:
    """Any valid args: format, symmetry, strategy, sizes, scale and zero-point dtypes, MX.

    Args:
        draw: given by Hypothesis.
        strategies: the strategies to draw from.
        formats: the pairs of type and bits to draw from.
    """
    kind, num_bits = draw(st.sampled_from(formats))
    strategy = draw(st.sampled_from(strategies))
    may_be_asymmetric = kind == "int" or num_bits == 8
    fields: dict[str, Any] = {
        "num_bits": num_bits,
        "type": kind,
        "strategy": strategy,
        "symmetric": draw(st.booleans()) if may_be_asymmetric else True,
        "scale_dtype": draw(st.sampled_from((None, *_SCALE_DTYPES))),
        "zp_dtype": draw(st.sampled_from((None, "int8", *_SCALE_DTYPES))),
    }
    if strategy in ("group", "tensor_group"):
        fields["group_size"] = draw(st.sampled_from(GROUP_SIZES))
    if strategy == "block":
        fields["block_structure"] = draw(st.sampled_from(BLOCKS))
    if strategy in ("token", "tensor", "group", "tensor_group"):
        fields["dynamic"] = strategy == "token" or draw(st.booleans())
    mx = kind == "float" and fields.get("group_size") == 32 and fields["scale_dtype"] == "uint8"
    return QuantizationArgs(**fields | ({"symmetric": True} if mx else {}))


@st.composite
def float_formats(draw: st.DrawFn, *, signed: bool, most: int = 8) -> FloatFormat:
    """Any float format of a few bits whose values float16 holds."""
    exponent_bits = draw(st.integers(1, 4))
    mantissa_bits = draw(st.integers(0, most - exponent_bits - int(signed)))
    specials = draw(st.sampled_from(("", "nan", "inf") if exponent_bits > 1 else ("",)))
    with_inf = specials == "inf" and mantissa_bits > 0
    return FloatFormat(
        exponent_bits=exponent_bits,
        mantissa_bits=mantissa_bits,
        bias=draw(st.integers(2, 10)),
        has_inf=with_inf,
        has_nan=with_inf or specials == "nan",
        signed=signed,
        has_subnormals=draw(st.booleans()),
    )


@st.composite
def format_args(draw: st.DrawFn, *, strategies: Sequence[str] = _STRATEGIES) -> FormatArgs:
    """Any valid ``FormatArgs``: formats of codes and of scales, rule, symmetry, strategy.

    Args:
        draw: given by Hypothesis.
        strategies: the strategies to draw from.
    """
    signed = draw(st.booleans())
    integers = st.builds(IntFormat, bits=st.integers(1, 8), signed=st.just(signed))
    codes = draw(st.one_of(float_formats(signed=signed), integers))
    scales = draw(
        st.one_of(
            st.just(FLOAT8_E8M0FNU),
            float_formats(signed=False),
            st.builds(IntFormat, bits=st.integers(2, 8), signed=st.booleans()),
        )
    )
    strategy = draw(st.sampled_from(strategies))
    symmetric = signed and draw(st.booleans())
    of_exponents = symmetric and strategy != "tensor_group"
    fields: dict[str, Any] = {
        "code_format": codes,
        "scale_format": scales,
        "scale_rule": draw(st.sampled_from(SCALE_RULES if of_exponents else SCALE_RULES[:2])),
        "symmetric": symmetric,
        "strategy": strategy,
    }
    if strategy in ("group", "tensor_group"):
        fields["group_size"] = draw(st.sampled_from(GROUP_SIZES))
    if strategy == "block":
        fields["block_structure"] = draw(st.sampled_from(BLOCKS))
    if strategy == "token":
        fields["dynamic"] = True
    return FormatArgs(**fields)


def quantization_schemes() -> st.SearchStrategy[QuantizationScheme]:
    """The preset schemes."""
    return st.sampled_from([preset(name) for name in PRESET_SCHEMES])


@st.composite
def tensors(
    draw: st.DrawFn,
    args: QuantizationArgs,
    *,
    dtype: np.dtype | None = None,
    nan: bool = False,
    empty: bool = False,
) -> Array:
    """A tensor at the values, ties and edges of the codes of ``args``, in any memory layout.

    Args:
        draw: given by Hypothesis.
        args: names the codes, and the shapes that fit.
        dtype: of the tensor; None: any.
        nan: whether NaN is among the values.
        empty: whether tensors without elements are drawn as well; they have no range.
    """
    rng = np.random.default_rng(draw(_SEEDS))
    of = draw(dtypes()) if dtype is None else dtype
    x = near_values_of(rng, shapes_for(rng, args, empty=empty).x, args.code_format, of)
    return with_layout(with_nan(rng, x) if nan else x, draw(layouts()))


@st.composite
def ranges(
    draw: st.DrawFn, args: QuantizationArgs, *, dtype: np.dtype | None = None, size: int = 16
) -> tuple[Array, Array]:
    """Observed minima and maxima whose scale, and zero-point, lie at ties of their dtypes.

    Args:
        draw: given by Hypothesis.
        args: names the codes, the symmetry and ``scale_dtype``.
        dtype: of the ranges; None: any.
        size: how many.
    """
    rng = np.random.default_rng(draw(_SEEDS))
    of = draw(dtypes()) if dtype is None else dtype
    return aimed_ranges(rng, (size,), of, args)


@st.composite
def quantized_inputs(
    draw: st.DrawFn,
    args: QuantizationArgs,
    *,
    dtype: np.dtype | None = None,
    nan: bool = False,
    empty: bool = False,
) -> dict[str, Array]:
    """``x`` and ``scale`` for ``quantize``, x being at the ties of its own scale.

    ``tensor_group`` args get a ``global_scale`` besides. Shapes are awkward: tails around a
    vector's width, rank 0 to 4, one scale or one per unit of the strategy.

    Args:
        draw: given by Hypothesis.
        args: names the codes and the strategy.
        dtype: of both; None: any.
        nan: whether NaN is among the values of x.
        empty: whether tensors without elements are drawn as well.
    """
    rng = np.random.default_rng(draw(_SEEDS))
    of = draw(dtypes()) if dtype is None else dtype
    shapes = shapes_for(rng, args, empty=empty)
    scale = scales(rng, shapes.scale, of, scale_grid(args))
    inputs = {"scale": with_layout(scale, draw(layouts()))}
    divisor = 1.0
    if args.strategy == "tensor_group":
        inputs["global_scale"] = aimed_global_scales(rng)
        divisor = float(inputs["global_scale"][0])
    with np.errstate(all="ignore"):
        x = near_codes(rng, per_element(scale, shapes, args) / divisor, 0.0, args, of)
    x = x.reshape(shapes.x)
    inputs["x"] = with_layout(with_nan(rng, x) if nan else x, draw(layouts()))
    return inputs


def cases(op: str, *, nan: bool = False) -> st.SearchStrategy[list[Case]]:
    """Cases of one operation, as ``qparity verify`` runs them: a list of them a draw.

    Args:
        op: a name of ``public_operations()``.
        nan: whether NaN is among the values.

    Raises:
        ValueError: if there is no such operation.
    """
    checks = [check for check in all_checks() if check.op == op]
    if not checks:
        raise ValueError(f"op: {op!r} is not an operation; allowed: those of public_operations()")
    make: Callable[[Any, int], list[Case]] = lambda check, seed: list(check.cases(seed, nan))  # noqa: E731
    return st.builds(make, st.sampled_from(checks), _SEEDS)
