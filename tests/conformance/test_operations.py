"""Every operation of the reference is judged, in every format and dtype."""

from collections import Counter

import numpy as np
import pytest

from qparity import reference
from qparity.backends import load_backend
from qparity.conformance.bits import bits_of
from qparity.conformance.operations import all_checks, public_operations, scheme_checks
from qparity.conformance.packed import ROUNDING_TARGETS
from qparity.conformance.quantized import STRATEGIES, WORKING
from qparity.conformance.spec import FORMATS_OF_CODES
from qparity.reference import PRESET_SCHEMES, QuantizationArgs, QuantizationScheme

CHECKS = all_checks()
OF_FORMATS = (
    *("round_to_quantized_type_args", "calculate_qparams", "compute_dynamic_scales_and_zp"),
    *("quantize", "dequantize", "fake_quantize"),
)
READERS = {"infer_format", "preset_name_to_scheme"}


def test_public_functions_are_the_functions_of_the_reference() -> None:
    """All functions that the reference exports are operations, but the two readers of data."""
    functions = {
        name
        for name in reference.__all__
        if callable(getattr(reference, name)) and not isinstance(getattr(reference, name), type)
    }
    assert set(public_operations()) == functions - READERS
    assert len(public_operations()) == len(set(public_operations()))


def test_public_functions_are_the_verified_functions() -> None:
    """Each operation has a check, and each check is of an operation."""
    assert {check.op for check in CHECKS} == set(public_operations())


def test_the_reference_as_a_backend_has_every_operation() -> None:
    """Nothing is unsupported by the backend ``numpy``."""
    backend = load_backend("numpy")
    assert all(callable(getattr(backend, op)) for op in public_operations())


def test_checks_have_names_of_their_own() -> None:
    """No two checks of an operation share a name: each is found in a report by it."""
    counted = Counter((check.op, check.name) for check in CHECKS)
    assert set(counted.values()) == {1}
    for name, preset in PRESET_SCHEMES.items():
        del preset
        checks = scheme_checks(name, reference.preset_name_to_scheme(name))
        assert len({(check.op, check.name) for check in checks}) == len(checks)


@pytest.mark.parametrize("op", OF_FORMATS)
def test_every_format_is_met_in_every_dtype(op: str) -> None:
    """int1 to int8, fp4, fp6 and fp8 are checked in each of the four working dtypes."""
    found = Counter((c.spec.type, c.spec.num_bits, c.spec.dtype) for c in CHECKS if c.op == op)
    wanted = {(kind, bits, dtype) for kind, bits in FORMATS_OF_CODES for dtype in WORKING}
    assert set(found) == wanted


def test_every_dtype_is_rounded_to_from_every_dtype() -> None:
    """Rounding is checked from each working dtype to each dtype of the format table."""
    names = {check.name for check in CHECKS if check.op == "round_to_quantized_type_dtype"}
    assert names == {f"{target} from {dtype}" for target in ROUNDING_TARGETS for dtype in WORKING}
    small = {row.dtype.name for row in reference.FORMATS.values()}
    assert small <= set(ROUNDING_TARGETS)


@pytest.mark.parametrize("op", ["compress", "decompress"])
def test_every_preset_is_compressed_in_every_dtype(op: str) -> None:
    """Each preset is checked in each of the four working dtypes."""
    names = {check.name for check in CHECKS if check.op == op}
    assert names == {f"{preset} {dtype}" for preset in PRESET_SCHEMES for dtype in WORKING}


@pytest.mark.parametrize("op", ["quantize", "dequantize", "fake_quantize"])
def test_every_strategy_is_met_in_every_check(op: str) -> None:
    """One example of a check of quantize has all seven strategies."""
    for check in CHECKS:
        if check.op == op and check.spec.dtype == np.float32:
            with np.errstate(all="ignore"):
                found = {case.inputs["args"].strategy for case in check.cases(0, False)}
            assert found == set(STRATEGIES)


def test_every_width_is_packed() -> None:
    """1 to 8 bits are checked, into words and out of them, and both small floats."""
    for op in ("pack_to_int32", "unpack_from_int32"):
        assert [c.name for c in CHECKS if c.op == op] == [f"int{bits}" for bits in range(1, 9)]
    for op in ("pack_fp4_to_uint8", "unpack_fp6_from_uint8"):
        assert {c.name for c in CHECKS if c.op == op} == {str(dtype) for dtype in WORKING}


def test_the_rule_of_fused_kernels_is_for_quantize_alone() -> None:
    """``compute_dtype`` reaches the checks of the two operations that have it."""
    float32 = np.dtype(np.float32)
    having = {c.op for c in all_checks(float32) if c.spec.compute_dtype == float32}
    assert having == {"quantize", "fake_quantize"}


@pytest.mark.parametrize("preset", PRESET_SCHEMES)
def test_a_scheme_is_checked_by_its_own_args(preset: str) -> None:
    """The checks of a scheme have its args, of each side that has any, and no others."""
    scheme = reference.preset_name_to_scheme(preset)
    checks = scheme_checks(preset, scheme)
    sides = {scheme.weights, scheme.input_activations} - {None}
    assert {check.spec.args for check in checks} - {None} == sides
    for check in checks[::9]:
        with np.errstate(all="ignore"):
            for case in check.cases(1, False):
                args = case.inputs.get("args") or case.inputs["scheme"].weights
                assert args in sides or args is None


def test_tokens_have_no_static_range_and_channels_no_dynamic_one() -> None:
    """A scheme is checked by the operations that its strategies have."""
    token = QuantizationScheme(("Linear",), None, QuantizationArgs(strategy="token", dynamic=True))
    channel = QuantizationScheme(("Linear",), QuantizationArgs(strategy="channel"))
    of_token, of_channel = ({c.op for c in scheme_checks("s", s)} for s in (token, channel))
    assert "compute_dynamic_scales_and_zp" in of_token - of_channel
    assert {"minmax", "static_minmax", "memoryless_minmax"} <= of_channel - of_token


def test_the_same_seed_makes_the_same_cases() -> None:
    """Cases depend on the check and its seed alone."""
    for check in CHECKS[::37]:
        with np.errstate(all="ignore"):
            one, same, other = ([*check.cases(seed, True)] for seed in (5, 5, 6))
        arrays = [
            [v for case in cases for v in case.simple_inputs.values() if isinstance(v, np.ndarray)]
            for cases in (one, same, other)
        ]
        pairs = zip(arrays[0], arrays[1], strict=True)
        assert all((bits_of(a) == bits_of(b)).all() for a, b in pairs)
        if arrays[0]:
            joined = [b"".join(a.tobytes() for a in found) for found in arrays]
            assert joined[0] != joined[2]
