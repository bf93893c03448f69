"""Damaged copies of the golden checkpoints: one function for each damage, one line on what it is.

A damage is given the tensors of a checkpoint by local names and its config, and changes them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from qparity.conformance.bits import Array

MODULE = "encoder.layer.0.attention.self.query"
Tensors = dict[str, Array]
Json = dict[str, Any]
Apply = Callable[[Tensors, Json], None]


@dataclass(frozen=True)
class Damage:
    """A damage: what it does, to which golden, and the findings of which one must name it."""

    apply: Apply
    golden: str
    ids: tuple[str, ...]
    against: bool

    @property
    def name(self) -> str:
        """As a test is named."""
        return f"{self.golden}-{self.apply.__name__}"


DAMAGES: list[Damage] = []


def damage(golden: str, *ids: str, against: bool = False) -> Callable[[Apply], Apply]:
    """Register a damage; ``against``: only dense weights tell."""

    def register(apply: Apply) -> Apply:
        DAMAGES.extend(Damage(apply, name, ids, against) for name in golden.split())
        return apply

    return register


def group(config: Json) -> Json:
    """The one group of a config."""
    return config["quantization_config"]["config_groups"]["group_0"]


def swap(packed: Array) -> Array:
    """Bytes with their halves exchanged."""
    data = np.ascontiguousarray(packed).view(np.uint8)
    return ((data << 4) | (data >> 4)).view(packed.dtype)


@damage("NVFP4 MXFP4A16 W4A16", "code-differs", against=True)
def nibbles_swapped(tensors: Tensors, config: Json) -> None:
    """The first value lies in the high nibble."""
    tensors["weight_packed"] = swap(tensors["weight_packed"])


@damage("FP8_BLOCK", "scale-differs", against=True)
def square_scale_transposed(tensors: Tensors, config: Json) -> None:
    """The scales of blocks are transposed; their shape is not."""
    tensors["weight_scale"] = np.ascontiguousarray(tensors["weight_scale"].T)


@damage("NVFP4 MXFP8A16 W4A16 FP8_DYNAMIC", "shape-wrong")
def scale_transposed(tensors: Tensors, config: Json) -> None:
    """The scales are stored (groups, rows)."""
    tensors["weight_scale"] = np.ascontiguousarray(tensors["weight_scale"].T)


@damage("FP8_DYNAMIC W8A8", "shape-wrong")
def scale_squeezed(tensors: Tensors, config: Json) -> None:
    """The scales of rows have lost their last axis."""
    tensors["weight_scale"] = tensors["weight_scale"][:, 0].copy()


@damage("NVFP4 MXFP4A16", "dtype-wrong")
def scale_wider(tensors: Tensors, config: Json) -> None:
    """The scale is stored in float32."""
    tensors["weight_scale"] = tensors["weight_scale"].astype(np.float32)


@damage("NVFP4", "scale-off-grid")
def scale_off_grid(tensors: Tensors, config: Json) -> None:
    """The scale is stored in bfloat16, and was never rounded to e4m3."""
    tensors["weight_scale"] = tensors["weight_scale"].astype(ml_dtypes.bfloat16)
    tensors["weight_scale"][3, 5] = 1.0078125


@damage("W4A16", "dtype-wrong")
def scale_dtype_elsewhere(tensors: Tensors, config: Json) -> None:
    """The config says float16, the scale is bfloat16."""
    group(config)["weights"]["scale_dtype"] = "torch.float16"


@damage("NVFP4", "dtype-wrong")
def scale_dtype_of_eight_bits(tensors: Tensors, config: Json) -> None:
    """The config says e5m2, the scale is e4m3."""
    group(config)["weights"]["scale_dtype"] = "torch.float8_e5m2"


@damage("NVFP4 NVFP4A16", "global-scale-inverted")
def global_scale_inverted(tensors: Tensors, config: Json) -> None:
    """The global scale is amax / 2688."""
    tensors["weight_global_scale"] = np.float32(1) / tensors["weight_global_scale"]


@damage("NVFP4", "global-scale-differs", against=True)
def global_scale_of_another(tensors: Tensors, config: Json) -> None:
    """The global scale is another layer's."""
    tensors["weight_global_scale"] = tensors["weight_global_scale"] * np.float32(1.25)


@damage("NVFP4", "tensor-missing")
def global_scale_missing(tensors: Tensors, config: Json) -> None:
    """There is no global scale."""
    del tensors["weight_global_scale"]


@damage("NVFP4", "scale-nan")
def global_scale_nan(tensors: Tensors, config: Json) -> None:
    """The global scale is NaN."""
    tensors["weight_global_scale"][:] = np.nan


@damage("W4A16_ASYM", "zero-point-differs", "code-differs", against=True)
def zero_point_off_by_one(tensors: Tensors, config: Json) -> None:
    """The zero-point of one group is one too large."""
    tensors["weight_zero_point"][2, 1] += 1 << 8


@damage("W4A16_ASYM", "zero-point-differs", "code-differs", against=True)
def zero_points_all_off_by_one(tensors: Tensors, config: Json) -> None:
    """Every zero-point is one too large."""
    tensors["weight_zero_point"] += np.int32(0x11111111)


@damage("W4A16_ASYM", "shape-wrong")
def zero_point_packed_along_rows(tensors: Tensors, config: Json) -> None:
    """The zero-point is packed along dim 1."""
    tensors["weight_zero_point"] = np.zeros((384, 1), np.int32)


@damage("W4A16_ASYM", "dtype-wrong")
def zero_point_not_packed(tensors: Tensors, config: Json) -> None:
    """The zero-point is int8."""
    tensors["weight_zero_point"] = np.zeros((384, 3), np.int8)


@damage("W4A16_ASYM", "tensor-missing")
def zero_point_missing(tensors: Tensors, config: Json) -> None:
    """An asymmetric scheme without a zero-point."""
    del tensors["weight_zero_point"]


@damage("W4A16_ASYM", "tensor-surplus")
def said_to_be_symmetric(tensors: Tensors, config: Json) -> None:
    """The config says symmetric."""
    group(config)["weights"]["symmetric"] = True


@damage("W4A16 W8A8", "tensor-missing")
def said_to_be_asymmetric(tensors: Tensors, config: Json) -> None:
    """The config says asymmetric."""
    group(config)["weights"]["symmetric"] = False


@damage("W4A16 W3A16 W4A16_ASYM", "tensor-missing")
def shape_missing(tensors: Tensors, config: Json) -> None:
    """There is no weight_shape."""
    del tensors["weight_shape"]


@damage("W4A16", "weight-shape-wrong")
def shape_of_the_packed(tensors: Tensors, config: Json) -> None:
    """The shape is that of the packed tensor."""
    tensors["weight_shape"] = np.array([384, 48], np.int64)


@damage("W4A16", "weight-shape-wrong")
def shape_negative(tensors: Tensors, config: Json) -> None:
    """The shape has a negative size."""
    tensors["weight_shape"] = np.array([384, -384], np.int64)


@damage("W4A16", "weight-shape-wrong")
def shape_transposed(tensors: Tensors, config: Json) -> None:
    """The shape is (columns, rows)."""
    cut_rows(tensors)
    tensors["weight_shape"] = np.array([384, 256], np.int64)


@damage("W4A16", "shape-wrong", "dtype-wrong")
def shape_as_scalars(tensors: Tensors, config: Json) -> None:
    """The shape is float32 of shape (2, 1)."""
    tensors["weight_shape"] = np.array([[384], [384]], np.float32)


def cut_rows(tensors: Tensors) -> None:
    """A weight of 256 rows, sound."""
    for local in ("weight_packed", "weight_scale"):
        tensors[local] = tensors[local][:256].copy()
    tensors["weight_shape"] = np.array([256, 384], np.int64)


@damage("W4A16 NVFP4 MXFP6A16 W3A16", "shape-wrong")
def columns_cut(tensors: Tensors, config: Json) -> None:
    """The last packed column is missing."""
    tensors["weight_packed"] = tensors["weight_packed"][:, :-1].copy()


@damage("W8A8 FP8_BLOCK FP8_DYNAMIC", "shape-wrong")
def rows_cut(tensors: Tensors, config: Json) -> None:
    """The last 100 rows of the codes are missing."""
    tensors["weight"] = tensors["weight"][:-130].copy()


@damage("W4A16 FP8_DYNAMIC NVFP4", "scale-nan")
def scale_nan(tensors: Tensors, config: Json) -> None:
    """A scale is NaN."""
    tensors["weight_scale"][7, 0] = np.nan


@damage("W4A16 FP8_DYNAMIC NVFP4 FP8_BLOCK", "scale-zero")
def scale_zero(tensors: Tensors, config: Json) -> None:
    """A scale is zero."""
    tensors["weight_scale"][2, 0] = 0


@damage("W4A16 W8A8 NVFP4", "scale-negative")
def scale_negative(tensors: Tensors, config: Json) -> None:
    """A scale is negative."""
    tensors["weight_scale"][2, 0] = -tensors["weight_scale"][2, 0]


@damage("W4A16 FP8", "scale-infinite")
def scale_infinite(tensors: Tensors, config: Json) -> None:
    """A scale is infinite."""
    tensors["weight_scale"].reshape(-1)[0] = np.inf


@damage("MXFP4A16 MXFP6A16 MXFP8A16", "scale-nan")
def scale_code_255(tensors: Tensors, config: Json) -> None:
    """An E8M0 code is NaN."""
    tensors["weight_scale"][5, 5] = 255


@damage("MXFP4A16 NVFP4 W4A16 W8A8", "scale-differs", "code-differs", against=True)
def scale_of_the_neighbour(tensors: Tensors, config: Json) -> None:
    """One scale is that of the row above."""
    scale = tensors["weight_scale"]
    raw = scale.view(f"u{scale.dtype.itemsize}")
    row = int(np.argmax(raw[1:, 0] != raw[:-1, 0])) + 1
    raw[row, 0] = raw[row - 1, 0]


@damage("W4A16 W2A16 W3A16 W8A16 W4A16_ASYM MXFP6A16 NVFP4 NVFP4A16", "code-differs", against=True)
def code_bit_flipped(tensors: Tensors, config: Json) -> None:
    """One bit of one code is flipped."""
    tensors["weight_packed"].view(np.uint8)[11, 13] ^= 2


@damage("W8A8 FP8 FP8_BLOCK FP8_DYNAMIC MXFP8A16", "code-differs", against=True)
def byte_bit_flipped(tensors: Tensors, config: Json) -> None:
    """One bit of one code is flipped."""
    tensors["weight"].view(np.uint8)[383, 383] ^= 1


@damage("W8A8", "code-differs", against=True)
def codes_truncated(tensors: Tensors, config: Json) -> None:
    """Codes of one row are one step towards zero."""
    tensors["weight"][9] -= np.sign(tensors["weight"][9])


@damage("FP8 FP8_BLOCK MXFP8A16", "code-nan")
def code_nan(tensors: Tensors, config: Json) -> None:
    """A code is NaN."""
    tensors["weight"].view(np.uint8)[1, 2] = 0x7F


@damage("W8A8", "code-out-of-range")
def codes_of_more_bits(tensors: Tensors, config: Json) -> None:
    """The config says 4 bits, the codes have 8."""
    group(config)["weights"]["num_bits"] = 4


@damage("W4A16 W2A16 NVFP4", "shape-wrong", "format-unsuited")
def bits_wrong(tensors: Tensors, config: Json) -> None:
    """The config says 8 bits."""
    group(config)["weights"]["num_bits"] = 8


@damage("W4A16 NVFP4 W4A16_ASYM", "shape-wrong")
def group_size_wrong(tensors: Tensors, config: Json) -> None:
    """The config says groups of 64."""
    group(config)["weights"]["group_size"] = 64


@damage("MXFP4A16", "shape-wrong", "format-unsuited")
def group_size_of_nvfp4(tensors: Tensors, config: Json) -> None:
    """The config says groups of 16."""
    group(config)["weights"]["group_size"] = 16


@damage("FP8_DYNAMIC", "shape-wrong")
def strategy_wrong(tensors: Tensors, config: Json) -> None:
    """The config says one scale for all."""
    group(config)["weights"]["strategy"] = "tensor"


@damage("FP8_BLOCK", "shape-wrong")
def block_wrong(tensors: Tensors, config: Json) -> None:
    """The config says blocks of 64."""
    group(config)["weights"]["block_structure"] = [64, 64]


@damage("W4A16 FP8", "ignore-matches-nothing")
def ignore_misspelt(tensors: Tensors, config: Json) -> None:
    """The ignore list names no module."""
    config["quantization_config"]["ignore"] = ["lm_haed"]


@damage("W4A16", "ignore-matches-nothing")
def ignore_expression_of_nothing(tensors: Tensors, config: Json) -> None:
    """An expression of the ignore list matches nothing: it is anchored at the start."""
    config["quantization_config"]["ignore"] = ["re:lm_head"]
    config["tie_word_embeddings"] = False


@damage("W4A16 NVFP4", "target-matches-nothing", "no-scheme")
def target_misspelt(tensors: Tensors, config: Json) -> None:
    """The target is no class."""
    group(config)["targets"] = ["Linaer"]


@damage("W4A16", "quantized-though-ignored")
def quantized_though_ignored(tensors: Tensors, config: Json) -> None:
    """The module is ignored, and quantized."""
    config["quantization_config"]["ignore"] = ["re:.*query"]


@damage("W4A16", "not-quantized")
def not_quantized(tensors: Tensors, config: Json) -> None:
    """The module is targeted, and dense."""
    tensors.clear()
    tensors["weight"] = np.ones((4, 4), ml_dtypes.bfloat16)


@damage("W4A16 FP8", "tensor-surplus")
def surplus_tensor(tensors: Tensors, config: Json) -> None:
    """There is a zero-point that a symmetric scheme has not."""
    tensors["weight_zero_point"] = np.zeros((384, 3), np.int8)


@damage("W4A16", "tensor-surplus")
def dense_left_behind(tensors: Tensors, config: Json) -> None:
    """The dense weight is still there."""
    tensors["weight"] = np.ones((384, 384), ml_dtypes.bfloat16)


@damage("FP8_DYNAMIC", "tensor-surplus")
def scale_of_dynamic_inputs(tensors: Tensors, config: Json) -> None:
    """There is a static scale of dynamic inputs."""
    tensors["input_scale"] = np.ones(1, ml_dtypes.bfloat16)


@damage("FP8", "scale-negative")
def input_scale_negative(tensors: Tensors, config: Json) -> None:
    """The scale of the inputs is negative."""
    tensors["input_scale"] = -np.ones(1, ml_dtypes.bfloat16)


@damage("FP8", "shape-wrong")
def input_scale_of_rows(tensors: Tensors, config: Json) -> None:
    """The scale of the inputs has a value for each column."""
    tensors["input_scale"] = np.ones(384, ml_dtypes.bfloat16)


@damage("FP8", "tensor-surplus")
def kv_scale_without_scheme(tensors: Tensors, config: Json) -> None:
    """There is a scale of keys, and no kv_cache_scheme."""
    tensors["k_scale"] = np.ones(1, ml_dtypes.bfloat16)


@damage("FP8", "tensor-missing")
def kv_scale_missing(tensors: Tensors, config: Json) -> None:
    """There is a static kv_cache_scheme, and a scale of keys only."""
    config["quantization_config"]["kv_cache_scheme"] = {"num_bits": 8, "type": "float"}
    tensors["k_scale"] = np.ones(1, ml_dtypes.bfloat16)


@damage("FP8 MXFP8A16", "dtype-wrong")
def codes_in_e5m2(tensors: Tensors, config: Json) -> None:
    """The codes are tagged e5m2."""
    tensors["weight"] = tensors["weight"].view(ml_dtypes.float8_e5m2)


@damage("W8A8", "dtype-wrong")
def codes_unsigned(tensors: Tensors, config: Json) -> None:
    """The codes are tagged uint8."""
    tensors["weight"] = tensors["weight"].view(np.uint8)


@damage("W4A16", "dtype-wrong")
def codes_in_int64(tensors: Tensors, config: Json) -> None:
    """The packed words are int64."""
    tensors["weight_packed"] = tensors["weight_packed"].astype(np.int64)


@damage("W4A16", "config-unknown-key")
def unknown_key(tensors: Tensors, config: Json) -> None:
    """The args have a key that nobody reads."""
    group(config)["weights"]["bits"] = 4


@damage("W4A16", "config-unknown-key")
def unknown_key_of_the_config(tensors: Tensors, config: Json) -> None:
    """The config has a key that nobody reads."""
    config["quantization_config"]["ignored"] = ["lm_head"]


@damage("W4A16", "config-invalid")
def impossible_args(tensors: Tensors, config: Json) -> None:
    """The args contradict each other."""
    group(config)["weights"]["strategy"] = "channel"


@damage("W4A16 FP8", "config-invalid")
def unknown_format(tensors: Tensors, config: Json) -> None:
    """The format has no such name."""
    config["quantization_config"]["format"] = "packed-quantized"


@damage("W4A16", "format-mismatch")
def formats_differ(tensors: Tensors, config: Json) -> None:
    """The group has one format, the config another."""
    config["quantization_config"]["format"] = "int-quantized"


@damage("W4A16 W8A8", "tensor-missing", "tensor-surplus")
def format_of_another(tensors: Tensors, config: Json) -> None:
    """Both say the other format of integers."""
    other = "int-quantized" if "weight_packed" in tensors else "pack-quantized"
    config["quantization_config"]["format"] = group(config)["format"] = other


@damage("MXFP4A16 NVFP4", "format-unsuited")
def format_that_cannot_hold(tensors: Tensors, config: Json) -> None:
    """Both say the other format of fp4."""
    other = "mxfp4" if group(config)["weights"]["group_size"] == 16 else "nvfp4"
    config["quantization_config"]["format"] = f"{other}-pack-quantized"
    group(config)["format"] = f"{other}-pack-quantized"


@damage("W4A16", "g-idx-out-of-range")
def g_idx_out_of_range(tensors: Tensors, config: Json) -> None:
    """A column has a group that is not there."""
    tensors["weight_g_idx"] = np.repeat(np.arange(1, 4), 128).astype(np.int32)


@damage("W4A16", "g-idx-uneven")
def g_idx_uneven(tensors: Tensors, config: Json) -> None:
    """A group has a column too many."""
    tensors["weight_g_idx"] = np.repeat(np.arange(3), (129, 127, 128)).astype(np.int32)


@damage("W4A16", "tensor-missing")
def g_idx_missing(tensors: Tensors, config: Json) -> None:
    """The columns are ordered, and their groups are not told."""
    group(config)["weights"]["actorder"] = "group"


@damage("W3A16", "code-unused-bits", "weight-shape-wrong")
def unused_bits(tensors: Tensors, config: Json) -> None:
    """A row of 380 columns has its last word full: bits that no code has."""
    tensors["weight_shape"] = np.array([384, 380], np.int64)
    tensors["weight_scale"] = tensors["weight_scale"][:, :1].copy()
    group(config)["weights"]["group_size"] = 380


@damage("W4A16_ASYM", "zero-point-unused-bits", "weight-shape-wrong")
def unused_bits_of_zero_points(tensors: Tensors, config: Json) -> None:
    """The zero-points of 380 rows fill the last word."""
    for local in ("weight_packed", "weight_scale"):
        tensors[local] = tensors[local][:380].copy()
    tensors["weight_shape"] = np.array([380, 384], np.int64)


@damage("W4A16", "config-invalid")
def status_unknown(tensors: Tensors, config: Json) -> None:
    """The status is none of upstream's."""
    config["quantization_config"]["quantization_status"] = "packed"


@damage("W4A16", "tensor-missing")
def scale_missing(tensors: Tensors, config: Json) -> None:
    """There is no scale."""
    del tensors["weight_scale"]


@damage("W4A16 FP8 NVFP4", "tensor-missing")
def codes_missing(tensors: Tensors, config: Json) -> None:
    """There are no codes."""
    tensors.pop("weight_packed", None)
    tensors.pop("weight", None)


@damage("W4A16", "config-invalid")
def dynamic_weights(tensors: Tensors, config: Json) -> None:
    """The config says that weights are quantized at run time."""
    group(config)["weights"]["dynamic"] = True


@damage("FP8", "shape-wrong")
def codes_flat(tensors: Tensors, config: Json) -> None:
    """The codes are one row of all, and have lost their shape."""
    tensors["weight"] = tensors["weight"].reshape(-1)
