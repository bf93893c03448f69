"""The torch backend has the bits of the reference for formats and scale rules of one's own."""

from typing import Any

import numpy as np
import pytest
import torch

from qparity.backends.torch_eager import TorchBackend
from qparity.conformance.case import run_case
from qparity.conformance.operations import scheme_checks
from qparity.reference import FLOAT8_E8M0FNU, FormatArgs, QuantizationScheme, compress
from tests.reference.test_format_args_oracle import CODES, RULES, SCALES, UNSIGNED, args_of

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
SHAPES: list[dict[str, Any]] = [
    {"strategy": "tensor_group", "group_size": 16},
    {"strategy": "group", "group_size": 32, "dynamic": True},
    {"strategy": "channel"},
    {"strategy": "block", "block_structure": (2, 3)},
    {"strategy": "token", "dynamic": True},
]


def assert_equal(args: FormatArgs, device: str, seed: int) -> int:
    """Every operation on cases of every dtype has the reference's bits; how many there were."""
    backend, count = TorchBackend(device), 0
    for check in scheme_checks("own", QuantizationScheme(("Linear",), args)):
        with np.errstate(all="ignore"):
            for case in check.cases(seed, nan=seed % 2 == 1):
                _, _, difference = run_case(case, backend)
                assert difference is None, (case, difference)
                count += 1
    return count


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("code", [*CODES, *UNSIGNED])
def test_codes_of_every_format(code: str, device: str) -> None:
    """Codes, values, ranges and qparams of a format are the reference's."""
    formats = {**CODES, **UNSIGNED}
    seed = list(formats).index(code)
    args = args_of(formats[code], **SHAPES[seed % len(SHAPES)])
    assert assert_equal(args, device, seed) > 20


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scale", SCALES)
def test_scales_of_every_format_and_rule(scale: str, rule: str, device: str) -> None:
    """Scales by every rule, in every format, are the reference's."""
    row = SCALES[scale]
    backend = TorchBackend(device)
    seed = list(SCALES).index(scale) + RULES.index(rule)
    code = ("float4_e2m1fn", "int8", "e2m3 without subnormals")[seed % 3]
    shape = SHAPES[seed % 3 + (rule not in RULES[:2])]
    args = args_of(CODES[code], **{"scale_format": row, "scale_rule": rule, **shape})
    for check in scheme_checks("own", QuantizationScheme(("Linear",), args)):
        if check.op in ("calculate_qparams", "generate_gparam"):
            for case in check.cases(seed, nan=seed % 2 == 1):
                _, _, difference = run_case(case, backend)
                assert difference is None, (case, difference)


def test_no_checkpoint_holds_them() -> None:
    """compress refuses formats of one's own in the words of the reference."""
    scheme = QuantizationScheme(("Linear",), FormatArgs(scale_format=FLOAT8_E8M0FNU))
    for format in (None, "pack-quantized"):
        with pytest.raises(ValueError, match="of FormatArgs is not allowed") as expected:
            compress({}, scheme, format)
        with pytest.raises(ValueError, match="of FormatArgs is not allowed") as actual:
            TorchBackend("cpu").compress({}, scheme, format)
        assert str(actual.value) == str(expected.value)


def test_powers_of_two_have_no_global_scale() -> None:
    """A rule of exponents refuses a global scale, as MX does."""
    one, args = torch.ones(1), FormatArgs(scale_format=FLOAT8_E8M0FNU, scale_rule="ceil")
    with pytest.raises(ValueError, match="global_scale: not allowed for scale_rule 'ceil'"):
        TorchBackend("cpu").calculate_qparams(-one, one, args, one)
