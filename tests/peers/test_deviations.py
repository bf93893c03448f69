"""Where the reference means to differ from compressed-tensors 0.20.0: both answers, side by side.

One test for each row of ``docs/deviations.md``; it fails if either answer changes.
"""

import numpy as np
import pytest
import torch
from compressed_tensors.quantization import QuantizationArgs as PeerArgs
from compressed_tensors.quantization.utils import helpers

from qparity import reference
from qparity.reference import QuantizationArgs, QuantizationScheme
from tests.peers import upstream
from tests.peers.bits import Array, assert_same, dtype_of

BFLOAT16 = dtype_of("bfloat16")
FLOAT32 = dtype_of("float32")
MXFP4 = QuantizationArgs(num_bits=4, type="float", group_size=32, scale_dtype="uint8")
BOTH = (reference, upstream)


def floats(*values: float, dtype: str = "float32") -> Array:
    """A 1-D array of a float dtype."""
    return np.array(values).astype(dtype_of(dtype))


def of_linear(args: QuantizationArgs) -> QuantizationScheme:
    """A scheme with these weights and no activations."""
    return QuantizationScheme(("Linear",), weights=args)


def test_nan() -> None:
    """A NaN is no code but that of +0, and no MX scale; upstream lets it through as NaN and inf."""
    x, scale = floats(np.nan, 1.0), floats(1.0)
    ours, theirs = (f.quantize(x, scale, None, QuantizationArgs()) for f in BOTH)
    assert_same(ours, floats(0.0, 1.0))
    assert_same(theirs, floats(np.nan, 1.0))
    infinite = floats(np.inf, 1.0)
    ours, theirs = (f.quantize(infinite, infinite[:1], None, QuantizationArgs()) for f in BOTH)
    assert_same(ours, floats(0.0, 0.0))
    assert_same(theirs, floats(np.nan, 0.0))
    ours, theirs = (f.calculate_qparams(x, x, MXFP4)[0] for f in BOTH)
    assert_same(ours, floats(np.nan, 0.25))
    assert_same(theirs, floats(np.inf, 0.25))


def test_token_of_two_dimensions() -> None:
    """Dynamic ``token`` has one scale a row; upstream has one for all rows of a 2-D tensor."""
    args = QuantizationArgs(strategy="token", dynamic=True)
    x = floats(127.5, 1.0, 1.0, 255.0).reshape(2, 2)
    ours, theirs = (f.compute_dynamic_scales_and_zp(x, args)[0] for f in BOTH)
    assert_same(ours, floats(1.0, 2.0).reshape(2, 1))
    assert_same(theirs, floats(2.0))


@pytest.mark.parametrize(
    ("dtype", "field", "wider"),
    [
        ("float16", "scale_dtype", "bfloat16"),
        ("float16", "scale_dtype", "float32"),
        ("bfloat16", "scale_dtype", "float32"),
        ("float32", "scale_dtype", "float64"),
        ("float16", "zp_dtype", "bfloat16"),
        ("bfloat16", "zp_dtype", "float32"),
    ],
)
def test_dtype_of_a_larger_range(dtype: str, field: str, wider: str) -> None:
    """A scale_dtype or zp_dtype of a larger range than the data's works; upstream raises."""
    args = QuantizationArgs(symmetric=False, **{field: wider})
    low, high = floats(-127.0, dtype=dtype), floats(128.0, dtype=dtype)
    scale, zero_point = reference.calculate_qparams(low, high, args)
    assert_same(scale, floats(1.0, dtype=dtype))
    zp_dtype = wider if field == "zp_dtype" else "int8"
    assert_same(zero_point, floats(-1.0, dtype=zp_dtype))
    with pytest.raises(RuntimeError, match="without overflow"):
        upstream.calculate_qparams(low, high, args)


@pytest.mark.parametrize(
    ("dtype", "amax", "scale"),
    [
        ("float16", 65504.0, 2.0**14),
        ("bfloat16", 2.0**127 * 1.75, 2.0**126),
        ("float32", 2.0**127 * 1.75, 2.0**126),
        ("float64", 2.0**1023 * 1.75, 2.0**127),
        ("float64", 2.0**130, 2.0**127),
    ],
)
def test_mx_of_the_largest_ranges(dtype: str, amax: float, scale: float) -> None:
    """A finite range has a finite MX scale; upstream's overflows to inf."""
    high = floats(amax, dtype=dtype)
    ours, theirs = (f.calculate_qparams(-high, high, MXFP4)[0] for f in BOTH)
    assert_same(ours, floats(scale, dtype=dtype))
    assert_same(theirs, floats(np.inf, dtype=dtype))


def test_scales_without_dimensions() -> None:
    """A 0-D scale gives what a 1-D one gives; upstream computes in the dtype of x then."""
    x, scale, args = floats(1.3, 2.7, dtype="bfloat16"), floats(0.11), QuantizationArgs()
    ours, theirs = (f.fake_quantize(x, scale[0].reshape(()), None, args) for f in BOTH)
    assert_same(ours, upstream.fake_quantize(x, scale, None, args))
    assert ours.dtype == FLOAT32
    codes = [f.quantize(x, scale[0].reshape(()), None, args) for f in BOTH]
    assert [c.dtype for c in codes] == [FLOAT32, BFLOAT16]
    assert theirs.dtype == FLOAT32


def test_inputs_without_dimensions() -> None:
    """A 0-D x gives what a 1-D one gives; upstream returns the dtype and shape of the scale."""
    x, scale, args = floats(1.3), floats(0.1, dtype="bfloat16"), QuantizationArgs()
    ours, theirs = (f.quantize(x[0].reshape(()), scale, None, args) for f in BOTH)
    assert_same(ours, upstream.quantize(x, scale, None, args))
    assert [ours.dtype, theirs.dtype] == [FLOAT32, BFLOAT16]
    nothing = scale[0].reshape(())
    shapes = [f.quantize(x[0].reshape(()), nothing, None, args).shape for f in BOTH]
    assert shapes == [(1,), ()]


def test_global_scales_without_dimensions() -> None:
    """A 0-D global scale gives what a 1-D one gives; upstream keeps the dtype of the range."""
    low, high = floats(-1.3, dtype="bfloat16"), floats(2.7, dtype="bfloat16")
    whole, args = floats(3.0), QuantizationArgs()
    ours, theirs = (f.calculate_qparams(low, high, args, whole[0].reshape(()))[0] for f in BOTH)
    assert_same(ours, upstream.calculate_qparams(low, high, args, whole)[0])
    assert ours.dtype == FLOAT32
    assert_same(theirs, floats(0.063476562, dtype="bfloat16"))


def test_ranges_without_dimensions() -> None:
    """A 0-D range gives what a 1-D one gives; upstream's zero-point has other roundings."""
    args = QuantizationArgs(symmetric=False)
    low, high = floats(-0.0625, dtype="bfloat16"), floats(2.375, dtype="bfloat16")
    ours, theirs = (f.calculate_qparams(low.reshape(()), high.reshape(()), args)[1] for f in BOTH)
    assert_same(ours, upstream.calculate_qparams(low, high, args)[1])
    assert (ours, theirs) == (np.array([-122]), np.array([-121]))


def test_dynamic_tensor() -> None:
    """Dynamic ``tensor`` is the static qparams of its range; upstream's range is 0-D there."""
    args = QuantizationArgs(symmetric=False, strategy="tensor", dynamic=True)
    x = floats(-0.0625, 2.375, dtype="bfloat16")
    ours, theirs = (f.compute_dynamic_scales_and_zp(x, args)[1] for f in BOTH)
    assert_same(ours, upstream.calculate_qparams(x[:1], x[1:], args)[1])
    assert (ours, theirs) == (np.array([-122]), np.array([-121]))
    shapes = [f.compute_dynamic_scales_and_zp(x, args, floats(1.0))[1].shape for f in BOTH]
    assert shapes == [(1,), ()]


def test_groups_of_one_dimension() -> None:
    """A 1-D x is one row of groups; upstream reads its 1-D scale as one value a row."""
    x, scale, args = floats(1, 2, 3, 4), floats(1, 2), QuantizationArgs(group_size=2)
    ours, theirs = (f.quantize(x, scale, None, args) for f in BOTH)
    assert_same(ours, floats(1, 2, 2, 2))
    assert_same(theirs, floats(1, 2, 3, 4, 0, 1, 2, 2).reshape(2, 4))


def test_words_of_one_row() -> None:
    """Four-bit codes packed along dim 0 into one row of words are unpacked; upstream raises."""
    codes = np.arange(-8, 8, dtype=np.int8).reshape(8, 2)
    words = upstream.pack_to_int32(codes, 4, 0)
    assert_same(reference.unpack_from_int32(words, 4, (8, 2), 0), codes)
    with pytest.raises(RuntimeError, match="stride"):
        upstream.unpack_from_int32(words, 4, (8, 2), 0)


def test_fp4_groups_without_scale_dtype() -> None:
    """fp4 ``tensor_group`` computes with the e4m3 scale that is stored; upstream does not."""
    args = QuantizationArgs(num_bits=4, type="float", strategy="tensor_group", group_size=16)
    ours, theirs = (f.calculate_qparams(floats(-1.0), floats(1.0), args)[0] for f in BOTH)
    assert_same(ours, floats(0.171875))
    assert_same(theirs, floats(1 / 6))


def test_stored_scale() -> None:
    """Every format stores the scale in scale_dtype; upstream keeps the working dtype in most."""
    scheme = of_linear(QuantizationArgs(strategy="channel", scale_dtype="bfloat16"))
    tensors = {"weight": np.eye(2, 4, dtype=np.float32), "weight_scale": floats(0.1).reshape(1, 1)}
    ours, theirs = (f.compress(tensors, scheme)["weight_scale"] for f in BOTH)
    assert_same(ours, floats(0.1, dtype="bfloat16").reshape(1, 1))
    assert_same(theirs, floats(0.1).reshape(1, 1))


@pytest.mark.parametrize(
    ("scale_dtype", "scale", "ours", "theirs"),
    [("float16", 1e6, 65504.0, np.inf), ("uint8", 2.75, 3.0, 2.0)],
)
def test_stored_scale_out_of_its_dtype(
    scale_dtype: str, scale: float, ours: float, theirs: float
) -> None:
    """A stored scale saturates and rounds to nearest; upstream's overflows or is cut off."""
    args = QuantizationArgs(num_bits=4, type="float", group_size=16, scale_dtype=scale_dtype)
    tensors = {"weight": np.ones((1, 16), np.float32), "weight_scale": floats(scale).reshape(1, 1)}
    answers = [f.compress(tensors, of_linear(args))["weight_scale"] for f in BOTH]
    assert_same(answers[0], floats(ours, dtype=scale_dtype).reshape(1, 1))
    assert_same(answers[1], floats(theirs, dtype=scale_dtype).reshape(1, 1))


def test_asymmetric_mx() -> None:
    """Asymmetric MX is refused; upstream reads its linear scale as an exponent."""
    fields = {"num_bits": 8, "type": "float", "group_size": 32, "scale_dtype": "uint8"}
    with pytest.raises(ValueError, match="symmetric"):
        QuantizationArgs(symmetric=False, **fields)
    theirs = PeerArgs(symmetric=False, **fields)
    scale, _ = helpers.calculate_qparams(torch.tensor([-448.0]), torch.tensor([448.0]), theirs)
    assert float(scale) == 2.0**-126


def test_mx_with_a_global_scale() -> None:
    """MX with a global scale is refused; upstream multiplies the exponent by it."""
    with pytest.raises(ValueError, match="global_scale"):
        reference.calculate_qparams(floats(-1.0), floats(1.0), MXFP4, floats(1.5))
    theirs, _ = upstream.calculate_qparams(floats(-1.0), floats(1.0), MXFP4, floats(1.5))
    assert_same(theirs, floats(2.0**61))
    tensors = {
        "weight": np.ones((1, 32), np.float32),
        "weight_scale": floats(0.25).reshape(1, 1),
        "weight_global_scale": floats(2.0),
    }
    with pytest.raises(ValueError, match="weight_global_scale"):
        reference.compress(tensors, of_linear(MXFP4))
    assert upstream.compress(tensors, of_linear(MXFP4))["weight_packed"][0, 0] == 0x77


@pytest.mark.parametrize("bits", [4, 6])
def test_small_floats_without_scale_dtype(bits: int) -> None:
    """fp4 and fp6 in groups of 32 need a scale_dtype to be stored; upstream stores another."""
    scheme = of_linear(QuantizationArgs(num_bits=bits, type="float", group_size=32))
    tensors = {"weight": np.ones((1, 32), np.float32), "weight_scale": floats(0.3).reshape(1, 1)}
    with pytest.raises(ValueError, match="scale_dtype"):
        reference.compress(tensors, scheme)
    theirs = upstream.decompress(upstream.compress(tensors, scheme), scheme)
    assert_same(theirs["weight_scale"], floats(0.25, dtype="bfloat16").reshape(1, 1))


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("pack_to_int32", np.full((1, 32), 100, np.int8)),
        ("pack_fp4_to_uint8", np.full((1, 4), 0.7, np.float32)),
        ("pack_fp6_to_uint8", np.full((1, 4), 9.0, np.float32)),
    ],
)
def test_values_that_are_no_codes(operation: str, value: Array) -> None:
    """Packing refuses a value that is no code of the format; upstream packs another value."""
    bits = (4,) if operation == "pack_to_int32" else ()
    with pytest.raises(ValueError, match="value"):
        getattr(reference, operation)(value, *bits)
    assert getattr(upstream, operation)(value, *bits).size > 0
