"""Rules that the torch backend keeps, whatever the reference says."""

import math
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
import torch

from qparity.backends.torch_bridge import to_array, to_tensor
from qparity.backends.torch_eager import TorchBackend, layout
from qparity.backends.torch_eager.arithmetic import clamp, divide, divide_number, multiply_number
from qparity.backends.torch_eager.mx import mx_code, mx_scale, scale_of_mx_code
from qparity.reference import PRESET_SCHEMES, QuantizationArgs, preset_name_to_scheme

Array = npt.NDArray[Any]
StateDict = dict[str, torch.Tensor]

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
WORKING = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
LENGTHS = [1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129]
FORMATS = {
    **{f"int{bits}": QuantizationArgs(num_bits=bits) for bits in (1, 4, 8)},
    **{f"float{bits}": QuantizationArgs(num_bits=bits, type="float") for bits in (4, 6, 8)},
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "tensor": {"strategy": "tensor"},
    "channel": {"strategy": "channel"},
    "group": {"group_size": 16},
    "block": {"strategy": "block", "block_structure": (3, 32)},
}
WEIGHT_PRESETS = [name for name, row in PRESET_SCHEMES.items() if row.get("weights")]


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest) -> TorchBackend:
    """The backend of each device that there is."""
    return TorchBackend(request.param)


@pytest.fixture
def small_pieces() -> Iterator[None]:
    """Work is done in pieces of a few elements."""
    whole = dict(layout.PIECE)
    layout.PIECE.update(cpu=100, cuda=100)
    yield
    layout.PIECE.clear()
    layout.PIECE.update(whole)


def bits_of(tensor: torch.Tensor) -> Array:
    """The bits of a tensor; all NaN are one."""
    array = to_array(tensor)
    bits = array.view(np.dtype(f"u{array.itemsize}")).copy()
    if tensor.is_floating_point():
        bits[to_array(tensor.isnan())] = np.iinfo(bits.dtype).max
    return bits


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have the same dtype, shape and bits; any NaN equals any NaN."""
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and bool((bits_of(one) == bits_of(other)).all())


def dtype_of(name: str) -> np.dtype[Any]:
    """The numpy or ml_dtypes dtype of a name."""
    return np.dtype(getattr(ml_dtypes, name, name))


def every(name: str) -> Array:
    """All patterns of a 16-bit dtype; many of a larger one."""
    dtype = dtype_of(name)
    if dtype.itemsize == 2:
        return np.arange(1 << 16, dtype=np.uint16).view(dtype)
    return np.random.default_rng(0).integers(0, 256, dtype.itemsize << 16, np.uint8).view(dtype)


def weight(rows: int = 7, columns: int = 96, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """Normal numbers with a few zeros, infinities and NaN."""
    x = torch.randn(rows, columns, generator=torch.Generator().manual_seed(rows)).to(dtype)
    x[0, 0], x[-1, -1], x[0, 5], x[-1, 7], x[0, 9] = 0.0, -0.0, math.inf, -math.inf, math.nan
    return x


def state_dict(x: torch.Tensor, args: QuantizationArgs, backend: TorchBackend) -> StateDict:
    """A weight and its parameters, from the range of its numbers."""
    finite = torch.where(x.isfinite(), x, torch.zeros_like(x))
    low, high = backend.minmax(finite, args)
    tensors = {"weight": x}
    global_scale = None
    if args.strategy == "tensor_group":
        global_scale = backend.generate_gparam(low.amin(), high.amax())
        tensors["weight_global_scale"] = global_scale
    scale, zero_point = backend.calculate_qparams(low, high, args, global_scale)
    return {**tensors, "weight_scale": scale, "weight_zero_point": zero_point}


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_rounding_is_the_cast(name: str, format_name: str, backend: TorchBackend) -> None:
    """Every 16-bit number rounds to what ml_dtypes casts it to, after saturation."""
    args = FORMATS[format_name]
    x = every(name)
    row = args.code_format
    with np.errstate(invalid="ignore"):
        clipped = np.clip(x.astype(np.float32), row.min, row.max)
        if args.type == "int":
            expected = np.rint(clipped).astype(x.dtype)
        else:
            expected = clipped.astype(row.dtype).astype(np.float32).astype(x.dtype)
    if format_name != "float8":
        expected[np.isnan(clipped)] = 0
    if format_name == "float4":
        expected[clipped == 0] = 0
    actual = backend.round_to_quantized_type_args(backend.from_numpy(x), args, row.min, row.max)
    assert same(actual, backend.from_numpy(expected))


@pytest.mark.parametrize("format_name", ["int8", "int4", "float4", "float6", "float8"])
@pytest.mark.parametrize("name", WORKING)
def test_ties_go_to_even(name: str, format_name: str, backend: TorchBackend) -> None:
    """Halfway between two codes the even one is taken, an ulp to either side the nearer one.

    An ulp of float32 where float64 goes by way of it, to fp6 and fp8.
    """
    args = FORMATS[format_name]
    row = args.code_format
    if args.type == "int":
        values = np.arange(row.min, row.max + 1)
    else:
        half = np.arange(1 << (args.num_bits - 1), dtype=np.uint8).view(row.dtype)
        values = half.astype(np.float64)[np.isfinite(half.astype(np.float64))]
    low, high = values[:-1], values[1:]
    by_float32 = name == "float64" and format_name in ("float6", "float8")
    start = "float32" if by_float32 else name
    ties = backend.from_numpy(((low + high) / 2).astype(dtype_of(start)))
    evens = np.where(np.arange(len(low)) % 2 == 0, low, high)
    for x, expected in (
        (ties, evens),
        (torch.nextafter(ties, torch.full_like(ties, -math.inf)), low),
        (torch.nextafter(ties, torch.full_like(ties, math.inf)), high),
    ):
        given = x.to(WORKING[name])
        rounded = backend.round_to_quantized_type_args(given, args, row.min, row.max)
        assert to_array(rounded).astype(np.float64).tolist() == expected.tolist()


@pytest.mark.parametrize("number", [6.0, 7.5, 127.5, 448.0, 3.0])
@pytest.mark.parametrize("name", WORKING)
def test_division_is_division(name: str, number: float, backend: TorchBackend) -> None:
    """Dividing by one number is a true division, rounded once; no reciprocal is multiplied."""
    x = every(name)
    wide = np.dtype(np.float64 if name == "float64" else np.float32)
    with np.errstate(all="ignore"):
        expected = (x.astype(wide) / np.array(number, wide)).astype(x.dtype)
    divisor = backend.from_numpy(np.array([number]).astype(x.dtype))
    assert same(divide(backend.from_numpy(x), divisor), backend.from_numpy(expected))


@pytest.mark.parametrize("name", WORKING)
def test_a_number_divided_is_rounded_twice(name: str, backend: TorchBackend) -> None:
    """``2688 / x`` is the reciprocal of x, rounded to its dtype, times 2688, rounded to it."""
    x = every(name)
    wide = np.dtype(np.float64 if name == "float64" else np.float32)
    with np.errstate(all="ignore"):
        reciprocal = (np.ones(1, wide) / x.astype(wide)).astype(x.dtype)
        expected = (reciprocal.astype(wide) * np.array(2688, wide)).astype(x.dtype)
    actual = divide_number(2688.0, backend.from_numpy(x))
    assert same(actual, backend.from_numpy(expected))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_factor_is_not_rounded_first(name: str, backend: TorchBackend) -> None:
    """``x * 0.01`` multiplies by the float32 0.01, not by that of the dtype of x."""
    x = every(name)
    with np.errstate(all="ignore"):
        expected = (x.astype(np.float32) * np.float32(0.01)).astype(x.dtype)
    assert same(multiply_number(backend.from_numpy(x), 0.01), backend.from_numpy(expected))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", WORKING)
def test_clamp_keeps_nan_and_negative_zero(name: str, length: int, backend: TorchBackend) -> None:
    """NaN and -0.0 pass a clamp unchanged at every position, also at a bound of zero."""
    for value, low in product((math.nan, -0.0), (-1.0, 0.0)):
        x = torch.full((length,), value, dtype=WORKING[name], device=backend.device)
        assert same(clamp(x, low, 1.0), x)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", WORKING)
def test_a_range_with_nan_is_nan(name: str, length: int, backend: TorchBackend) -> None:
    """One NaN, wherever it is, makes minimum and maximum NaN, and the scale."""
    for place, sign in product({0, length // 2, length - 1}, (1, -1)):
        x = torch.ones(3, length, dtype=WORKING[name], device=backend.device)
        x[1, place] = math.copysign(math.nan, sign)
        for strategy, rows in (("tensor", [True]), ("channel", [False, True, False])):
            args = QuantizationArgs(strategy=strategy)
            low, high = backend.minmax(x, args)
            scale, zero_point = backend.calculate_qparams(low, high, args)
            for found in (low, high, scale):
                assert found.isnan().flatten().tolist() == rows
            assert zero_point.flatten().tolist() == [0] * len(rows)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", WORKING)
def test_a_zero_of_a_range_is_positive(name: str, length: int, backend: TorchBackend) -> None:
    """Whatever zeros are reduced, and in whatever order, the result is +0."""
    for first, rest in product((0.0, -0.0), repeat=2):
        x = torch.full((2, length), rest, dtype=WORKING[name], device=backend.device)
        x[:, 0] = first
        for strategy in ("tensor", "channel"):
            for found in backend.minmax(x, QuantizationArgs(strategy=strategy)):
                assert not found.signbit().any()


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("name", WORKING)
def test_nan_becomes_the_code_of_zero(name: str, format_name: str, backend: TorchBackend) -> None:
    """NaN, given or arising, is +0 in codes without NaN and NaN in fp8, at every position."""
    args = FORMATS[format_name]
    kept = format_name == "float8"
    dtype = None if format_name in ("float4", "float6") else args.code_format.dtype
    for x_value, scale_value in (
        (math.nan, 1.0),
        (0.0, 0.0),
        (math.inf, math.inf),
        (1.0, math.nan),
    ):
        for length in LENGTHS:
            x = torch.full((length,), x_value, dtype=WORKING[name], device=backend.device)
            scale = torch.full((1,), scale_value, dtype=WORKING[name], device=backend.device)
            codes = backend.quantize(x, scale, None, args, dtype=dtype)
            floats = codes.to(torch.float32)
            assert floats.isnan().all() if kept else same(floats, torch.zeros_like(floats))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("format_name", FORMATS)
def test_strides_do_not_matter(strategy: str, format_name: str, backend: TorchBackend) -> None:
    """Transposed, stepped and shifted tensors give the bits of contiguous ones."""
    row = FORMATS[format_name]
    args = QuantizationArgs(num_bits=row.num_bits, type=row.type, **STRATEGIES[strategy])
    x = weight().to(backend.device)
    tensors = state_dict(x, args, backend)
    scale, zero_point = tensors["weight_scale"], tensors["weight_zero_point"]
    stepped = torch.zeros(7, 192, dtype=x.dtype, device=x.device)
    stepped[:, ::2] = x
    shifted = torch.zeros(7 * 96 + 1, dtype=x.dtype, device=x.device)
    shifted[1:] = x.flatten()
    for other in (x.T.contiguous().T, stepped[:, ::2], shifted[1:].view(7, 96)):
        for found, expected in (
            (backend.minmax(other, args), backend.minmax(x, args)),
            (
                [backend.quantize(other, scale, zero_point, args)],
                [backend.quantize(x, scale, zero_point, args)],
            ),
            (
                [backend.fake_quantize(other, scale, zero_point, args)],
                [backend.fake_quantize(x, scale, zero_point, args)],
            ),
        ):
            assert all(same(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("preset", WEIGHT_PRESETS)
def test_pieces_do_not_matter(
    preset: str, backend: TorchBackend, request: pytest.FixtureRequest
) -> None:
    """A weight compressed piece by piece is the weight compressed at once."""
    scheme = preset_name_to_scheme(preset)
    assert scheme.weights is not None
    tensors = state_dict(weight(columns=256), scheme.weights, backend)
    whole = backend.compress(tensors, scheme)
    back = backend.decompress(whole, scheme)
    request.getfixturevalue("small_pieces")
    for found, expected in (
        (backend.compress(tensors, scheme), whole),
        (backend.decompress(whole, scheme), back),
    ):
        assert found.keys() == expected.keys()
        assert all(same(found[key], expected[key]) for key in found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "preset", ["W2A16", "W3A16", "W4A16_ASYM", "W8A16", "NVFP4A16", "MXFP6A16"]
)
def test_compress_is_quantize_then_pack(
    preset: str, dtype: torch.dtype, backend: TorchBackend
) -> None:
    """The packed weight is the packing of the codes that ``quantize`` returns."""
    scheme = preset_name_to_scheme(preset)
    args = scheme.weights
    assert args is not None
    tensors = state_dict(weight(rows=5, columns=384, dtype=dtype), args, backend)
    integer = args.type == "int"
    codes = backend.quantize(
        tensors["weight"],
        tensors["weight_scale"],
        tensors["weight_zero_point"] if integer else None,
        args,
        dtype="int8" if integer else None,
        global_scale=tensors.get("weight_global_scale"),
    )
    pack: Callable[[torch.Tensor], torch.Tensor] = {
        "int": lambda c: backend.pack_to_int32(c, args.num_bits),
        "float4": backend.pack_fp4_to_uint8,
        "float6": backend.pack_fp6_to_uint8,
    }["int" if integer else f"float{args.num_bits}"]
    assert same(backend.compress(tensors, scheme)["weight_packed"], pack(codes))


@pytest.mark.parametrize("preset", WEIGHT_PRESETS)
def test_arguments_are_not_changed(preset: str, backend: TorchBackend) -> None:
    """No function writes to a tensor that it was given, or returns one that shares its memory."""
    scheme = preset_name_to_scheme(preset)
    assert scheme.weights is not None
    tensors = state_dict(weight(columns=256, dtype=torch.float32), scheme.weights, backend)
    before = {key: value.clone() for key, value in tensors.items()}
    compressed = backend.compress(tensors, scheme)
    stored = {key: value.clone() for key, value in compressed.items()}
    restored = backend.decompress(compressed, scheme)
    assert all(same(tensors[key], before[key]) for key in before)
    assert all(same(compressed[key], stored[key]) for key in stored)
    made = [compressed["weight_scale"], restored["weight"]]
    given = {value.data_ptr() for value in tensors.values()}
    assert not given & {value.data_ptr() for value in made}


@pytest.mark.parametrize("packed_dim", [0, 1])
@pytest.mark.parametrize("num_bits", range(1, 9))
def test_element_i_is_at_bit_i_times_b(
    num_bits: int, packed_dim: int, backend: TorchBackend
) -> None:
    """Each packed row is one little-endian number: the sum of (code + 2^(b-1)) * 2^(i * b)."""
    half = 1 << (num_bits - 1)
    for count in (1, 7, 8, 9, 31, 32, 33, 65):
        codes = np.random.default_rng(count).integers(-half, half, (3, count)).astype(np.int8)
        given = codes.T if packed_dim == 0 else codes
        packed = backend.pack_to_int32(backend.from_numpy(given), num_bits, packed_dim)
        rows = to_array(packed).T if packed_dim == 0 else to_array(packed)
        for row, words in zip(codes, rows, strict=True):
            number = sum((int(c) + half) << (i * num_bits) for i, c in enumerate(row))
            assert number == int.from_bytes(words.astype("<i4").tobytes(), "little")
        back = backend.unpack_from_int32(packed, num_bits, given.shape, packed_dim)
        assert same(back, backend.from_numpy(given))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (0, 4), (4, 0), (3, 8)])
@pytest.mark.parametrize("num_bits", [1, 4, 5, 8])
def test_packing_minds_no_strides(
    num_bits: int, shape: tuple[int, int], backend: TorchBackend
) -> None:
    """Slices, also of one element or none, pack and unpack as their copies do."""
    memory = torch.arange(-1, 0, dtype=torch.int8).repeat(12, 30).to(backend.device)
    memory[::2] = 0
    for packed_dim, value in product(
        (0, 1), (memory[1::3, 2::3], memory[:, 7:].T[3:], memory[3:, 5:])
    ):
        part = value[: shape[0], : shape[1]]
        packed = backend.pack_to_int32(part, num_bits, packed_dim)
        assert same(packed, backend.pack_to_int32(part.clone(), num_bits, packed_dim))
        words = torch.zeros(7 * packed.numel() + 1, dtype=torch.int32, device=backend.device)
        spaced = words[1:].view(*packed.shape, 7)[..., 3]
        spaced.copy_(packed)
        assert same(backend.unpack_from_int32(spaced, num_bits, part.shape, packed_dim), part)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize(("bits", "per"), [(4, 2), (6, 4)])
def test_packed_floats_come_back(bits: int, per: int, name: str, backend: TorchBackend) -> None:
    """Any bytes are codes, their values pack to the same bytes, and -0.0 keeps its sign."""
    data = np.random.default_rng(bits).integers(0, 256, (5, 3 * bits), np.uint8)
    packed = backend.from_numpy(data)
    columns = 3 * bits * 8 // bits
    unpack = getattr(backend, f"unpack_fp{bits}_from_uint8")
    pack = getattr(backend, f"pack_fp{bits}_to_uint8")
    values = unpack(packed, 5, columns, dtype=name)
    assert values.dtype == WORKING[name]
    assert columns % per == 0
    assert same(pack(values), packed)


@pytest.mark.parametrize("bits", [4, 6])
def test_what_is_no_code_is_not_packed(bits: int, backend: TorchBackend) -> None:
    """A value between codes, beyond the largest, or NaN is refused, not rounded."""
    for value in (0.3, 8.0, math.inf, math.nan, -1e-30):
        x = torch.full((1, 4), value, device=backend.device)
        with pytest.raises(ValueError, match="is no value of"):
            getattr(backend, f"pack_fp{bits}_to_uint8")(x)
    with pytest.raises(ValueError, match="not all codes of 4 bits"):
        backend.pack_to_int32(torch.full((1, 4), 8, dtype=torch.int8), 4)


def test_e8m0_codes_are_exponents(backend: TorchBackend) -> None:
    """Code c is 2^(c-127), exactly, 255 is inf, and the code of that scale is c."""
    codes = torch.arange(256, dtype=torch.uint8, device=backend.device)
    scale = scale_of_mx_code(codes)
    assert scale.double().tolist() == [2.0 ** (c - 127) for c in range(255)] + [math.inf]
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        assert same(mx_code(scale.to(dtype)), codes)


@pytest.mark.parametrize(("bits", "below_two"), [(4, 1.75), (6, 1.9375), (8, 1.75)])
@pytest.mark.parametrize("name", WORKING)
def test_mx_scales_step_up_before_powers_of_two(
    name: str, bits: int, below_two: float, backend: TorchBackend
) -> None:
    """Amax 2^e gives 2^(e-offset), and so does all below 2^e * (2 - 2^-(m+1)), not beyond."""
    offset = 8 if bits == 8 else 2
    for exponent in (-5, 0, 3, 9):
        start = torch.full((1,), 2.0**exponent, dtype=WORKING[name], device=backend.device)
        step = start * below_two
        largest = torch.nextafter(step, start)
        expected = [2.0 ** (exponent - offset)] * 2 + [2.0 ** (exponent - offset + 1)]
        amax = torch.cat([start, largest, step])
        assert mx_scale(amax, bits).tolist() == expected


def test_zero_point_zero_is_not_none(backend: TorchBackend) -> None:
    """-0.0 stays where no zero-point is given, and becomes +0 where a zero is added."""
    x = torch.tensor([-0.0], device=backend.device)
    scale = torch.ones(1, device=backend.device)
    zero = torch.zeros(1, dtype=torch.int8, device=backend.device)
    for format_name in ("int8", "float8", "float6"):
        args = FORMATS[format_name]
        assert backend.quantize(x, scale, None, args).signbit().item()
        assert not backend.quantize(x, scale, zero, args).signbit().item()


@pytest.mark.parametrize("format_name", FORMATS)
def test_compute_dtype_rounds_once(format_name: str, backend: TorchBackend) -> None:
    """With ``compute_dtype`` float32 bfloat16 gives the codes of its numbers as float32."""
    args = FORMATS[format_name]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4096, generator=generator).to(torch.bfloat16).to(backend.device)
    scale = torch.full((1,), 0.0123, dtype=torch.bfloat16, device=backend.device)
    codes = backend.quantize(x, scale, None, args, compute_dtype="float32")
    exact = backend.quantize(x.float(), scale.float(), None, args)
    assert same(codes, exact.to(torch.bfloat16))


def test_no_graph_is_made(backend: TorchBackend) -> None:
    """Tensors that require a gradient are read as numbers."""
    x = torch.ones(2, 4, device=backend.device, requires_grad=True)
    args = QuantizationArgs(strategy="channel")
    low, high = backend.minmax(x, args)
    scale, zero_point = backend.calculate_qparams(low, high, args)
    values = backend.fake_quantize(x, scale, zero_point, args)
    assert not any(t.requires_grad for t in (low, high, scale, values))


def test_errors_name_the_field(backend: TorchBackend) -> None:
    """What is refused is named, with its value and what is allowed."""
    x, one = torch.ones(2, 4), torch.ones(1)
    args = QuantizationArgs(group_size=2)
    with pytest.raises(
        TypeError, match=r"x: dtype torch\.int32 is not allowed; allowed: \['float16'"
    ):
        backend.quantize(x.int(), one, None, args)
    with pytest.raises(TypeError, match="scale: list is not a tensor"):
        backend.quantize(x, [1.0], None, args)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x: 4 columns are not divisible by group_size 3"):
        backend.quantize(x, one, None, QuantizationArgs(group_size=3))
    with pytest.raises(
        ValueError, match=r"scale: its values, shaped \(2, 3, 1\), do not broadcast"
    ):
        backend.quantize(x, torch.ones(2, 3), None, args)
    with pytest.raises(ValueError, match=r"global_scale: shape \(2,\) is not allowed"):
        backend.quantize(x, one, None, args, global_scale=torch.ones(2))
    with pytest.raises(
        ValueError, match=r"dtype: torch\.int8 cannot hold the codes of float8_e4m3fn"
    ):
        backend.quantize(x, one, None, FORMATS["float8"], dtype="int8")
    with pytest.raises(ValueError, match="compute_dtype: dtype float64 is not allowed"):
        backend.quantize(x, one, None, args, compute_dtype="float64")
    with pytest.raises(TypeError, match="args: None is not allowed"):
        backend.dequantize(x, one)
    with pytest.raises(ValueError, match="weight_scale: missing"):
        backend.compress({"weight": x}, preset_name_to_scheme("W8A8"))


def averaging(backend: TorchBackend, constant: object) -> object:
    """A moving average by a constant."""
    x, one = torch.ones(2, 4), torch.ones(1)
    args = QuantizationArgs(observer_kwargs={"averaging_constant": constant})
    return backend.minmax(x, args, (one, one))


def decompressed(backend: TorchBackend, shape: object, form: str | None = None) -> object:
    """W4A16 of two rows, read back by a shape and a format."""
    scheme = preset_name_to_scheme("W4A16")
    state = {"weight": torch.ones(2, 128), "weight_scale": torch.ones(2, 1)}
    stored = backend.compress(state, scheme, form)
    return backend.decompress(stored | {"weight_shape": torch.tensor(shape)}, scheme)


WORDS = torch.ones((2, 1), dtype=torch.int32)
NOT_REPAIRED: dict[str, Callable[[Any], object]] = {
    "dtype: None": lambda b: b.round_to_quantized_type_dtype(torch.ones(2), None),
    "shape: (2.5, 8)": lambda b: b.unpack_from_int32(WORDS, 4, (2.5, 8)),
    "shape: (2, -3)": lambda b: b.unpack_from_int32(WORDS, 4, (2, -3)),
    "shape: None": lambda b: b.unpack_from_int32(WORDS, 4, None),
    "packed_dim: True": lambda b: b.unpack_from_int32(WORDS, 4, (2, 8), True),
    "packed_dim: 1.0": lambda b: b.unpack_from_int32(WORDS, 4, (2, 8), 1.0),
    "weight_shape: [2.5, 128.0]": lambda b: decompressed(b, [2.5, 128]),
    "weight_shape: [[2, 128]]": lambda b: decompressed(b, [[2, 128]]),
    "format: ''": lambda b: decompressed(b, [2, 128], ""),
    "averaging_constant: 2": lambda b: averaging(b, 2),
    "averaging_constant: nan": lambda b: averaging(b, math.nan),
    "averaging_constant: True": lambda b: averaging(b, True),
    "averaging_constant: 'x'": lambda b: averaging(b, "x"),
}


@pytest.mark.parametrize("named", NOT_REPAIRED)
def test_what_the_reference_refuses_is_not_repaired(named: str, backend: TorchBackend) -> None:
    """Neither numpy's reading of None nor int() makes something of what is nothing."""
    with pytest.raises((TypeError, ValueError), match=re.escape(named)):
        NOT_REPAIRED[named](backend)


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0,), (0, 2, 4), (2, 0, 4), (2, 2, 0)])
def test_ranges_of_nothing_are_those_of_the_reference(
    shape: tuple[int, ...], name: str, backend: TorchBackend
) -> None:
    """Without units there are no ranges, without elements of a unit it is refused, as there."""
    from qparity import reference

    made = [QuantizationArgs(**fields) for fields in STRATEGIES.values()]
    made += [QuantizationArgs(group_size=2), QuantizationArgs(strategy="attn_head")]
    calls = [(observe, args) for observe in ("minmax", "static_minmax") for args in made]
    dynamic: list[dict[str, Any]] = [
        {"strategy": "token"},
        {"strategy": "tensor"},
        {"group_size": 2},
    ]
    calls += [
        ("compute_dynamic_scales_and_zp", QuantizationArgs(dynamic=True, **fields))
        for fields in dynamic
    ]
    x = np.ones(shape, dtype_of(name))
    for verb, args in calls:
        try:
            expected = getattr(reference, verb)(x, args)
        except ValueError as error:
            with pytest.raises(ValueError, match=re.escape(str(error))):
                getattr(backend, verb)(backend.from_numpy(x), args)
            continue
        found = getattr(backend, verb)(backend.from_numpy(x), args)
        for one, other in zip(found, expected, strict=True):
            assert same(one, backend.from_numpy(other))


@pytest.mark.parametrize("preset", WEIGHT_PRESETS)
def test_presets_give_the_bits_of_the_reference(preset: str, backend: TorchBackend) -> None:
    """Range, parameters, compression and its inverse are those of the backend ``numpy``."""
    from qparity.backends import numpy_backend

    scheme = preset_name_to_scheme(preset)
    assert scheme.weights is not None
    x = weight(columns=256)
    tensors = state_dict(x.to(backend.device), scheme.weights, backend)
    arrays = {key: to_array(value) for key, value in tensors.items()}
    compressed, expected = backend.compress(tensors, scheme), numpy_backend.compress(arrays, scheme)
    restored, back = (
        backend.decompress(compressed, scheme),
        numpy_backend.decompress(expected, scheme),
    )
    for mine, theirs in ((compressed, expected), (restored, back)):
        assert mine.keys() == theirs.keys()
        for key, value in mine.items():
            assert same(value, to_tensor(theirs[key], backend.device)), key
