"""Faults of rounding to a dtype, of packing and of what lies on disk."""

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.reference import QuantizationArgs

from ..bits import Array
from .fault import Fault
from .variant import F32, F64, Variant, cast

_PACK_INT = ("pack_to_int32", "compress")


def _changed(name: str, change: Callable[[Array], Array]) -> Mapping[str, Callable[..., Any]]:
    def operation(v: Variant, *a: Any, **k: Any) -> Array:  # noqa: ANN401 - arguments pass
        return change(getattr(reference, name)(*a, **k))

    return {name: operation}


def _swapped_nibbles(packed: Array) -> Array:
    return (packed << 4) | (packed >> 4)


def _swapped_bytes(words: Array) -> Array:
    return words.byteswap()


def _reversed_threes(packed: Array) -> Array:
    shaped = packed.reshape(packed.shape[0], -1, 3)
    return np.ascontiguousarray(shaped[..., ::-1]).reshape(packed.shape)


def _no_offset(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """Two's complement codes, not offset by 2^(b-1)."""
    half = 1 << (num_bits - 1)
    flipped = np.where(value < 0, value + half, value - half).astype(np.int8)
    return reference.pack_to_int32(flipped, num_bits, packed_dim)


def _no_crossing(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """The bits of an element that cross into the next word are lost."""
    exact = reference.pack_to_int32(value, num_bits, packed_dim)
    if 32 % num_bits == 0:
        return exact
    words = exact.swapaxes(-1, -2) if packed_dim == 0 else exact
    lost = np.array(words).view(np.uint32)
    for word in range(1, words.shape[-1]):
        spill = (word * 32) % num_bits
        if spill:
            mask = np.uint32((1 << (num_bits - spill)) - 1)
            lost[..., word] &= ~mask
    kept = lost.view(np.int32)
    return np.ascontiguousarray(kept.swapaxes(-1, -2)) if packed_dim == 0 else kept


def _reversed_words(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """The first element in the highest bits."""
    exact = np.array(reference.pack_to_int32(value, num_bits, packed_dim))
    bits = np.unpackbits(exact.view(np.uint8), axis=-1)
    return np.packbits(bits, axis=-1, bitorder="little").view(np.int32).reshape(exact.shape)


def _borrowed(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    """Words made by adding signed codes: a negative one borrows from its neighbour."""
    exact = np.array(reference.pack_to_int32(value, num_bits, packed_dim))
    if num_bits < 2:
        return exact
    return np.where(exact < 0, exact + np.int32(1 << num_bits), exact).astype(np.int32)


def _packed_dim_ignored(v: Variant, value: Array, num_bits: int, packed_dim: int = 1) -> Array:
    exact = reference.pack_to_int32(value, num_bits, packed_dim)
    if packed_dim == 1:
        return exact
    other = reference.pack_to_int32(value, num_bits, 1)
    return np.resize(other, exact.shape).astype(np.int32)


def _unpack_logical(
    v: Variant, packed: Array, num_bits: int, shape: Any, packed_dim: int = 1
) -> Array:  # noqa: ANN401
    """Codes without the offset taken away."""
    exact = reference.unpack_from_int32(packed, num_bits, shape, packed_dim)
    return (exact.view(np.uint8) + np.uint8(1 << (num_bits - 1))).view(np.int8)


def _unpack_padded(
    v: Variant, packed: Array, num_bits: int, shape: Any, packed_dim: int = 1
) -> Array:  # noqa: ANN401
    """The last element of a row read from the next word."""
    exact = np.array(reference.unpack_from_int32(packed, num_bits, shape, packed_dim))
    if exact.shape[-1] > 8:
        exact[..., -1] = -(1 << (num_bits - 1))
    return exact


def _lost_negative_zero(values: Array) -> Array:
    return np.where(values == 0, values.dtype.type(0), values)


def _unsigned_sign(packed: Array) -> Array:
    """-0 packed as +0 in both nibbles."""
    low, high = packed & 0xF, packed >> 4
    low, high = np.where(low == 8, 0, low), np.where(high == 8, 0, high)
    return (low | (high << 4)).astype(np.uint8)


def _dtype_rounding(how: str) -> Callable[..., Array]:
    def operation(
        v: Variant, x: Array, dtype: np.dtype, cast_to_original_dtype: bool = True
    ) -> Array:
        exact = reference.round_to_quantized_type_dtype(x, dtype, cast_to_original_dtype)
        x = np.atleast_1d(x)
        if how == "bfloat16" and x.dtype != np.float16:
            through = cast(x, np.dtype(ml_dtypes.bfloat16))
            found = reference.round_to_quantized_type_dtype(through, dtype, False)
            return cast(found, x.dtype) if cast_to_original_dtype else found
        if how == "saturation" and dtype.kind not in "iu":
            high = float(ml_dtypes.finfo(dtype).max)
            over = np.abs(x.astype(F64)) > high
            return np.where(over, exact.dtype.type(np.nan), exact)
        if how == "direct" and x.dtype == F64 and dtype.itemsize < 4 and dtype.name != "int8":
            high = float(ml_dtypes.finfo(dtype).max) if dtype.kind not in "iu" else 127.0
            direct = _direct(np.clip(x, -high, high), dtype)
            same = np.isnan(x) | np.isnan(exact.astype(F64)) | (dtype.kind in "iu")
            back = direct.astype(F64) if cast_to_original_dtype else direct.astype(exact.dtype)
            return np.where(same, exact, back)
        if how == "half_away" and dtype.kind in "iu":
            info = np.iinfo(dtype)
            z = np.clip(x.astype(F64), info.min, info.max)
            away = np.nan_to_num(np.sign(z) * np.floor(np.abs(z) + 0.5))
            return away.astype(exact.dtype)
        if how == "nan" and dtype.kind not in "iu":
            return np.where(np.isnan(exact), exact.dtype.type(1), exact)
        return exact

    return operation


def _direct(x: Array, dtype: np.dtype) -> Array:
    """float64 to a narrow dtype with one rounding: by rounding to odd in float32."""
    near = x.astype(F32)
    inexact = near.astype(F64) != x
    bits = near.view(np.uint32)
    above = np.abs(near.astype(F64)) > np.abs(x)
    truncated = np.where(inexact & above, bits - np.uint32(1), bits)
    odd = np.where(inexact, truncated | np.uint32(1), truncated).astype(np.uint32).view(F32)
    return odd.astype(dtype)


def _args_rounding(how: str) -> Callable[..., Array]:
    def operation(
        v: Variant,
        x: Array,
        args: QuantizationArgs,
        q_min: float,
        q_max: float,
        cast_to_original_dtype: bool = True,
    ) -> Array:
        if how == "bounds_ignored":
            low, high = reference.calculate_range(args)
            return reference.round_to_quantized_type_args(
                x, args, low, high, cast_to_original_dtype
            )
        if how == "never_cast_back":
            return reference.round_to_quantized_type_args(x, args, q_min, q_max, True)
        exact = reference.round_to_quantized_type_args(
            x, args, q_min, q_max, cast_to_original_dtype
        )
        return np.where(np.atleast_1d(x) == 0, exact.dtype.type(0), exact)

    return operation


def _stored(how: str) -> Callable[..., Array]:
    def stored_scale(v: Variant, scale: Array, args: QuantizationArgs) -> Array:
        if how == "mx" and args.is_mx:
            return (scale + np.uint8(1)).astype(np.uint8)
        if how == "working" and scale.dtype.itemsize == 1 and not args.is_mx:
            return scale.astype(np.dtype(ml_dtypes.bfloat16))
        return scale

    return stored_scale


def _entries(how: str) -> Callable[..., dict[str, Array]]:
    def compress(v: Variant, state_dict: Any, scheme: Any, format: Any = None) -> dict[str, Array]:  # noqa: ANN401
        written = dict(reference.compress(state_dict, scheme, format))
        if how == "zero_point" and "weight_zero_point" in state_dict:
            written.setdefault("weight_zero_point", state_dict["weight_zero_point"])
        if how == "shape" and "weight_shape" in written:
            written["weight_shape"] = written["weight_shape"][::-1].copy()
        if how == "int32" and "weight_shape" in written:
            written["weight_shape"] = written["weight_shape"].astype(np.int32)
        return written

    return compress


def _decompressed(how: str) -> Callable[..., dict[str, Array]]:
    def decompress(
        v: Variant, state_dict: Any, scheme: Any, format: Any = None
    ) -> dict[str, Array]:  # noqa: ANN401
        made = dict(reference.decompress(state_dict, scheme, format))
        if how == "float32" and "weight_packed" in state_dict:
            made["weight"] = made["weight"].astype(F32)
        if how == "nibbles" and state_dict.get("weight_packed", np.empty(0)).dtype == np.uint8:
            swapped = dict(state_dict)
            swapped["weight_packed"] = _swapped_nibbles(state_dict["weight_packed"])
            made = dict(reference.decompress(swapped, scheme, format))
        if how == "zero_point" and "weight_zero_point" in state_dict:
            made["weight_zero_point"] = state_dict["weight_zero_point"]
        return made

    return decompress


def _calculate_range(v: Variant, args: QuantizationArgs) -> tuple[float, float]:
    low, high = reference.calculate_range(args)
    return (-high, high) if high else (low, high)


PACKING = (
    Fault(
        "range_symmetric",
        "-(2^(b-1) - 1) as the smallest code",
        ("calculate_range",),
        {"calculate_range": _calculate_range},
    ),
    Fault(
        "dtype_through_bfloat16",
        "rounded to bfloat16 first",
        ("round_to_quantized_type_dtype",),
        {"round_to_quantized_type_dtype": _dtype_rounding("bfloat16")},
    ),
    Fault(
        "dtype_not_saturated",
        "out of range is NaN",
        ("round_to_quantized_type_dtype",),
        {"round_to_quantized_type_dtype": _dtype_rounding("saturation")},
    ),
    Fault(
        "dtype_directly",
        "float64 rounded once",
        ("round_to_quantized_type_dtype",),
        {"round_to_quantized_type_dtype": _dtype_rounding("direct")},
    ),
    Fault(
        "dtype_half_away",
        "integer ties away from zero",
        ("round_to_quantized_type_dtype",),
        {"round_to_quantized_type_dtype": _dtype_rounding("half_away")},
    ),
    Fault(
        "dtype_nan_is_a_number",
        "NaN turned into 1",
        ("round_to_quantized_type_dtype",),
        {"round_to_quantized_type_dtype": _dtype_rounding("nan")},
    ),
    Fault(
        "bounds_ignored",
        "q_min and q_max not used",
        ("round_to_quantized_type_args",),
        {"round_to_quantized_type_args": _args_rounding("bounds_ignored")},
    ),
    Fault(
        "codes_cast_back",
        "fp8 codes always cast back",
        ("round_to_quantized_type_args",),
        {"round_to_quantized_type_args": _args_rounding("never_cast_back")},
    ),
    Fault(
        "codes_lose_sign_of_zero",
        "-0 becomes +0",
        ("round_to_quantized_type_args",),
        {"round_to_quantized_type_args": _args_rounding("sign")},
    ),
    Fault(
        "swapped_nibbles",
        "the first value in the high nibble",
        ("pack_fp4_to_uint8", "compress"),
        _changed("pack_fp4_to_uint8", _swapped_nibbles),
    ),
    Fault(
        "fp4_sign_of_zero_lost",
        "-0 packed as 0",
        ("pack_fp4_to_uint8",),
        _changed("pack_fp4_to_uint8", _unsigned_sign),
    ),
    Fault(
        "fp6_bytes_reversed",
        "three bytes in big-endian order",
        ("pack_fp6_to_uint8", "compress"),
        _changed("pack_fp6_to_uint8", _reversed_threes),
    ),
    Fault(
        "word_bytes_swapped",
        "big-endian words",
        _PACK_INT,
        _changed("pack_to_int32", _swapped_bytes),
    ),
    Fault(
        "word_order_reversed",
        "the first element in the highest bits",
        _PACK_INT,
        {"pack_to_int32": _reversed_words},
    ),
    Fault("code_not_offset", "two's complement codes", _PACK_INT, {"pack_to_int32": _no_offset}),
    Fault(
        "crossing_bits_lost",
        "elements do not cross words",
        _PACK_INT,
        {"pack_to_int32": _no_crossing},
    ),
    Fault(
        "borrow_across_lanes",
        "a negative code borrows from the next",
        _PACK_INT,
        {"pack_to_int32": _borrowed},
    ),
    Fault(
        "packed_dim_ignored",
        "packs along the columns",
        ("pack_to_int32",),
        {"pack_to_int32": _packed_dim_ignored},
    ),
    Fault(
        "unpack_not_offset",
        "the offset is not taken away",
        ("unpack_from_int32",),
        {"unpack_from_int32": _unpack_logical},
    ),
    Fault(
        "unpack_last_element",
        "the last element is lost",
        ("unpack_from_int32",),
        {"unpack_from_int32": _unpack_padded},
    ),
    Fault(
        "unpack_fp4_zero_unsigned",
        "-0 unpacked as 0",
        ("unpack_fp4_from_uint8",),
        _changed("unpack_fp4_from_uint8", _lost_negative_zero),
    ),
    Fault(
        "unpack_fp6_zero_unsigned",
        "-0 unpacked as 0",
        ("unpack_fp6_from_uint8",),
        _changed("unpack_fp6_from_uint8", _lost_negative_zero),
    ),
    Fault("mx_code_off_by_one", "bias 128", ("compress",), {"stored_scale": _stored("mx")}),
    Fault(
        "scale_not_stored_small",
        "8-bit scales stored in bfloat16",
        ("compress",),
        {"stored_scale": _stored("working")},
    ),
    Fault(
        "symmetric_zero_point_stored",
        "a zero-point kept where there is none",
        ("compress",),
        {"compress": _entries("zero_point")},
    ),
    Fault(
        "shape_reversed",
        "weight_shape is columns, rows",
        ("compress",),
        {"compress": _entries("shape")},
    ),
    Fault(
        "shape_in_int32", "weight_shape is int32", ("compress",), {"compress": _entries("int32")}
    ),
    Fault(
        "decompressed_in_float32",
        "weights come back in float32",
        ("decompress",),
        {"decompress": _decompressed("float32")},
    ),
    Fault(
        "decompressed_nibbles",
        "nibbles swapped on the way back",
        ("decompress",),
        {"decompress": _decompressed("nibbles")},
    ),
    Fault(
        "decompressed_zero_point",
        "the zero-point stays packed",
        ("decompress",),
        {"decompress": _decompressed("zero_point")},
    ),
)
