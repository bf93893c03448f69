"""quantize, dequantize and fake_quantize against the exact oracle, element by element."""

from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qparity.reference import QuantizationArgs, dequantize, fake_quantize, quantize
from tests.oracle import quantize as exact
from tests.oracle.args import calculate_range
from tests.oracle.formats import FORMATS
from tests.reference.oracle_bridge import (
    WORKING,
    array_of,
    codes_of,
    none_or_dtype,
    oracle_args,
    scalar_of,
)
from tests.reference.oracle_cases import LAYOUTS, TYPES, Case, case_of, chosen, scale_code
from tests.reference.oracle_inputs import (
    DETERMINISTIC,
    SEEDS,
    any_code,
    code_near,
    drawn,
    midpoint,
    moved,
)

COMPUTE_DTYPES = [None, "float32"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@settings(DETERMINISTIC, max_examples=8)
@given(data=st.data())
def test_quantize_and_fake_quantize(
    kind: str, num_bits: int, layout: str, data: st.DataObject
) -> None:
    """Each code, and each fake-quantized value, is the oracle's for its element and scale."""
    case = case_of(data.draw(chosen(kind, num_bits, layout)))
    before = [codes_of(array) for array in case.inputs()]
    stored = {"int8": ["int8"], "float8": ["float8_e4m3fn"]}.get(f"{kind}{num_bits}", [])
    dtype = data.draw(st.sampled_from([None, *WORKING, *stored]))
    compute = data.draw(st.sampled_from(COMPUTE_DTYPES))
    call = (case.x, case.scale, case.zero_point, case.args)
    options: dict[str, Any] = {
        "global_scale": case.global_scale,
        "compute_dtype": none_or_dtype(compute),
    }
    codes = quantize(*call, dtype=none_or_dtype(dtype), **options)
    case.check(codes, exact.quantize, dtype=dtype, compute_dtype=compute)
    values = fake_quantize(*call, **options)
    case.check(values, exact.fake_quantize, compute_dtype=compute)
    assert [codes_of(array) for array in case.inputs()] == before


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@settings(DETERMINISTIC, max_examples=8)
@given(data=st.data())
def test_dequantize(kind: str, num_bits: int, layout: str, data: st.DataObject) -> None:
    """Each value of a code is the oracle's for its element and scale."""
    setting = data.draw(chosen(kind, num_bits, layout))
    narrow = ["int8"] if kind == "int" else ["float8_e4m3fn", "float8_e5m2"]
    case = case_of(setting, data.draw(st.sampled_from([*narrow, *WORKING])))
    dtype = data.draw(st.sampled_from([None, *WORKING]))
    values = dequantize(
        case.x,
        case.scale,
        case.zero_point,
        case.args,
        dtype=none_or_dtype(dtype),
        global_scale=case.global_scale,
    )
    case.check(values, exact.dequantize, dtype=dtype)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@settings(DETERMINISTIC, max_examples=5)
@given(g_idx=st.lists(st.integers(-1, 2), min_size=6, max_size=6), seed=SEEDS)
def test_columns_by_group_index(
    kind: str, num_bits: int, name: str, g_idx: list[int], seed: int
) -> None:
    """With g_idx column j uses the scale of group g_idx[j]; a negative entry means not given."""
    rng = Random(seed)
    args = QuantizationArgs(num_bits=num_bits, type=kind, group_size=2)
    groups = [j // 2 for j in range(6)] if min(g_idx) < 0 else g_idx
    where = tuple((i, groups[j]) for i in range(2) for j in range(6))
    x, scale = drawn(any_code, name, (2, 6), rng), drawn(scale_code, name, (2, 3), rng)
    index = np.array(g_idx, dtype=np.int32)
    case = Case(args, x, scale, None, None, where)
    codes = quantize(x, scale, None, args, g_idx=index)
    case.check(codes, exact.quantize)
    case.check(fake_quantize(x, scale, None, args, g_idx=index), exact.fake_quantize)
    values = dequantize(codes, scale, None, args, g_idx=index)
    Case(args, codes, scale, None, None, where).check(values, exact.dequantize)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("kind", "num_bits"), TYPES)
@pytest.mark.parametrize("compute", COMPUTE_DTYPES)
def test_every_boundary_at_a_scale_of_a_third(
    kind: str, num_bits: int, compute: str | None, name: str
) -> None:
    """Every (k + 1/2) * s and what is 2 ulp around falls to the oracle's code."""
    args = QuantizationArgs(num_bits=num_bits, type=kind)
    own, fmt = oracle_args(args), FORMATS[name]
    third = code_near(fmt, Fraction(1, 3))
    size = scalar_of(third, name).number.value
    if kind == "int":
        low, high = (int(end.value) for end in calculate_range(own))
        ties = [Fraction(2 * k + 1, 2) for k in range(low - 1, high + 1)]
    else:
        ties = [midpoint(own.format, code) for code in range(own.format.largest_code + 1)]
    around = {moved(fmt, code_near(fmt, tie * size), n) for tie in ties for n in range(-2, 3)}
    x, scale = array_of(sorted(around), name), array_of([third], name)
    codes = quantize(x, scale, None, args, compute_dtype=none_or_dtype(compute))
    where = ((0,),) * x.size
    Case(args, x, scale, None, None, where).check(codes, exact.quantize, compute_dtype=compute)
