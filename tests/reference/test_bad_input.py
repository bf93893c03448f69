"""Bad input: one message that names the field, the value and what is allowed; or it is defined."""

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from qparity.reference import (
    QuantizationArgs,
    QuantizationScheme,
    calculate_qparams,
    calculate_range,
    compress,
    compute_dynamic_scales_and_zp,
    decompress,
    dequantize,
    fake_quantize,
    generate_gparam,
    infer_format,
    memoryless_minmax,
    minmax,
    pack_fp4_to_uint8,
    pack_fp6_to_uint8,
    pack_to_int32,
    preset_name_to_scheme,
    quantize,
    round_to_quantized_type_args,
    round_to_quantized_type_dtype,
    static_minmax,
    unpack_fp4_from_uint8,
    unpack_fp6_from_uint8,
    unpack_from_int32,
)
from qparity.reference.formats import float_format

F32, E4M3 = np.float32, ml_dtypes.float8_e4m3fn
FOREIGN = np.dtype(F32).newbyteorder()
X, ONE = np.ones((2, 4), F32), np.ones(1, F32)
ROWS = np.ones((2, 1), F32)
WORDS, BYTES, CODES = np.ones((2, 1), np.int32), np.ones((2, 3), np.uint8), np.ones((2, 2), np.int8)
TENSOR, FP8 = QuantizationArgs(), QuantizationArgs(type="float")
FP6 = QuantizationArgs(num_bits=6, type="float")
CHANNEL = QuantizationArgs(strategy="channel")
PAIRS = QuantizationArgs(group_size=2)
THREES = QuantizationArgs(group_size=3)
BLOCKS = QuantizationArgs(strategy="block", block_structure=(2, 2))
TOKEN = QuantizationArgs(strategy="token", dynamic=True)
HEADS = QuantizationArgs(strategy="attn_head")
MXFP4 = preset_name_to_scheme("MXFP4A16")
MX_ARGS = MXFP4.weights
W4A16, W4A16_ASYM = preset_name_to_scheme("W4A16"), preset_name_to_scheme("W4A16_ASYM")
WEIGHT = {"weight": np.ones((2, 128), F32), "weight_scale": ROWS}
MX_ONES = np.ones((2, 4), F32)
FP4_OF_32 = QuantizationScheme(("L",), QuantizationArgs(num_bits=4, type="float", group_size=32))
PACKED = {"weight_scale": ROWS, "weight_packed": np.ones((2, 16), np.int32)}
Call = Callable[[], object]


def args(**fields: Any) -> Call:  # noqa: ANN401 - any field
    """A call that makes args."""
    return lambda: QuantizationArgs(**fields)


def averaging(constant: object) -> Call:
    """A call of the moving average with a constant."""
    options = QuantizationArgs(observer_kwargs={"averaging_constant": constant})
    return lambda: minmax(X, options, (ONE, ONE))


def shows(message: str, *words: str) -> None:
    """The message is one line and has these words and, if anything is allowed, says what."""
    assert "\n" not in message
    for word in words:
        assert word in message


VALUE_ERRORS: list[tuple[str, str, Call]] = [
    ("num_bits: 9", "[1, 2, 3, 4, 5, 6, 7, 8]", args(num_bits=9)),
    ("num_bits: 0", "[1, 2, 3, 4, 5, 6, 7, 8]", args(num_bits=0)),
    ("num_bits: 5", "[4, 6, 8]", args(num_bits=5, type="float")),
    ("scale_dtype: 'bfloat17'", "'bfloat16'", args(scale_dtype="bfloat17")),
    ("scale_dtype: 'torch.bfloat17'", "'bfloat16'", args(scale_dtype="torch.bfloat17")),
    ("scale_dtype: 'int32'", "'bfloat16'", args(scale_dtype=np.int32)),
    ("scale_dtype: 'float32 of foreign byte order'", "'float32'", args(scale_dtype=FOREIGN)),
    ("scale_dtype: 'float4_e2m1fn'", "'bfloat16'", args(scale_dtype="float4_e2m1fn")),
    ("zp_dtype: 'int9'", "'int8'", args(zp_dtype="int9")),
    ("type: 'fp'", "['int', 'float']", args(type="fp")),
    ("strategy: 'rows'", "'channel'", args(strategy="rows")),
    ("group_size: 0", "-1 (channel)", args(group_size=0)),
    ("group_size: -2", "-1 (channel)", args(group_size=-2)),
    ("group_size: 4", "'tensor_group'", args(group_size=4, strategy="tensor")),
    ("group_size: None", "a positive int", args(strategy="group")),
    ("block_structure: '128'", "'128x128'", args(strategy="block", block_structure="128")),
    ("block_structure: '1x2x3'", "'128x128'", args(strategy="block", block_structure="1x2x3")),
    ("block_structure: '0x4'", "two positive ints", args(strategy="block", block_structure="0x4")),
    ("block_structure: '-1x4'", "two positive", args(strategy="block", block_structure="-1x4")),
    ("block_structure: [0, 1]", "two positive", args(strategy="block", block_structure=[0, 1])),
    ("block_structure: [1.0, 1]", "two", args(strategy="block", block_structure=[1.0, 1])),
    ("block_structure: 5", "two positive ints", args(strategy="block", block_structure=5)),
    ("block_structure: None", "two positive ints", args(strategy="block")),
    ("block_structure: (1, 1)", "None for the others", args(block_structure=[1, 1])),
    ("dynamic: False", "True", args(strategy="token")),
    ("dynamic: 'local'", "'tensor_group'", args(dynamic="local")),
    ("dynamic: 'global'", "[False, True, 'local']", args(dynamic="global")),
    ("dynamic: True", "'token'", args(strategy="channel", dynamic=True)),
    ("actorder: 'columns'", "'weight'", args(actorder="columns")),
    ("actorder: 'group'", "'group', 'tensor_group'", args(actorder="group")),
    ("actorder: 'dynamic'", "'group', 'tensor_group'", args(actorder="dynamic")),
    (
        "actorder: True",
        "'group', 'tensor_group'",
        lambda: QuantizationArgs.from_dict({"actorder": True, "strategy": "channel"}),
    ),
    ("symmetric: False", "True", args(num_bits=4, type="float", symmetric=False)),
    (
        "symmetric: False",
        "True",
        args(type="float", symmetric=False, group_size=32, scale_dtype="uint8"),
    ),
    ("unknown key 'num_bit'", "'num_bits'", lambda: QuantizationArgs.from_dict({"num_bit": 8})),
    ("unknown key 'foo'", "'targets'", lambda: QuantizationScheme.from_dict({"foo": 1})),
    ("targets: missing", "a list of strings", lambda: QuantizationScheme.from_dict({})),
    ("format: 'zip'", "'pack-quantized'", lambda: QuantizationScheme(("L",), format="zip")),
    ("name: unknown preset 'W9A16'", "'W4A16'", lambda: preset_name_to_scheme("W9A16")),
    ("scale", "one value, or one per unit", lambda: quantize(X, np.ones(3, F32), None, CHANNEL)),
    ("scale", "one value", lambda: quantize(X[:1], np.ones((3, 1), F32), None, CHANNEL)),
    ("scale", "one value, or one per unit", lambda: quantize(X, np.ones(0, F32), None, TENSOR)),
    ("scale", "one value, or one per unit", lambda: quantize(X, np.ones((2, 3), F32), None, PAIRS)),
    ("scale: shape (2, 2)", "(1, 2)", lambda: quantize(X, np.ones((2, 2), F32), None, BLOCKS)),
    ("zero_point", "one value", lambda: quantize(X, ROWS, np.zeros((5, 1), np.int8), CHANNEL)),
    ("x: 4 columns", "a multiple of 3", lambda: quantize(X, ROWS, None, THREES)),
    ("x: 4 columns", "a multiple of 3", lambda: fake_quantize(X, ROWS, None, THREES)),
    ("4 columns", "a multiple of 3", lambda: dequantize(X, ROWS, None, THREES)),
    ("x: 4 columns", "a multiple of 3", lambda: minmax(X, THREES)),
    ("x: 4 columns", "a multiple of 3", lambda: compute_dynamic_scales_and_zp(X, THREES)),
    ("g_idx: shape (3,)", "(4,)", lambda: quantize(X, ROWS, None, PAIRS, g_idx=np.zeros(3, int))),
    (
        "g_idx: 2 is not a group",
        "0 to 1",
        lambda: quantize(X, np.ones((2, 2), F32), None, PAIRS, g_idx=np.array([0, 1, 2, 1])),
    ),
    ("x: shape (4,)", "2-D", lambda: quantize(X[0], ONE, None, BLOCKS)),
    (
        "global_scale: shape (2,)",
        "(1,)",
        lambda: quantize(X, ONE, None, TENSOR, global_scale=np.ones(2, F32)),
    ),
    ("dtype: 'bfloat17'", "'int8'", lambda: quantize(X, ONE, None, TENSOR, dtype="bfloat17")),  # type: ignore[arg-type]
    ("dtype: float8_e4m3fn", "int8", lambda: quantize(X, ONE, None, TENSOR, dtype=np.dtype(E4M3))),
    ("dtype: int8", "float8_e4m3fn", lambda: quantize(X, ONE, None, FP8, dtype=np.dtype(np.int8))),
    (
        "dtype: int8 cannot hold the codes of float6_e2m3fn",
        "['float8_e4m3fn', 'float16', 'bfloat16', 'float32', 'float64']",
        lambda: quantize(X, ONE, None, FP6, dtype=np.dtype(np.int8)),
    ),
    (
        "compute_dtype: 'float16'",
        "['float32']",
        lambda: quantize(X, ONE, None, TENSOR, compute_dtype=np.dtype(np.float16)),
    ),
    (
        "dtype: 'int8'",
        "'bfloat16'",
        lambda: dequantize(X, ROWS, None, PAIRS, dtype=np.dtype(np.int8)),
    ),
    ("max_vals: shape (2, 1)", "(1,)", lambda: calculate_qparams(ONE, ROWS, TENSOR)),
    (
        "global_scale: shape (2, 1)",
        "(1,)",
        lambda: calculate_qparams(ONE, ONE, TENSOR, ROWS),
    ),
    ("global_scale", "None", lambda: calculate_qparams(ONE, ONE, MX_ARGS, ONE)),  # type: ignore[arg-type]
    ("min_val: shape (2, 1)", "(1,)", lambda: generate_gparam(ROWS, ROWS)),
    ("min_val: shape (0,)", "(1,)", lambda: generate_gparam(ONE[:0], ONE[:0])),
    ("strategy: 'channel'", "'token'", lambda: compute_dynamic_scales_and_zp(X, CHANNEL)),
    ("strategy: 'token'", "all but 'token'", lambda: minmax(X, TOKEN)),
    ("x: shape (2, 4)", "heads", lambda: minmax(X, HEADS)),
    ("x: shape (4,)", "2-D", lambda: minmax(X[0], BLOCKS)),
    ("averaging_constant: 2", "0 to 1", averaging(2)),
    ("averaging_constant: nan", "0 to 1", averaging(np.nan)),
    ("averaging_constant: 1000", "0 to 1", averaging(10**400)),
    ("state: float32 (2, 1)", "float32 (1,)", lambda: minmax(X, TENSOR, (ONE, ROWS))),
    ("shape: (2, -3)", "0 or more", lambda: unpack_from_int32(WORDS, 4, (2, -3))),
    ("shape: (2.5, 8)", "0 or more", lambda: unpack_from_int32(WORDS, 4, (2.5, 8))),  # type: ignore[arg-type]
    ("shape: (2, True)", "0 or more", lambda: unpack_from_int32(WORDS, 4, (2, True))),
    ("shape: None", "0 or more", lambda: unpack_from_int32(WORDS, 4, None)),  # type: ignore[arg-type]
    (
        "block_structure: '99",
        "'128x128'",
        args(strategy="block", block_structure="9" * 5000 + "x1"),
    ),
    ("format: 'nvfp4-", "or None", lambda: compress(WEIGHT, W4A16, "nvfp4-pack-quantized")),
    ("format: 'int-quantized'", "or None", lambda: compress(WEIGHT, FP4_OF_32, "int-quantized")),
    ("state: float64 (1,)", "float32", lambda: static_minmax(X, TENSOR, (np.ones(1), np.ones(1)))),
    (
        "dtype: 'bfloat17'",
        "'bfloat16'",
        lambda: round_to_quantized_type_dtype(X, "bfloat17"),  # type: ignore[arg-type]
    ),
    (
        "dtype: 'int32'",
        "'int8'",
        lambda: round_to_quantized_type_dtype(X, np.dtype(np.int32)),
    ),
    (
        "q_min: shape (2,)",
        "a scalar",
        lambda: round_to_quantized_type_args(X, TENSOR, np.ones(2), 1),
    ),
    ("num_bits: 9", "1 to 8", lambda: pack_to_int32(CODES, 9)),
    ("num_bits: True", "1 to 8", lambda: pack_to_int32(CODES, True)),
    ("packed_dim: 2", "0 or 1", lambda: pack_to_int32(CODES, 4, 2)),
    ("packed_dim: True", "0 or 1", lambda: unpack_from_int32(WORDS, 4, (2, 8), True)),
    ("packed_dim: 1.0", "0 or 1", lambda: pack_to_int32(CODES, 4, 1.0)),  # type: ignore[arg-type]
    ("value: 9 to 9", "-8 to 7", lambda: pack_to_int32(CODES * np.int8(9), 4)),
    ("value: shape (2,)", "2-D or more", lambda: pack_to_int32(CODES[0], 4)),
    ("packed: shape (2, 1)", "(2, 2)", lambda: unpack_from_int32(WORDS, 4, (2, 9))),
    ("num_bits: 0", "1 to 8", lambda: unpack_from_int32(WORDS, 0, (2, 8))),
    ("x: 3 columns", "a multiple of 2", lambda: pack_fp4_to_uint8(np.ones((2, 3), F32))),
    ("x: 5.0", "float4_e2m1fn", lambda: pack_fp4_to_uint8(np.full((2, 2), 5, F32))),
    ("x: nan", "float4_e2m1fn", lambda: pack_fp4_to_uint8(np.full((2, 2), np.nan, F32))),
    ("x: shape (4,)", "2-D", lambda: pack_fp4_to_uint8(X[0])),
    ("x: 6 columns", "a multiple of 4", lambda: pack_fp6_to_uint8(np.ones((2, 6), F32))),
    ("x: 7.25", "float6_e2m3fn", lambda: pack_fp6_to_uint8(np.full((2, 4), 7.25, F32))),
    ("m, n: 2, 5", "n a multiple of 2", lambda: unpack_fp4_from_uint8(BYTES, 2, 5)),
    ("m, n: -2, -6", "0 or more", lambda: unpack_fp4_from_uint8(BYTES, -2, -6)),
    ("packed: shape (2, 3)", "(2, 4)", lambda: unpack_fp4_from_uint8(BYTES, 2, 8)),
    (
        "dtype: 'bfloat17'",
        "'bfloat16'",
        lambda: unpack_fp4_from_uint8(BYTES, 2, 6, "bfloat17"),  # type: ignore[arg-type]
    ),
    ("m, n: 2, 5", "n a multiple of 4", lambda: unpack_fp6_from_uint8(BYTES, 2, 5)),
    ("packed: shape (2, 3)", "(2, 6)", lambda: unpack_fp6_from_uint8(BYTES, 2, 8)),
    ("weight_scale: -1.0", ">= 0", lambda: compress(WEIGHT | {"weight_scale": -MX_ONES}, MXFP4)),
    ("format: 'int4' is not a float", "'float4_e2m1fn'", lambda: float_format("int4")),
    ("weight: missing", "an array", lambda: compress({}, W4A16)),
    ("weight_zero_point: missing", "an array", lambda: compress(WEIGHT, W4A16_ASYM)),
    ("format: 'zip'", "'pack-quantized'", lambda: compress(WEIGHT, W4A16, "zip")),
    ("format: ''", "'pack-quantized'", lambda: compress(WEIGHT, W4A16, "")),
    (
        "weight_shape: float64 (2,)",
        "integers",
        lambda: decompress(PACKED | {"weight_shape": np.array([2.5, 128])}, W4A16),
    ),
    (
        "weight_shape: int64 (1, 2)",
        "one for each dimension",
        lambda: decompress(PACKED | {"weight_shape": np.array([[2, 128]])}, W4A16),
    ),
    ("scale_dtype: None", "'uint8'", lambda: compress(WEIGHT, FP4_OF_32)),
    (
        "weight_global_scale",
        "none",
        lambda: compress(WEIGHT | {"weight_global_scale": ONE}, MXFP4),
    ),
    ("weight_scale: missing", "an array", lambda: decompress({}, W4A16)),
    ("weight_shape: missing", "an array", lambda: decompress(PACKED, W4A16)),
    (
        "weight_packed: shape (2, 16)",
        "(2, 13)",
        lambda: decompress(PACKED | {"weight_shape": np.array([2, 100])}, W4A16),
    ),
]

TYPE_ERRORS: list[tuple[str, str, Call]] = [
    ("num_bits: '8'", "an int", args(num_bits="8")),
    ("num_bits: True", "an int", args(num_bits=True)),
    ("num_bits: 8.0", "an int", args(num_bits=8.0)),
    ("type: 1", "['int', 'float']", args(type=1)),
    ("symmetric: 1", "True or False", args(symmetric=1)),
    ("group_size: '128'", "an int", args(group_size="128")),
    ("dynamic: 1", "[False, True, 'local']", args(dynamic=1)),
    ("actorder: 1", "[None, False, True, 'weight'", args(actorder=1)),
    ("scale_dtype: 3", "'bfloat16'", args(scale_dtype=3)),
    ("observer: 3", "a string", args(observer=3)),
    ("observer_kwargs: [1]", "a mapping", args(observer_kwargs=[1])),
    ("args: list", "a mapping", lambda: QuantizationArgs.from_dict([])),  # type: ignore[arg-type]
    ("scheme: list", "a mapping", lambda: QuantizationScheme.from_dict([])),  # type: ignore[arg-type]
    ("targets: 'Linear'", "a list of strings", lambda: QuantizationScheme("Linear")),  # type: ignore[arg-type]
    ("weights: 3", "QuantizationArgs", lambda: QuantizationScheme(("L",), 3)),  # type: ignore[arg-type]
    ("name: 3", "'W4A16'", lambda: preset_name_to_scheme(3)),  # type: ignore[arg-type]
    ("targets: 'Linear'", "a list", lambda: preset_name_to_scheme("W4A16", "Linear")),
    ("x: dtype float32 of foreign", "'float32'", lambda: minmax(X.astype(FOREIGN), TENSOR)),
    ("x: MaskedArray is not", "'float32'", lambda: minmax(np.ma.array(X, mask=X > 0), TENSOR)),
    ("averaging_constant: 'x'", "a number", averaging("x")),
    ("averaging_constant: True", "a number", averaging(True)),
    ("x: list", "'bfloat16'", lambda: quantize([1.0], ONE, None, TENSOR)),  # type: ignore[arg-type]
    ("x: dtype int64", "'bfloat16'", lambda: quantize(np.ones(3, np.int64), ONE, None, TENSOR)),
    ("x: dtype int8", "'bfloat16'", lambda: minmax(CODES, TENSOR)),
    ("x: dtype int8", "'bfloat16'", lambda: memoryless_minmax(CODES, TENSOR)),
    ("x: dtype int8", "'bfloat16'", lambda: compute_dynamic_scales_and_zp(CODES, TENSOR)),
    ("scale: dtype int64", "'bfloat16'", lambda: quantize(X, np.ones(1, np.int64), None, TENSOR)),
    (
        "zero_point: dtype int32",
        "'int8'",
        lambda: quantize(X, ONE, np.zeros(1, np.int32), TENSOR),
    ),
    ("global_scale: float", "'float32'", lambda: quantize(X, ONE, None, TENSOR, global_scale=2.0)),  # type: ignore[arg-type]
    ("g_idx: list", "integer", lambda: quantize(X, ROWS, None, PAIRS, g_idx=[0, 0, 1, 1])),  # type: ignore[arg-type]
    ("g_idx: float32", "integer", lambda: quantize(X, ROWS, None, PAIRS, g_idx=np.ones(4, F32))),
    ("args: {}", "QuantizationArgs", lambda: quantize(X, ONE, None, {})),  # type: ignore[arg-type]
    ("args: None", "QuantizationArgs", lambda: dequantize(X, ONE)),
    *(
        ("args: None", "QuantizationArgs", call)
        for call in (
            lambda: calculate_range(None),  # type: ignore[arg-type]
            lambda: calculate_qparams(ONE, ONE, None),  # type: ignore[arg-type]
            lambda: compute_dynamic_scales_and_zp(X, None),  # type: ignore[arg-type]
            lambda: minmax(X, None),  # type: ignore[arg-type]
            lambda: round_to_quantized_type_args(X, None, 0, 1),  # type: ignore[arg-type]
        )
    ),
    ("q_min: 'a'", "a number", lambda: round_to_quantized_type_args(X, TENSOR, "a", 1)),  # type: ignore[arg-type]
    ("q_max: None", "a number", lambda: round_to_quantized_type_args(X, TENSOR, 0, None)),  # type: ignore[arg-type]
    ("state: array", "two arrays", lambda: minmax(X, TENSOR, ONE)),  # type: ignore[arg-type]
    ("state: (array", "two arrays", lambda: static_minmax(X, TENSOR, (ONE,))),  # type: ignore[arg-type]
    ("scale_data: 'e4m3'", "a FloatFormat", lambda: generate_gparam(ONE, ONE, scale_data="e4m3")),  # type: ignore[arg-type]
    ("m: True", "an int", lambda: unpack_fp4_from_uint8(BYTES, True, 6)),
    ("m: '2'", "an int", lambda: unpack_fp4_from_uint8(BYTES, "2", 6)),  # type: ignore[arg-type]
    ("n: 4.0", "an int", lambda: unpack_fp6_from_uint8(BYTES, 2, 4.0)),  # type: ignore[arg-type]
    ("scheme: None", "a QuantizationScheme", lambda: compress(WEIGHT, None)),  # type: ignore[arg-type]
    ("scheme: None", "a QuantizationScheme", lambda: infer_format(None)),  # type: ignore[arg-type]
    ("state_dict: None", "a mapping", lambda: decompress(None, W4A16)),  # type: ignore[arg-type]
    ("weight: dtype int8", "'bfloat16'", lambda: compress(WEIGHT | {"weight": CODES}, W4A16)),
    (
        "weight_zero_point: dtype float16",
        "['int8']",
        lambda: compress(WEIGHT | {"weight_zero_point": ROWS.astype(np.float16)}, W4A16_ASYM),
    ),
    (
        "weight_packed: [1]",
        "an array",
        lambda: decompress({"weight_scale": BYTES, "weight_packed": [1]}, MXFP4),
    ),  # type: ignore[dict-item]
    ("x_q: dtype int32", "'int8'", lambda: dequantize(WORDS, ONE, None, TENSOR)),
    ("min_vals: dtype int32", "'bfloat16'", lambda: calculate_qparams(WORDS, WORDS, TENSOR)),
    ("min_vals: float", "'bfloat16'", lambda: calculate_qparams(0.0, 1.0, TENSOR)),  # type: ignore[arg-type]
    (
        "x: dtype int32",
        "'bfloat16'",
        lambda: round_to_quantized_type_dtype(WORDS, np.dtype(np.int8)),
    ),
    ("dtype: None", "'int8'", lambda: round_to_quantized_type_dtype(X, None)),  # type: ignore[arg-type]
    (
        "dtype: <class 'numpy.floating'>",
        "'int8'",
        lambda: round_to_quantized_type_dtype(X, np.floating),  # type: ignore[arg-type]
    ),
    ("value: dtype float32", "['int8']", lambda: pack_to_int32(X, 4)),
    ("packed: dtype float32", "['int32']", lambda: unpack_from_int32(X, 4, (2, 32))),
    ("x: dtype int8", "'bfloat16'", lambda: pack_fp4_to_uint8(CODES)),
    ("packed: dtype float32", "['uint8']", lambda: unpack_fp4_from_uint8(X, 2, 8)),
    ("packed: dtype int8", "['uint8']", lambda: unpack_fp6_from_uint8(CODES, 2, 2)),
    ("weight: [1.0]", "an array", lambda: compress(WEIGHT | {"weight": [1.0]}, W4A16)),  # type: ignore[dict-item]
    (
        "weight_scale: dtype float32",
        "['uint8']",
        lambda: decompress(PACKED | {"weight_packed": np.ones((2, 16), np.uint8)}, MXFP4),
    ),
]


@pytest.mark.parametrize(
    ("named", "allowed", "call"), VALUE_ERRORS, ids=[e[0] for e in VALUE_ERRORS]
)
def test_a_wrong_value_is_named(named: str, allowed: str, call: Call) -> None:
    """A ValueError names the field and the value, and says what is allowed."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its words are checked below
        call()
    shows(str(raised.value), named, allowed, "allowed: ")


@pytest.mark.parametrize(("named", "allowed", "call"), TYPE_ERRORS, ids=[e[0] for e in TYPE_ERRORS])
def test_a_wrong_type_is_named(named: str, allowed: str, call: Call) -> None:
    """A TypeError names the field and what it was given, and says what is allowed."""
    with pytest.raises(TypeError) as raised:
        call()
    shows(str(raised.value), named, allowed, "allowed: ")


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_nan_is_defined(dtype: Any) -> None:  # noqa: ANN401 - a dtype
    """NaN is no bad input: it is the code of +0, or NaN where the codes have it."""
    nan, one = np.full(3, np.nan, dtype), np.ones(1, dtype)
    for kind, bits in (("int", 4), ("int", 8), ("float", 4), ("float", 6)):
        codes = quantize(nan, one, None, QuantizationArgs(type=kind, num_bits=bits))
        assert (codes == 0).all()
        assert not np.signbit(codes).any()
    assert np.isnan(quantize(nan, one, None, FP8)).all()
    assert (quantize(one, nan[:1], None, TENSOR, dtype=np.dtype(np.int8)) == 0).all()
    assert np.isnan(dequantize(nan, one, None, TENSOR)).all()


def test_a_nan_range_is_defined() -> None:
    """A NaN range has a NaN scale, and zero-point 0, or NaN in a float dtype; gparam is 1."""
    for zp_dtype, is_nan in (("int8", False), ("float16", True)):
        options = QuantizationArgs(symmetric=False, zp_dtype=zp_dtype)  # type: ignore[arg-type]
        scale, zero_point = calculate_qparams(ONE * F32(np.nan), ONE, options)
        assert np.isnan(scale).all()
        assert np.isnan(zero_point.astype(F32)).all() == is_nan
        assert is_nan or (zero_point == 0).all()
    assert generate_gparam(ONE * F32(np.nan), ONE).tolist() == [1.0]
    lo, hi = minmax(np.array([[1, np.nan, 2]], F32), TENSOR)
    assert np.isnan(lo).all()
    assert np.isnan(hi).all()


@pytest.mark.parametrize(
    ("options", "scale"),
    [
        (TENSOR, ONE),
        (CHANNEL, ROWS[:0]),
        (PAIRS, np.ones((0, 2), F32)),
        (BLOCKS, np.ones((0, 2), F32)),
    ],
    ids=["tensor", "channel", "group", "block"],
)
def test_an_empty_tensor_has_empty_codes(options: QuantizationArgs, scale: Any) -> None:  # noqa: ANN401 - an array
    """What is elementwise has nothing to do on nothing, in any strategy."""
    empty = np.ones((0, 4), F32)
    for result in (
        quantize(empty, scale, None, options),
        dequantize(empty, scale, None, options),
        fake_quantize(empty, scale, None, options),
    ):
        assert result.shape == (0, 4)


@pytest.mark.parametrize(
    "call", [minmax, static_minmax, memoryless_minmax, compute_dynamic_scales_and_zp]
)
def test_an_empty_tensor_has_no_range(call: Callable[..., object]) -> None:
    """What needs a minimum says that there is none, by the shape."""
    with pytest.raises(ValueError, match=r"x: shape \(0, 4\) is empty and has no range; allowed: "):
        call(np.ones((0, 4), F32), TENSOR)


@pytest.mark.parametrize(
    ("options", "shape", "scales"),
    [
        (PAIRS, (0, 4), (0, 2)),
        (PAIRS, (2, 0), (2, 0)),
        (PAIRS, (0,), (0,)),
        (TOKEN, (0, 4), (0, 1)),
        (TOKEN, (2, 0, 4), (2, 0, 1)),
    ],
    ids=["no rows", "no columns", "nothing", "no token", "no token of two"],
)
def test_no_units_have_no_scales(
    options: QuantizationArgs, shape: tuple[int, ...], scales: tuple[int, ...]
) -> None:
    """Where no unit lacks an element, since there is no unit, there are as many scales: none."""
    for found in compute_dynamic_scales_and_zp(np.ones(shape, F32), options):
        assert found.shape == scales


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: minmax(x, CHANNEL), (2, 0)),
        (lambda x: minmax(x, CHANNEL), (0,)),
        (lambda x: minmax(x, HEADS), (2, 0, 4)),
        (lambda x: compute_dynamic_scales_and_zp(x, TOKEN), (2, 0)),
        (lambda x: compute_dynamic_scales_and_zp(x, TOKEN), (2, 2, 0)),
    ],
)
def test_a_unit_without_elements_has_no_range(
    call: Callable[[Any], object], shape: tuple[int, ...]
) -> None:
    """A row, token or head that is there, but has no element, is refused."""
    with pytest.raises(ValueError, match="is empty and has no range") as raised:
        call(np.ones(shape, F32))
    shows(str(raised.value), f"x: shape {shape} ", "allowed: >= 1 element")


class Columns(np.ndarray):
    """An array whose reductions take other arguments, as those of ``np.matrix`` do."""

    def min(self) -> object:  # type: ignore[override]
        """The least one."""
        return super().min()


def test_a_subclass_is_read_as_the_array_it_is() -> None:
    """Methods that a subclass has replaced are not used, and plain arrays come back."""
    plain = np.array([[1, -2, 3, 4]], F32)
    for found, expected in zip(
        minmax(plain.view(Columns), TENSOR), minmax(plain, TENSOR), strict=True
    ):
        assert type(found) is np.ndarray
        assert (found == expected).all()
    codes = quantize(plain.view(Columns), ONE, None, TENSOR)
    assert type(codes) is np.ndarray


def test_empty_codes_are_packed_into_nothing() -> None:
    """No rows pack into no rows, and come back; no columns into no words."""
    for shape in ((0, 8), (2, 0), (0, 0)):
        words = pack_to_int32(np.ones(shape, np.int8), 4)
        assert words.size == 0
        assert unpack_from_int32(words, 4, shape).shape == shape
        data = pack_fp4_to_uint8(np.ones(shape, F32))
        assert unpack_fp4_from_uint8(data, *shape).shape == shape
        data = pack_fp6_to_uint8(np.ones(shape, F32))
        assert unpack_fp6_from_uint8(data, *shape).shape == shape


def test_numbers_without_dimensions_have_one() -> None:
    """0-D inputs are of shape (1,), in every function that takes arrays."""
    x, scale = np.array(3, F32), np.array(1, F32)
    assert quantize(x, scale, None, TENSOR).shape == (1,)
    assert dequantize(x, scale, None, TENSOR).shape == (1,)
    assert fake_quantize(x, scale, None, TENSOR).shape == (1,)
    assert calculate_qparams(x, x, TENSOR)[0].shape == (1,)
    assert generate_gparam(x, x).shape == (1,)
    assert minmax(x, TENSOR)[0].shape == (1,)
    assert round_to_quantized_type_dtype(x, np.dtype(np.int8)).shape == (1,)
    assert round_to_quantized_type_args(x, TENSOR, -128, 127).shape == (1,)


def test_bad_input_changes_nothing() -> None:
    """After a call that was refused, its arrays are what they were."""
    x, scale = X.copy(), np.ones(3, F32)
    with pytest.raises(ValueError, match="scale"):
        quantize(x, scale, None, CHANNEL)
    assert (x == X).all()
    assert (scale == 1).all()
