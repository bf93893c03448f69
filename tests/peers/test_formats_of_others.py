"""Formats and scale rules of one's own against gfloat, torchao and ml_dtypes."""

from collections.abc import Mapping
from math import log2
from typing import Any

import gfloat
import ml_dtypes
import numpy as np
import pytest
import torch
from compressed_tensors.quantization import QuantizationArgs as UpstreamArgs
from gfloat import formats as of_gfloat
from pydantic import ValidationError
from torchao.prototype.mx_formats.mx_tensor import ScaleCalculationMode, to_mx

from qparity.reference import (
    FLOAT8_E8M0FNU,
    FORMATS,
    FloatFormat,
    FormatArgs,
    IntFormat,
    calculate_qparams,
    fake_quantize,
    minmax,
    quantize,
    round_to_quantized_type_args,
)
from tests.peers.bits import Array, assert_same

UE5M3 = FloatFormat(exponent_bits=5, mantissa_bits=3, has_nan=True, signed=False)
E8M0_OF_INTEGERS = FloatFormat(
    exponent_bits=8, bias=133, has_nan=True, signed=False, has_zero=False, has_subnormals=False
)
MX: Mapping[str, tuple[gfloat.BlockFormatInfo, str, FloatFormat]] = {
    "mxfp4": (of_gfloat.format_info_mxfp4_e2m1, "float4_e2m1fn", FLOAT8_E8M0FNU),
    "mxfp6 e2m3": (of_gfloat.format_info_mxfp6_e2m3, "float6_e2m3fn", FLOAT8_E8M0FNU),
    "mxfp6 e3m2": (of_gfloat.format_info_mxfp6_e3m2, "float6_e3m2fn", FLOAT8_E8M0FNU),
    "mxfp8 e4m3": (of_gfloat.format_info_mxfp8_e4m3, "float8_e4m3fn", FLOAT8_E8M0FNU),
    "mxfp8 e5m2": (of_gfloat.format_info_mxfp8_e5m2, "float8_e5m2", FLOAT8_E8M0FNU),
    "mxint8": (of_gfloat.format_info_mxint8, "int8", E8M0_OF_INTEGERS),
}
IN_TORCHAO: Mapping[str, Any] = {
    "float4_e2m1fn": torch.float4_e2m1fn_x2,
    "float6_e2m3fn": "fp6_e2m3",
    "float6_e3m2fn": "fp6_e3m2",
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
RULES = ("floor", "ceil", "even", "rceil")


def blocks(count: int) -> Array:
    """Groups of 32 whose largest magnitudes are near powers of two, ties of them, or anything."""
    rng = np.random.default_rng(count)
    amax = 2.0 ** rng.integers(-30, 30, (count, 1)) * rng.choice(
        [1.0, 1.5, 1.75, 1.9375], (count, 1)
    )
    amax = np.where(rng.random((count, 1)) < 0.4, amax * (1 + rng.random((count, 1))), amax)
    amax *= 1 + rng.integers(-2, 3, (count, 1)) * 2.0**-23
    x = rng.uniform(-1, 1, (count, 32)) * amax
    x[:, :1] = np.where(rng.random((count, 1)) < 0.5, amax, -amax)
    return x.astype(np.float32)


def scale_of(x: Array, args: FormatArgs) -> Array:
    """The scale of each group."""
    scale, _ = calculate_qparams(*minmax(x, args), args)
    return scale


@pytest.mark.parametrize("name", MX)
def test_mx_of_the_ocp_specification(name: str) -> None:
    """Each value of a block by the floor rule is gfloat's, the integers' too."""
    info, code, scale_format = MX[name]
    args = FormatArgs(
        code_format=code,  # type: ignore[arg-type]
        scale_format=scale_format,
        scale_rule="floor",
        group_size=32,
    )
    x = blocks(24)
    ours = fake_quantize(x, scale_of(x, args), None, args)

    def floor(emax: float, block: Array) -> float:
        return 2.0 ** (np.frexp(np.abs(block).max())[1] - 1 - emax)

    theirs = [gfloat.quantize_block(info, row.astype(np.float64), floor) for row in x]
    assert_same(ours + 0, (np.array(theirs) + 0).astype(np.float32), x=x)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("code", IN_TORCHAO)
def test_power_of_two_scales_of_torchao(code: str, rule: str) -> None:
    """The scale of each rule is torchao's, but that it takes its logarithm for RCEIL in float32."""
    args = FormatArgs(
        code_format=code,  # type: ignore[arg-type]
        scale_format=FLOAT8_E8M0FNU,
        scale_rule=rule,
        group_size=32,
    )
    x = blocks(400)
    if rule == "rceil":
        ratio = np.abs(x).max(axis=1) / np.float32(args.code_format.max)
        x = x[np.abs(ratio / 2.0 ** np.rint(np.log2(ratio)) - 1) > 2.0**-16]
        assert len(x) > 200
    scale, _ = to_mx(torch.from_numpy(x), IN_TORCHAO[code], 32, ScaleCalculationMode[rule.upper()])
    stored = scale.view(torch.uint8).numpy().astype(np.int64)
    assert_same(scale_of(x, args), np.ldexp(np.float32(1), stored - 127), x=x[:, :1])


def test_a_logarithm_of_float32_clips() -> None:
    """Just above 448 * 2^20 the scale must be 2^21: torchao's logarithm says 2^20, which clips."""
    x = np.full((1, 32), np.nextafter(np.float32(448 * 2.0**20), np.float32(np.inf)))
    args = FormatArgs(
        code_format="float8_e4m3fn",  # type: ignore[arg-type]
        scale_format=FLOAT8_E8M0FNU,
        scale_rule="rceil",
        group_size=32,
    )
    scale, _ = to_mx(torch.from_numpy(x), torch.float8_e4m3fn, 32, ScaleCalculationMode.RCEIL)
    assert log2(float(scale_of(x, args)[0, 0])) == 21
    assert int(scale.view(torch.uint8)[0, 0]) - 127 == 20


@pytest.mark.parametrize("code", ["int8", "float4_e2m1fn", "float6_e3m2fn"])
def test_upstream_refuses_their_json(code: str) -> None:
    """A config that upstream could not compute is not read by it, and the error names the key."""
    args = FormatArgs(code_format=code)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="qparity"):
        UpstreamArgs.model_validate(args.to_dict())


def info_of(row: FloatFormat | IntFormat) -> gfloat.FormatInfo:
    """A format as gfloat describes it."""
    if isinstance(row, IntFormat):
        return of_gfloat.format_info_ocp_int8
    return gfloat.FormatInfo(
        row.name,
        k=row.bits,
        precision=row.mantissa_bits + 1,
        bias=row.bias,
        is_signed=row.signed,
        domain=gfloat.Domain.Extended if row.has_inf else gfloat.Domain.Finite,
        has_nz=row.signed,
        num_high_nans=(2**row.mantissa_bits - 1 if row.has_inf else int(row.has_nan)),
        has_subnormals=True,
        is_twos_complement=False,
    )


OWN = {
    "e2m1": FORMATS["float4_e2m1fn"],
    "e3m2 of bias 1": FloatFormat(exponent_bits=3, mantissa_bits=2, bias=1),
    "e4m3 with inf": FloatFormat(exponent_bits=4, mantissa_bits=3, has_inf=True, has_nan=True),
    "e2m4 with NaN": FloatFormat(exponent_bits=2, mantissa_bits=4, has_nan=True),
    "ue4m3": FloatFormat(exponent_bits=4, mantissa_bits=3, has_nan=True, signed=False),
}


@pytest.mark.parametrize("name", OWN)
def test_codes_of_gfloat(name: str) -> None:
    """A value rounded to a format of one's own is what gfloat rounds it to."""
    row = OWN[name]
    assert isinstance(row, FloatFormat)
    info, rng = info_of(row), np.random.default_rng(5)
    assert (info.max, info.bits) == (row.max, row.bits)
    every = np.array([gfloat.decode_float(info, code).fval for code in range(1 << row.bits)])
    every = np.unique(every[np.isfinite(every)])
    ties = (every[:-1] + every[1:]) / 2
    x = np.concatenate([every, ties, ties * (1 + 2.0**-20), rng.normal(0, row.max, 200)])
    x = x.astype(np.float32)
    ours = round_to_quantized_type_args(
        x, FormatArgs(code_format=row, symmetric=row.signed), row.min, row.max
    )
    theirs = [gfloat.round_float(info, float(v), sat=True) if v > row.min else row.min for v in x]
    assert_same(ours + 0, np.array(theirs, np.float32) + 0, x=x)


@pytest.mark.parametrize(("rule", "mode"), [("nearest", "TiesToEven"), ("rceil", "TowardPositive")])
def test_scales_of_ue5m3(rule: str, mode: str) -> None:
    """amax / 6 in UE5M3, to the nearest or up, is what gfloat rounds it to."""
    args = FormatArgs(
        code_format="float4_e2m1fn",  # type: ignore[arg-type]
        scale_format=UE5M3,
        scale_rule=rule,
        group_size=32,
    )
    amax = np.abs(blocks(300)).max(axis=1)
    amax = np.append(amax, np.float32([2.0**-17 * 6, 2.0**-17 * 3.1, 1.0625 * 6, 1.1875 * 6, 2e6]))
    scale, _ = calculate_qparams(-amax, amax, args)
    info, way = info_of(UE5M3), gfloat.RoundMode[mode]
    quotient = amax / np.float32(6)
    theirs = np.array([gfloat.round_float(info, float(q), way, sat=True) for q in quotient])
    theirs = np.where(theirs == 0, 0.125, theirs).astype(np.float32)
    assert_same(scale, theirs, amax=amax)


@pytest.mark.parametrize(
    ("dtype", "widths"), [("float8_e3m4", (3, 4)), ("float8_e4m3", (4, 3)), ("float8_e5m2", (5, 2))]
)
def test_codes_of_ml_dtypes(dtype: str, widths: tuple[int, int]) -> None:
    """A value of every float16 rounds as ml_dtypes casts it, once it is in range."""
    row = FloatFormat(exponent_bits=widths[0], mantissa_bits=widths[1], has_inf=True, has_nan=True)
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    with np.errstate(invalid="ignore"):
        x = x[np.isfinite(x)]
    args = FormatArgs(code_format=row)
    ours = quantize(x, np.ones(1, np.float16), None, args)
    theirs = np.clip(x, row.min, row.max).astype(getattr(ml_dtypes, dtype)).astype(np.float16)
    assert_same(ours, theirs, x=x)
