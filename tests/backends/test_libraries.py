"""The libraries as backends: what they answer, decline and declare."""

import numpy as np
import pytest

from qparity.backends import load_backend
from qparity.conformance.case import Case, DeclaredDifferenceError, UnsupportedError, run_case
from qparity.conformance.verify import verify
from qparity.reference import QuantizationArgs, calculate_qparams, minmax, preset_name_to_scheme

LIBRARIES = ("compressed_tensors:cpu", "torchao:cpu", "ml_dtypes", "gfloat", "onnx")
X = np.linspace(-3, 3, 256, dtype=np.float32).reshape(2, 128)
W8 = preset_name_to_scheme("W8A16").weights


def quantize_case(x: np.ndarray, args: QuantizationArgs, **more: object) -> Case:
    """A call of quantize with the scale of its own range."""
    scale, zero_point = calculate_qparams(*minmax(np.nan_to_num(x), args), args)
    return Case("quantize", {"x": x, "scale": scale, "zero_point": zero_point, "args": args} | more)


@pytest.mark.parametrize("name", LIBRARIES)
def test_casts_agree_where_nothing_is_declared(name: str) -> None:
    """Every library rounds float32 to e4m3 as the reference does, within the range."""
    inputs = {"x": X, "dtype": np.dtype("float8_e4m3fn"), "cast_to_original_dtype": True}
    assert run_case(Case("round_to_quantized_type_dtype", inputs), load_backend(name))[2] is None


def test_compressed_tensors_differs_as_declared_alone() -> None:
    """compressed-tensors 0.20.0 on the CPU is equal in bits but for the rows of deviations.md."""
    operations = ("calculate_qparams", "quantize")
    report = verify(
        load_backend("compressed_tensors:cpu"),
        name="compressed_tensors:cpu",
        level="smoke",
        operations=operations,
        cases_folder=None,
    )
    assert {outcome.status for outcome in report.outcomes} == {"PASS", "KNOWN"}
    assert report.environment["compressed-tensors"] == "0.20.0"
    names = {name for outcome in report.outcomes for name in outcome.declared}
    assert {"deviation 1", "deviation 3", "deviation 5"} <= names


def test_a_declared_row_hides_no_other_element() -> None:
    """Only the elements that are NaN are declared; one that differs beside them is a failure."""
    assert W8 is not None
    x = X.copy()
    x[0, 0] = np.nan
    peer = load_backend("compressed_tensors:cpu")

    class Wrong:
        deviations = "compressed-tensors"
        from_numpy, to_numpy = staticmethod(peer.from_numpy), staticmethod(peer.to_numpy)

        @staticmethod
        def quantize(*args: object, **named: object) -> object:
            codes = peer.quantize(*args, **named)  # type: ignore[attr-defined]
            codes[1, 7] += 1
            return codes

    case = quantize_case(x, W8)
    with pytest.raises(DeclaredDifferenceError, match="deviation 1"):
        run_case(case, peer)
    difference = run_case(case, Wrong())[2]
    assert difference is not None
    assert (difference.count, dict(difference.declared)) == (1, {"deviation 1": 1})


def test_torchao_multiplies_by_a_reciprocal() -> None:
    """torchao's integer codes are those of its own formula, ties of x/s included."""
    args = QuantizationArgs(strategy="channel", symmetric=False)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 4096)).astype(np.float32)
    case = quantize_case(x, args, dtype=np.dtype(np.int8))
    scale, zero_point = case.inputs["scale"], case.inputs["zero_point"]
    codes = np.round(x * (np.float32(1) / scale)) + zero_point.astype(np.float32)
    backend = load_backend("torchao:cpu")
    native = [backend.from_numpy(a) for a in (x, scale, zero_point)]
    got = backend.quantize(*native, args, dtype=np.dtype(np.int8))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(backend.to_numpy(got), np.clip(codes, -128, 127))


@pytest.mark.parametrize(
    ("name", "case", "reason"),
    [
        ("torchao:cpu", quantize_case(X, W8), "int8"),
        ("torchao:cpu", Case("calculate_range", {"args": W8}), "no function calculate_range"),
        (
            "compressed_tensors:cpu",
            quantize_case(X, W8, g_idx=np.zeros(128, np.int32)),
            "compressed-tensors 0.20.0 has no g_idx",
        ),
        (
            "onnx",
            Case("round_to_quantized_type_dtype", {"x": X, "dtype": np.dtype("float16")}),
            "onnx is not asked for float32 to float16",
        ),
    ],
)
def test_what_a_library_lacks_is_unsupported(name: str, case: Case, reason: str) -> None:
    """A call that a library cannot be told is declined, with the reason."""
    with pytest.raises(UnsupportedError, match=reason):
        run_case(case, load_backend(name))


def test_ml_dtypes_does_not_saturate() -> None:
    """A cast beyond the range is declared, not repaired."""
    x = np.float32([1.0, 1000.0])
    case = Case("round_to_quantized_type_dtype", {"x": x, "dtype": np.dtype("float8_e4m3fn")})
    with pytest.raises(DeclaredDifferenceError, match="not saturated") as caught:
        run_case(case, load_backend("ml_dtypes"))
    assert caught.value.counts == {"ml_dtypes: not saturated": 1}
