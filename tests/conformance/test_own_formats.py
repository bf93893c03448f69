"""The judge on formats and scale rules of one's own: what it makes, and what it tells apart."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qparity import reference
from qparity.backends import load_backend, numpy_backend
from qparity.conformance.case import Case, run_case
from qparity.conformance.case_file import load_case, save_case
from qparity.conformance.compare import find_difference
from qparity.conformance.of_formats import may_have_global_scale, scale_grid, stored_dtype
from qparity.conformance.operations import scheme_checks
from qparity.conformance.strategies import format_args
from qparity.conformance.values import codes_of
from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT8_E4M3FN,
    FLOAT8_E8M0FNU,
    FORMATS,
    FloatFormat,
    FormatArgs,
    IntFormat,
    QuantizationArgs,
    QuantizationScheme,
    preset_name_to_scheme,
)

UE5M3 = FloatFormat(exponent_bits=5, mantissa_bits=3, has_nan=True, signed=False)
MX = FormatArgs(
    code_format=FLOAT4_E2M1FN, scale_format=FLOAT8_E8M0FNU, scale_rule="floor", group_size=32
)
TWO_LEVELS = FormatArgs(
    code_format=FLOAT4_E2M1FN, scale_format=UE5M3, strategy="tensor_group", group_size=16
)
FLUSHED = FloatFormat(exponent_bits=2, mantissa_bits=3, has_subnormals=False)
# the scheme, and the one that a mistaken backend computes
MISTAKES: dict[str, tuple[FormatArgs, dict[str, Any]]] = {
    "ceil for floor": (MX, {"scale_rule": "ceil"}),
    "even for floor": (MX, {"scale_rule": "even"}),
    "rceil for floor": (MX, {"scale_rule": "rceil"}),
    "nearest for rceil": (replace(MX, scale_rule="rceil"), {"scale_rule": "nearest"}),
    "e4m3 for ue5m3": (TWO_LEVELS, {"scale_format": FLOAT8_E4M3FN}),
    "rceil for nearest": (TWO_LEVELS, {"scale_rule": "rceil"}),
    "subnormals": (
        FormatArgs(code_format=FLUSHED),
        {"code_format": replace(FLUSHED, has_subnormals=True)},
    ),
    "another bias": (
        FormatArgs(code_format=FloatFormat(exponent_bits=3, mantissa_bits=2)),
        {"code_format": FloatFormat(exponent_bits=3, mantissa_bits=2, bias=4)},
    ),
    "a code too many": (
        FormatArgs(code_format=FloatFormat(exponent_bits=3, mantissa_bits=2, max=24)),
        {"code_format": FloatFormat(exponent_bits=3, mantissa_bits=2)},
    ),
    "NaN kept": (
        FormatArgs(code_format=FloatFormat(exponent_bits=3, mantissa_bits=2, max=24)),
        {"code_format": FloatFormat(exponent_bits=3, mantissa_bits=2, max=24, has_nan=True)},
    ),
}


class Mistaken:
    """The reference, computing other args than it is given."""

    from_numpy = staticmethod(numpy_backend.from_numpy)
    to_numpy = staticmethod(numpy_backend.to_numpy)

    def __init__(self, changes: dict[str, Any]) -> None:
        """Keep what it gets wrong."""
        self.changes = changes

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """An operation of the reference with other args."""
        return partial(self._run, getattr(reference, name))

    def _run(self, function: Callable[..., Any], **inputs: Any) -> Any:  # noqa: ANN401 - any call
        if isinstance(inputs.get("args"), FormatArgs):
            args = replace(inputs["args"], scale_dtype=None) if self.changes else inputs["args"]
            inputs["args"] = replace(args, **self.changes)
        return function(**inputs)


def cases(args: FormatArgs) -> list[Case]:
    """Cases of every operation and dtype, with NaN and without."""
    checks = scheme_checks("own", QuantizationScheme(("Linear",), args))
    return [case for nan in (False, True) for check in checks for case in check.cases(3, nan)]


def differs(case: Case, backend: object) -> bool:
    """Whether a backend answers a case in other bits than the reference."""
    with np.errstate(all="ignore"):
        return run_case(case, backend)[2] is not None


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(mistake: str) -> None:
    """Some case tells a rule or a format from one like it; none without the mistake."""
    args, changes = MISTAKES[mistake]
    made = cases(args)
    assert any(differs(case, Mistaken(changes)) for case in made)
    assert not any(differs(case, Mistaken({})) for case in made)


@settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(args=format_args(), seed=st.integers(0, 999))
def test_any_formats_have_the_same_bits_in_torch(args: FormatArgs, seed: int) -> None:
    """Whatever the formats, the rule and the strategy: one case of each operation is equal."""
    backend = load_backend("torch:cpu")
    checks = scheme_checks("own", QuantizationScheme(("Linear",), args))
    for check in checks[seed % 4 :: 4]:
        case = next(iter(check.cases(seed, nan=seed % 2 == 1)), None)
        if case is not None:
            with np.errstate(all="ignore"):
                assert run_case(case, backend)[2] is None, case


def test_a_case_travels(tmp_path: Path) -> None:
    """A case with formats, as args and as arguments, is written and read back."""
    for args in (MX, TWO_LEVELS):
        for check in scheme_checks("own", QuantizationScheme(("Linear",), args)):
            if check.op in ("generate_gparam", "calculate_qparams"):
                case = next(iter(check.cases(0, nan=False)))
                read = load_case(save_case(case, tmp_path))
                assert (read.op, list(read.inputs)) == (case.op, list(case.inputs))
                for name, value in case.inputs.items():
                    if isinstance(value, np.ndarray):
                        assert find_difference(value, read.inputs[name]) is None
                    else:
                        assert read.inputs[name] == value


def test_an_integer_scale_travels(tmp_path: Path) -> None:
    """A global scale of integers names them in its case."""
    args = replace(TWO_LEVELS, scale_format=IntFormat(bits=6, signed=False))
    checks = scheme_checks("own", QuantizationScheme(("Linear",), args))
    (case, *_) = next(c for c in checks if c.op == "generate_gparam").cases(0, nan=False)
    assert load_case(save_case(case, tmp_path)).inputs["scale_data"] == args.scale_format


def test_values_of_a_format() -> None:
    """All values of a format are there, by its fields where no library has it."""
    assert codes_of(FloatFormat(exponent_bits=2, mantissa_bits=1, max=4)).tolist() == [
        *(-4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4)
    ]
    assert codes_of(replace(FLUSHED, name="", signed=False))[:3].tolist() == [0, 1, 1.125]
    assert len(codes_of(UE5M3)) == 255
    powers = codes_of(FLOAT8_E8M0FNU)
    assert (len(powers), powers[0], powers[-1]) == (255, 2.0**-127, 2.0**127)
    for name in ("float6_e3m2fn", "float8_e5m2", "float8_e4m3fn"):
        own = replace(FORMATS[name], name="own")  # type: ignore[arg-type]
        assert codes_of(own).tolist() == codes_of(FORMATS[name]).tolist()


def test_what_follows_from_the_formats() -> None:
    """Plain args and formats of one's own are told apart by their data."""
    nvfp4, mxfp4 = (preset_name_to_scheme(name).weights for name in ("NVFP4", "MXFP4"))
    assert nvfp4 is not None
    assert mxfp4 is not None
    assert [may_have_global_scale(args) for args in (nvfp4, mxfp4, MX, TWO_LEVELS)] == [
        *(True, False, False, True)
    ]
    assert [scale_grid(args) for args in (nvfp4, mxfp4, MX, TWO_LEVELS)] == [
        *(FLOAT8_E4M3FN, None, FLOAT8_E8M0FNU, UE5M3)
    ]
    assert scale_grid(QuantizationArgs(scale_dtype="bfloat16")) is None  # type: ignore[arg-type]
    stored = [QuantizationArgs(), MX, FormatArgs(code_format="float8_e5m2")]  # type: ignore[arg-type]
    stored.append(FormatArgs(code_format="uint8", symmetric=False))  # type: ignore[arg-type]
    names = [dtype and dtype.name for dtype in map(stored_dtype, stored)]
    assert names == ["int8", None, "float8_e5m2", None]
