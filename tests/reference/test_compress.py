"""Checkpoints: every format on disk, what is stored in it, and what is read back."""

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from qparity.reference import (
    PRESET_SCHEMES,
    QuantizationArgs,
    QuantizationScheme,
    calculate_qparams,
    compress,
    decompress,
    fake_quantize,
    generate_gparam,
    infer_format,
    minmax,
    preset_name_to_scheme,
    unpack_from_int32,
)

Array = npt.NDArray[np.generic]
BF16, E4M3 = np.dtype(ml_dtypes.bfloat16), np.dtype(ml_dtypes.float8_e4m3fn)
PRESETS = [name for name in PRESET_SCHEMES if preset_name_to_scheme(name).weights is not None]
STORED = {
    "pack-quantized": {"weight_packed": "int32", "weight_shape": "int64"},
    "int-quantized": {"weight": "int8"},
    "float-quantized": {"weight": "float8_e4m3fn"},
    "naive-quantized": {"weight": "float8_e4m3fn"},
    "nvfp4-pack-quantized": {"weight_packed": "uint8"},
    "mxfp4-pack-quantized": {"weight_packed": "uint8"},
    "mxfp6-pack-quantized": {"weight_packed": "uint8"},
    "mxfp8-quantized": {"weight": "float8_e4m3fn"},
}


def module(scheme: QuantizationScheme, columns: int = 256) -> dict[str, Array]:
    """The tensors of a module with a bfloat16 weight, its qparams by min and max."""
    args = weights_of(scheme)
    steps = np.random.default_rng(0).standard_normal((8, columns)) * 2.0 ** np.arange(8)[:, None]
    weight = steps.astype(BF16)
    tensors: dict[str, Array] = {"weight": weight, "bias": weight[:, 0].copy()}
    if args.strategy == "tensor_group":
        of_tensor = minmax(weight, QuantizationArgs(strategy="tensor"))
        tensors["weight_global_scale"] = generate_gparam(*of_tensor)
    global_scale = tensors.get("weight_global_scale")
    scale, zero_point = calculate_qparams(*minmax(weight, args), args, global_scale)
    tensors["weight_scale"] = scale
    if not args.symmetric:
        tensors["weight_zero_point"] = zero_point
    return tensors


def weights_of(scheme: QuantizationScheme) -> QuantizationArgs:
    """The args of the weights, which there are."""
    assert scheme.weights is not None
    return scheme.weights


def scheme_of(**fields: object) -> QuantizationScheme:
    """A scheme of weights alone."""
    return QuantizationScheme(("Linear",), QuantizationArgs(**fields))  # type: ignore[arg-type]


def same(a: Array, b: Array) -> bool:
    """Equal dtype, shape and bits."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_read_back_is_the_fake_quantized_weight(preset: str) -> None:
    """As ``fake_quantize`` gives it, but for the sign of zero, which integer codes do not have."""
    scheme = preset_name_to_scheme(preset)
    tensors = module(scheme)
    stored = compress(tensors, scheme)
    assert stored.keys() >= STORED[infer_format(scheme)].keys()
    for name, dtype in STORED[infer_format(scheme)].items():
        assert stored[name].dtype.name == dtype
    read = decompress(stored, scheme)
    args = weights_of(scheme)
    whole = tensors.get("weight_global_scale")
    scale, zero_point = tensors["weight_scale"], tensors.get("weight_zero_point")
    faked = fake_quantize(tensors["weight"], scale, zero_point, args, global_scale=whole)
    if args.type == "int":
        faked[faked == 0] = 0
    assert same(read["weight"], faked.astype(read["weight"].dtype))
    assert (read["weight_scale"].astype(np.float64) == scale.astype(np.float64)).all()
    assert same(read["bias"], tensors["bias"])


def test_a_dense_module_stays_as_it_is() -> None:
    """Without weights to quantize, or asked for ``dense``, every tensor passes through."""
    tensors = {"weight": np.ones((2, 3), np.float32), "other": np.zeros(1, np.int8)}
    without, dense = QuantizationScheme(("Linear",)), scheme_of()
    for there_or_back in (compress, decompress):
        assert there_or_back(tensors, without) == tensors
        assert there_or_back(tensors, dense, "dense") == tensors


@pytest.mark.parametrize("strategy", ["group", "channel", "tensor"])
def test_asymmetric_zero_points_are_packed_where_there_are_rows_of_them(strategy: str) -> None:
    """One per group or channel is packed along dim 0 and comes back as int8; one alone stays."""
    size = {"group_size": 128} if strategy == "group" else {}
    scheme = scheme_of(num_bits=4, strategy=strategy, symmetric=False, **size)
    tensors = module(scheme)
    zero_point = tensors["weight_zero_point"]
    stored = compress(tensors, scheme, "pack-quantized")
    if strategy == "tensor":
        assert same(stored["weight_zero_point"], zero_point)
    else:
        assert stored["weight_zero_point"].shape == (1, zero_point.shape[1])
        unpacked = unpack_from_int32(stored["weight_zero_point"], 4, zero_point.shape, 0)
        assert same(unpacked, zero_point)
    assert same(decompress(stored, scheme, "pack-quantized")["weight_zero_point"], zero_point)


def test_zero_points_of_symmetric_args_are_left_out() -> None:
    """Neither the weight's nor an activation's is stored where its args are symmetric."""
    asymmetric = QuantizationArgs(symmetric=False)
    scheme = QuantizationScheme(("Linear",), QuantizationArgs(), QuantizationArgs(), asymmetric)
    names = ("weight_zero_point", "input_zero_point", "output_zero_point")
    zeros = {name: np.zeros(1, np.int8) for name in names}
    stored = compress(module(scheme) | zeros, scheme)
    assert [name for name in names if name in stored] == ["output_zero_point"]


@pytest.mark.parametrize(
    ("scale_dtype", "stored"),
    [(None, "bfloat16"), ("float16", "float16"), ("float8_e5m2", "float8_e5m2")],
)
def test_scales_are_stored_in_their_dtype(scale_dtype: str | None, stored: str) -> None:
    """A scale lies on disk in ``scale_dtype``, or as given; one of 8 bits is read as bfloat16."""
    scheme = scheme_of(strategy="channel", scale_dtype=scale_dtype)
    on_disk = compress(module(scheme), scheme)
    assert on_disk["weight_scale"].dtype.name == stored
    small = on_disk["weight_scale"].dtype.itemsize == 1
    read = decompress(on_disk, scheme)["weight_scale"]
    assert read.dtype.name == ("bfloat16" if small else stored)


def test_mx_scales_are_codes_of_exponents() -> None:
    """Code c is 2^(c-127); the scales at both ends, zero and infinity have codes 0, 254 and 255."""
    scheme = preset_name_to_scheme("MXFP4A16")
    scales = np.array([[2.0**-127], [0.0], [1.0], [2.0**127], [np.inf]], np.float64)
    tensors = {"weight": np.ones((5, 32), BF16), "weight_scale": scales.astype(BF16)}
    stored = compress(tensors, scheme)
    assert stored["weight_scale"].tolist() == [[0], [0], [127], [254], [255]]
    read = decompress(stored, scheme)["weight_scale"].astype(np.float64)
    assert read.tolist() == [[2.0**-127], [2.0**-127], [1.0], [2.0**127], [np.inf]]


def test_scales_that_overflow_raise_no_warning() -> None:
    """A stored scale beyond bfloat16 is read as infinity, quietly."""
    scheme = scheme_of(num_bits=4, type="float", group_size=16, scale_dtype="float64")
    tensors = {"weight": np.ones((1, 16)), "weight_scale": np.array([[1e300]])}
    assert decompress(compress(tensors, scheme), scheme)["weight_scale"] == [[np.inf]]
