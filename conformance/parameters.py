"""Cases of qparams, ranges and observers."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from qparity.reference import FORMATS, FloatFormat, IntFormat, QuantizationArgs

from .bits import Array
from .case import Case
from .layouts import LAYOUTS, with_layout
from .of_formats import global_scale_inputs, may_have_global_scale
from .quantized import strategy_args
from .ranges import amaxes, filled, global_scales, ranges
from .shapes import extent_of_blocks, groups_of, rows_and_tail
from .spec import Spec
from .values import Rng, with_nan

_FLOATS = ("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2")
SCALE_DTYPES = (None, *_FLOATS, "uint8")
ZP_DTYPES = (None, *_FLOATS, "int8", "uint8")
# a reduction that leaves out a tail shows only if the extreme is there
_LONG_REDUCED = 1 / 4
_PAIRS = (
    ("float8_e4m3fn", "float8_e4m3fn"),
    ("float4_e2m1fn", "float8_e5m2"),
    ("float6_e2m3fn", "float8_e4m3fn"),
)
_DYNAMIC = ("token", "tensor", "group", "tensor_group")
_STATIC = ("tensor", "channel", "group", "tensor_group", "block", "attn_head")
_RANGE_SHAPES = (
    *((), (1,), (17,), (33, 1), (5, 8), (2, 3, 7), (2, 1, 3, 5), (1025,), (0, 4)),
    *((4097,), (129, 33)),
)


def calculate_range_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """The range of the format."""
    del rng
    yield Case("calculate_range", {"args": spec.args or spec.make_args()})


def calculate_qparams_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """Every scale dtype, symmetric and not, with and without a global scale; and MX."""
    for args in _qparams_args(rng, spec):
        whole = None
        if may_have_global_scale(args) and rng.random() < (
            0.8 if args.strategy == "tensor_group" else 0.15
        ):
            whole = global_scales(rng) if rng.random() < 0.9 else global_scales(rng, spec.dtype)
        shape = _RANGE_SHAPES[int(rng.integers(len(_RANGE_SHAPES)))]
        known = 1.0 if whole is None else float(whole.astype(np.float64)[0])
        lo, hi = (np.asarray(v) for v in ranges(rng, shape, spec.dtype, args, known))
        if spec.nan:
            lo, hi = np.asarray(with_nan(rng, lo)), np.asarray(with_nan(rng, hi))
        inputs = {
            "min_vals": with_layout(lo, _layout(rng)),
            "max_vals": with_layout(hi, _layout(rng)),
            "args": args,
        }
        yield Case("calculate_qparams", inputs | ({} if whole is None else {"global_scale": whole}))


def generate_gparam_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """One range of a tensor at a time."""
    args = spec.args or QuantizationArgs(
        num_bits=4, type="float", strategy="tensor_group", group_size=16
    )
    formats = global_scale_inputs(np.ones(1, np.float32), args)
    for i in range(24):
        lo, hi = (np.asarray(v) for v in ranges(rng, (1,), spec.dtype, args))
        if spec.nan and i % 4 == 0:
            lo = with_nan(rng, lo, 0.5)
        shape = () if i % 5 == 0 else (1,)
        bounds = {"min_val": lo.reshape(shape), "max_val": hi.reshape(shape)}
        given = {} if spec.args is not None or i % 4 else _format_pair(rng)
        yield Case("generate_gparam", formats | bounds | given)


def _format_pair(rng: Rng) -> dict[str, FloatFormat | IntFormat]:
    """Formats of codes and of scales, other than those of NVFP4."""
    codes, scales = rng.choice(_PAIRS)
    return {"quant_data": FORMATS[codes], "scale_data": FORMATS[scales]}


def dynamic_cases(rng: Rng, spec: Spec) -> Iterator[Case]:
    """Every dynamic strategy; rank 1 to 4; extremes at any place, the last included."""
    for args in _qparams_args(rng, spec):
        if args.strategy not in _DYNAMIC:
            continue
        two_levels = args.strategy == "tensor_group" and may_have_global_scale(args)
        whole = global_scales(rng) if two_levels else None
        known = 1.0 if whole is None else float(whole[0])
        x = _tensor(rng, spec, args, known)
        inputs: dict[str, object] = {"x": with_layout(x, _layout(rng)), "args": args}
        if whole is not None and rng.random() < 0.8:
            inputs["global_scale"] = whole
        yield Case("compute_dynamic_scales_and_zp", inputs)


def observer_cases(op: str, rng: Rng, spec: Spec) -> Iterator[Case]:
    """Every static strategy, at the first call and at a later one."""
    for args in strategy_args(rng, spec):
        if args.strategy not in _STATIC:
            continue
        x = _tensor(rng, spec, args, 1.0)
        inputs: dict[str, object] = {"x": with_layout(x, _layout(rng)), "args": args}
        yield Case(op, inputs)
        lo, hi = _first_range(x, args)
        yield Case(op, {**inputs, "state": _other_state(rng, lo, hi, spec)})


def _qparams_args(rng: Rng, spec: Spec) -> list[QuantizationArgs]:
    if spec.args is not None:
        return [spec.args]
    symmetries = (True, False) if spec.may_be_asymmetric else (True,)
    found = []
    for i, (scale_dtype, symmetric) in enumerate(product(SCALE_DTYPES, symmetries)):
        strategy = _DYNAMIC[(i + int(rng.integers(4))) % 4]
        fields: dict[str, object] = {"strategy": strategy, "symmetric": symmetric}
        if strategy in ("group", "tensor_group"):
            fields["group_size"] = int(rng.choice([1, 3, 16, 64, 128]))
        zp_dtype = ZP_DTYPES[int(rng.integers(len(ZP_DTYPES)))]
        found.append(
            spec.make_args(**fields, dynamic=True, scale_dtype=scale_dtype, zp_dtype=zp_dtype)
        )
    if spec.type == "float":
        mx = {"strategy": "group", "group_size": 32, "scale_dtype": "uint8", "zp_dtype": "uint8"}
        found += [spec.make_args(**mx, dynamic=True)] * 2
    return found


def _tensor(rng: Rng, spec: Spec, args: QuantizationArgs, whole: float) -> Array:
    """A tensor whose units have aimed ranges."""
    rows, tail = rows_and_tail(rng, long=_LONG_REDUCED)
    if args.strategy in ("group", "tensor_group"):
        # ranges of MX are of more kinds, and have no other dtypes to be rounded to
        size = args.group_size or 1
        usual = (1, 2, 3) if may_have_global_scale(args) else (8, 9)
        groups = groups_of(rng, size, usual, rows)
        lead = [(rows,), (rows,), (), (2, rows)][int(rng.integers(4))]
        x = filled(rng, *ranges(rng, (*lead, groups), spec.dtype, args, whole), size)
        x = x.reshape(*lead, groups * size)
    elif args.strategy == "block" and args.block_structure is not None:
        shape = tuple(extent_of_blocks(rng, size) for size in args.block_structure)
        x = filled(rng, *ranges(rng, shape[:1], spec.dtype, args), shape[1])
    elif args.strategy == "attn_head":
        heads = [(2, rows, 2), (rows, rows, 2), (rows, 2)][int(rng.integers(3))]
        x = filled(rng, *ranges(rng, heads, spec.dtype, args), min(tail, 65))
    else:
        lead = [(rows,), (2, rows), (), (2, 2, rows)][int(rng.integers(4))]
        x = filled(rng, *ranges(rng, lead, spec.dtype, args, whole), tail)
    return with_nan(rng, x, 0.02) if spec.nan else x


def _first_range(x: Array, args: QuantizationArgs) -> tuple[Array, Array]:
    from qparity.reference import minmax

    return minmax(x, args)


def _other_state(rng: Rng, lo: Array, hi: Array, spec: Spec) -> tuple[Array, Array]:
    args = QuantizationArgs()
    before_lo = -amaxes(rng, lo.shape, spec.dtype, args, 1.0)
    before_hi = amaxes(rng, hi.shape, spec.dtype, args, 1.0)
    if spec.nan:
        before_lo = with_nan(rng, before_lo)
    return before_lo, before_hi


def _layout(rng: Rng) -> str:
    return "contiguous" if rng.random() < 0.5 else str(rng.choice(LAYOUTS))
