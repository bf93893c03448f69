"""Where the specification leaves a choice: what the reference answers, and what upstream does.

One test for each row of "Clarifications" in ``docs/deviations.md``.
"""

import numpy as np
import pytest
from compressed_tensors.quantization import QuantizationArgs as PeerArgs

from qparity import reference
from qparity.reference import QuantizationArgs, QuantizationScheme
from tests.peers import generators, upstream
from tests.peers.bits import Array, assert_same, dtype_of

MXFP4 = QuantizationArgs(num_bits=4, type="float", group_size=32, scale_dtype="uint8")
BOTH = (reference, upstream)


def floats(*values: float, dtype: str = "float32") -> Array:
    """A 1-D array of a float dtype."""
    return np.array(values).astype(dtype_of(dtype))


def of_linear(args: QuantizationArgs) -> QuantizationScheme:
    """A scheme with these weights and eight-bit inputs."""
    return QuantizationScheme(("Linear",), args, QuantizationArgs())


@pytest.mark.parametrize("scale_dtype", ["float8_e4m3fn", "float8_e5m2", "uint8"])
def test_eight_bit_scales_are_read_as_bfloat16(scale_dtype: str) -> None:
    """A scale stored in 8 bits is read back as bfloat16; upstream, which writes none, cannot."""
    scheme = of_linear(QuantizationArgs(strategy="channel", scale_dtype=scale_dtype))
    stored = {
        "weight": np.full((1, 4), -100, np.int8),
        "weight_scale": floats(3.0, dtype=scale_dtype).reshape(1, 1),
    }
    ours = reference.decompress(stored, scheme)
    assert_same(ours["weight_scale"], floats(3.0, dtype="bfloat16").reshape(1, 1))
    assert_same(ours["weight"], np.full((1, 4), -300).astype(dtype_of("bfloat16")))
    if scale_dtype == "uint8":
        wrapped = np.full((1, 4), -300 % 256, np.uint8)
        assert_same(upstream.decompress(stored, scheme)["weight"], wrapped)
    else:
        with pytest.raises(NotImplementedError, match="Float8"):
            upstream.decompress(stored, scheme)


@pytest.mark.parametrize("bits", [4, 6])
def test_small_floats_with_a_linear_scale(bits: int) -> None:
    """fp4 and fp6 in groups of 32 store a linear scale as it is; upstream stores its exponent."""
    scheme = of_linear(
        QuantizationArgs(num_bits=bits, type="float", group_size=32, scale_dtype="float16")
    )
    tensors = {"weight": np.ones((1, 32), np.float32), "weight_scale": floats(0.375).reshape(1, 1)}
    ours, theirs = (f.compress(tensors, scheme) for f in BOTH)
    assert_same(ours["weight_scale"], floats(0.375, dtype="float16").reshape(1, 1))
    assert_same(theirs["weight_scale"], floats(125.0, dtype="float16").reshape(1, 1))
    assert_same(ours["weight_packed"], theirs["weight_packed"])
    read = reference.decompress(ours, scheme)["weight_scale"]
    assert_same(read, floats(0.375, dtype="bfloat16").reshape(1, 1))


def test_smallest_scale_that_underflows() -> None:
    """A zero scale becomes the eps of the working dtype where scale_dtype's is too small for it."""
    args = QuantizationArgs(scale_dtype="float64")
    zero = floats(0.0, dtype="float16")
    scale, _ = reference.calculate_qparams(zero, zero, args)
    assert_same(scale, floats(2.0**-10, dtype="float16"))
    with pytest.raises(RuntimeError, match="without overflow"):
        upstream.calculate_qparams(zero, zero, args)


@pytest.mark.parametrize(
    ("scale", "ours", "theirs"),
    [(2.0**-140, 0, 256 + 127 - 140), (np.nextafter(np.float32(8), np.float32(0)), 129, 130)],
)
def test_mx_code_of_other_scales(scale: float, ours: int, theirs: int) -> None:
    """An MX code is the exponent, held within 0 and 254; upstream's wraps, or has log2's error."""
    tensors = {"weight": np.ones((1, 32), np.float32), "weight_scale": floats(scale).reshape(1, 1)}
    answers = [f.compress(tensors, of_linear(MXFP4))["weight_scale"] for f in BOTH]
    assert [int(code[0, 0]) for code in answers] == [ours, theirs]


def test_mx_code_of_no_exponent() -> None:
    """MX stores 0 for zero, 255 for infinity, and refuses a negative scale; upstream does not."""
    for scale, code in ((0.0, 0), (np.inf, 255)):
        tensors = {
            "weight": np.ones((1, 32), np.float32),
            "weight_scale": floats(scale).reshape(1, 1),
        }
        assert reference.compress(tensors, of_linear(MXFP4))["weight_scale"] == code
    tensors["weight_scale"] = floats(-1.0).reshape(1, 1)
    with pytest.raises(ValueError, match="scale"):
        reference.compress(tensors, of_linear(MXFP4))
    assert upstream.compress(tensors, of_linear(MXFP4))["weight_scale"].shape == (1, 1)


@pytest.mark.parametrize(
    ("kind", "bits", "dtype", "theirs"),
    [
        ("float", 4, "int8", 1.0),
        ("float", 8, "int8", 104.0),
        ("float", 6, "float8_e5m2", 1.5),
        ("float", 8, "float8_e5m2", 96.0),
        *(("int", bits, "float8_e4m3fn", 16.0) for bits in (6, 7, 8)),
        *(("int", bits, "float8_e5m2", 8.0) for bits in (5, 6, 7, 8)),
    ],
)
def test_codes_that_a_dtype_cannot_hold(kind: str, bits: int, dtype: str, theirs: float) -> None:
    """``quantize`` refuses a dtype that cannot hold the codes; upstream casts, and loses some.

    Where a float of 8 bits holds every code, both return it.
    """
    args = QuantizationArgs(num_bits=bits, type=kind)
    x = floats({4: 1.5, 6: 1.625, 8: 103.0}[bits] if kind == "float" else theirs + 1)
    with pytest.raises(ValueError, match="dtype"):
        reference.quantize(x, floats(1.0), None, args, dtype=dtype_of(dtype))
    lossy = upstream.quantize(x, floats(1.0), None, args, dtype=dtype_of(dtype))
    assert_same(lossy, floats(theirs, dtype=dtype))
    held = {"float8_e4m3fn": range(1, 6), "float8_e5m2": range(1, 5)}
    for name, known in (
        *((e, QuantizationArgs(num_bits=n)) for e in held for n in held[e]),
        *((e, QuantizationArgs(num_bits=4, type="float")) for e in held),
        ("float8_e4m3fn", QuantizationArgs(num_bits=6, type="float")),
        ("float8_e4m3fn", QuantizationArgs(num_bits=8, type="float")),
    ):
        codes = np.linspace(-20, 20, 641, dtype=np.float32)
        ours, both = (f.quantize(codes, floats(1), None, known, dtype=dtype_of(name)) for f in BOTH)
        assert_same(ours, both)
        exact = reference.quantize(codes, floats(1), None, known)
        np.testing.assert_array_equal(ours.astype(np.float32), exact)


def test_words_that_do_not_fit_the_shape() -> None:
    """``unpack_from_int32`` needs the words of its shape; upstream ignores some, or makes some up.

    Words that are missing are zeros there, and of 4 bits as many codes come back as there are.
    """
    words = np.zeros((5, 4), np.int32)
    with pytest.raises(ValueError, match="packed"):
        reference.unpack_from_int32(words, 4, (3, 16))
    assert upstream.unpack_from_int32(words, 4, (3, 16)).shape == (5, 16)
    for bits, columns in ((3, 16), (4, 8)):
        with pytest.raises(ValueError, match="packed"):
            reference.unpack_from_int32(words[:3, :1], bits, (3, 16))
        theirs = upstream.unpack_from_int32(words[:3, :1], bits, (3, 16))
        assert_same(theirs, np.full((3, columns), -(2 ** (bits - 1)), np.int8))


@pytest.mark.parametrize("strategy", ["group", "channel"])
@pytest.mark.parametrize("bits", [3, 4])
def test_zero_points_of_fewer_rows(bits: int, strategy: str) -> None:
    """A packed zero-point comes back in the shape of its scale; upstream's in rows of the weight.

    Where upstream's answer has rows that were never packed, they are padding, and its weight is
    not what it quantized.
    """
    size = 32 if strategy == "group" else None
    args = QuantizationArgs(num_bits=bits, symmetric=False, strategy=strategy, group_size=size)
    scheme = QuantizationScheme(("Linear",), args)
    low, high = np.full((1, 2 if size else 1), -1, np.float32), np.float32(0.5)
    scale, zero_point = reference.calculate_qparams(low, high + np.zeros_like(low), args)
    weight = np.linspace(-1, 0.5, 384, dtype=np.float32).reshape(6, 64)
    tensors = {"weight": weight, "weight_scale": scale, "weight_zero_point": zero_point}
    stored, same = (f.compress(tensors, scheme) for f in BOTH)
    assert_same(stored["weight_zero_point"], same["weight_zero_point"])
    used = reference.fake_quantize(weight, scale, zero_point, args)
    read = reference.decompress(stored, scheme)
    assert_same(read["weight_zero_point"], zero_point)
    np.testing.assert_array_equal(read["weight"], used)
    if bits == 4 and size:
        with pytest.raises(RuntimeError, match="stride"):
            upstream.decompress(stored, scheme)
    else:
        theirs = upstream.decompress(stored, scheme)
        padding = np.full((5, *zero_point.shape[1:]), -(2 ** (bits - 1)), np.int8)
        assert_same(theirs["weight_zero_point"], np.concatenate([zero_point, padding]))
        np.testing.assert_array_equal(theirs["weight"][0], used[0])
        assert (theirs["weight"][1:] != used[1:]).any(axis=1).all()
    tall = tensors | {"weight_zero_point": zero_point.repeat(6, axis=0)}
    with pytest.raises(ValueError, match=r"weight_zero_point: shape \(6, "):
        reference.compress(tall, scheme)
    assert_same(upstream.compress(tall, scheme)["weight_packed"], stored["weight_packed"])


def test_global_scale_that_overflows_float32() -> None:
    """A float64 range whose global scale is finite in float64 alone gives inf, as upstream."""
    for amax, expected in ((1e-36, np.inf), (1e-310, 1.0)):
        high = floats(amax, dtype="float64")
        for library in BOTH:
            assert_same(library.generate_gparam(-high, high), floats(expected))


def test_result_has_the_shape_of_x() -> None:
    """Leading ones of a scale add no dimension, and no scale enlarges x; upstream broadcasts."""
    x = floats(1, 2, 3, 4)
    for args, scale in (
        (QuantizationArgs(group_size=2), floats(1, 2).reshape(1, 2)),
        (QuantizationArgs(strategy="channel"), floats(1).reshape(1, 1)),
    ):
        ours, theirs = (f.quantize(x, scale, None, args) for f in BOTH)
        assert_same(ours.reshape(1, 4), theirs)
        assert ours.shape == (4,)
    tall = np.ones((3, 1), np.float32)
    with pytest.raises(ValueError, match="broadcast"):
        reference.quantize(x, tall, None, QuantizationArgs(strategy="channel"))
    enlarged = upstream.quantize(x, tall, None, QuantizationArgs(strategy="channel"))
    assert enlarged.shape == (3, 4)


@pytest.mark.parametrize("zp_dtype", generators.ZP_DTYPES)
def test_symmetric_zero_point_of_nan(zp_dtype: str) -> None:
    """A symmetric zero-point is zero even where the range is NaN, as upstream's."""
    args = QuantizationArgs(zp_dtype=zp_dtype)
    nan = floats(np.nan, 1.0, dtype="float64")
    for library in BOTH:
        assert_same(library.calculate_qparams(nan, nan, args)[1], floats(0, 0, dtype=zp_dtype))


def test_scale_of_nan_in_uint8() -> None:
    """A dtype without NaN has no scale of a NaN range: it is that of a zero one, as upstream's."""
    args = QuantizationArgs(strategy="channel", scale_dtype="uint8")
    for library in BOTH:
        for value in (np.nan, 0.0):
            scale, _ = library.calculate_qparams(floats(value), floats(value), args)
            assert_same(scale, floats(1))


def test_dtypes_that_are_refused() -> None:
    """Integer x, fp8 scales and 16- or 32-bit integers are refused; upstream takes most of them."""
    args, x, one = QuantizationArgs(), floats(1, 2), floats(1)
    wide, eight = np.ones(2, np.int32), np.ones(2, np.uint8)
    with pytest.raises(TypeError, match="x: dtype int32"):
        reference.quantize(wide, one, None, args)
    with pytest.raises(TypeError, match="zero_point: dtype int32"):
        reference.quantize(x, one, wide, args)
    with pytest.raises(TypeError, match="x_q: dtype uint8"):
        reference.dequantize(eight, one, None, args)
    assert_same(upstream.quantize(wide, one, None, args), floats(1, 1))
    assert_same(upstream.quantize(x, one, wide, args), floats(2, 3))
    assert_same(upstream.dequantize(eight, one, None, args), floats(1, 1))
    fp8 = floats(1, dtype="float8_e4m3fn")
    with pytest.raises(TypeError, match="scale: dtype float8_e4m3fn"):
        reference.quantize(x, fp8, None, args)
    with pytest.raises(RuntimeError, match="Float8"):
        upstream.quantize(x, fp8, None, args)


def test_group_order_of_columns() -> None:
    """``compress`` uses ``weight_g_idx``, as releases up to 0.18; upstream 0.20 passes it by."""
    tensors = {
        "weight": np.arange(8, dtype=np.float32).reshape(1, 8),
        "weight_scale": floats(1, 2).reshape(1, 2),
        "weight_g_idx": np.array([0, 1] * 4, np.int32),
    }
    scheme = of_linear(QuantizationArgs(group_size=4))
    ours, theirs = (f.compress(tensors, scheme)["weight"] for f in BOTH)
    assert ours.tolist() == [[0, 0, 2, 2, 4, 2, 6, 4]]
    assert theirs.tolist() == [[0, 1, 2, 3, 2, 2, 3, 4]]
    tensors["weight_g_idx"] = np.full(8, -1, np.int32)
    assert_same(reference.compress(tensors, scheme)["weight"], theirs)


def test_global_scale_of_other_formats() -> None:
    """Only the fp4 formats use ``weight_global_scale``, as upstream; the others pass it by."""
    scheme = of_linear(QuantizationArgs(strategy="tensor_group", group_size=4))
    tensors = {
        "weight": np.arange(8, dtype=np.float32).reshape(1, 8),
        "weight_scale": floats(1, 2).reshape(1, 2),
        "weight_global_scale": floats(2),
    }
    ours, theirs = (f.compress(tensors, scheme) for f in BOTH)
    assert_same(ours["weight"], theirs["weight"])
    assert_same(ours["weight_global_scale"], tensors["weight_global_scale"])
    assert ours["weight"].tolist() == [[0, 1, 2, 3, 2, 2, 3, 4]]


@pytest.mark.parametrize(
    ("kind", "bits", "format"),
    [
        ("int", 4, "nvfp4-pack-quantized"),
        ("int", 8, "mxfp8-quantized"),
        ("float", 8, "pack-quantized"),
    ],
)
def test_formats_that_cannot_hold_the_codes(kind: str, bits: int, format: str) -> None:
    """A format of other codes than the args' is refused; upstream writes what it then holds."""
    scheme = of_linear(QuantizationArgs(num_bits=bits, type=kind, group_size=16))
    tensors = {"weight": np.ones((1, 16), np.float32), "weight_scale": floats(1).reshape(1, 1)}
    with pytest.raises(ValueError, match="format"):
        reference.compress(tensors, scheme, format)
    assert "weight_scale" in upstream.compress(tensors, scheme, format)


@pytest.mark.parametrize("scale_dtype", [None, "uint8"])
def test_mx_formats_of_other_scales(scale_dtype: str | None) -> None:
    """A format of MX codes is refused for a linear scale without a float dtype to store it in."""
    args = QuantizationArgs(type="float", strategy="channel", scale_dtype=scale_dtype)
    tensors = {"weight": np.ones((1, 32), np.float32), "weight_scale": floats(3).reshape(1, 1)}
    with pytest.raises(ValueError, match="scale_dtype"):
        reference.compress(tensors, of_linear(args), "mxfp8-quantized")
    theirs = upstream.compress(tensors, of_linear(args), "mxfp8-quantized")
    assert_same(theirs["weight_scale"], np.array([[128]], np.uint8))


def test_bounds_of_rounding() -> None:
    """``round_to_quantized_type_args`` takes one number as a bound, and arrays of one element."""
    x = floats(-9, 9)
    ours = reference.round_to_quantized_type_args(x, QuantizationArgs(), floats(-3), 4.0)
    assert_same(ours, floats(-3, 4))
    with pytest.raises(ValueError, match="q_min"):
        reference.round_to_quantized_type_args(x, QuantizationArgs(), floats(-3, -2), 4.0)


def test_shapes_of_ranges() -> None:
    """A minimum and maximum have one shape, a global scale one element; upstream broadcasts."""
    args, one, two = QuantizationArgs(), floats(1), floats(1, 2)
    with pytest.raises(ValueError, match="max_vals"):
        reference.calculate_qparams(one, two, args)
    with pytest.raises(ValueError, match="global_scale"):
        reference.calculate_qparams(two, two, args, two)
    with pytest.raises(ValueError, match="global_scale"):
        reference.quantize(two, one, None, args, global_scale=two)
    assert upstream.calculate_qparams(one, two, args)[0].shape == (2,)
    assert upstream.calculate_qparams(two, two, args, two)[0].shape == (2,)
    assert upstream.quantize(two, one, None, args, global_scale=two).shape == (2,)


@pytest.mark.parametrize("actorder", ["group", "dynamic", True])
def test_group_actorder_is_read(actorder: str | bool) -> None:
    """The removed actorder of old checkpoints is read as ``group``; upstream 0.20 refuses it."""
    assert QuantizationArgs(group_size=32, actorder=actorder).actorder == "group"
    with pytest.raises(ValueError, match="removed"):
        PeerArgs(group_size=32, actorder=actorder)


def test_codes_that_do_not_exist() -> None:
    """Integers of more than 8 bits and floats of 5 are refused; upstream has 16-bit integers."""
    with pytest.raises(ValueError, match="num_bits"):
        QuantizationArgs(num_bits=16)
    assert PeerArgs(num_bits=16).pytorch_dtype().itemsize == 2
    with pytest.raises(ValueError, match="num_bits"):
        QuantizationArgs(num_bits=5, type="float")
    with pytest.raises(NotImplementedError):
        PeerArgs(num_bits=5, type="float")
