"""Laws of packing, checkpoints and configs: what is written reads back."""

import json
from dataclasses import fields
from functools import partial

import numpy as np

from qparity.reference import (
    FLOAT4_E2M1FN,
    FLOAT6_E2M3FN,
    FormatArgs,
    IntFormat,
    QuantizationArgs,
    QuantizationScheme,
    infer_format,
)

from ..compare import differing
from ..values import Rng
from .ask import Ask
from .law import Law, Sample, Violation, everywhere
from .samples import tensor_sample
from .steps import FLOAT32, difference, has_global_scale, parameters

__all__ = ["STORAGE"]

_SIZES = (1, 2, 7, 8, 9, 31, 32, 33)
_BFLOAT16_FORMATS = ("nvfp4-pack-quantized", "mxfp4-pack-quantized", "mxfp6-pack-quantized")
_SMALL_SCALES = ("float8_e4m3fn", "float8_e5m2", "uint8")
_IN_BFLOAT16 = (*_SMALL_SCALES, "bfloat16")


def _packs(args: QuantizationArgs, dtype: np.dtype) -> str:
    del dtype
    row = args.code_format
    if (args.type, args.num_bits) == ("float", 8):
        return "fp8 codes are not packed"
    known = isinstance(row, IntFormat) and row.signed
    packed = known or row in (FLOAT4_E2M1FN, FLOAT6_E2M3FN)
    return "" if packed else f"nothing packs the codes of {row.name}"


def _codes(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    """Every code of the format, in every place of a word; -0.0 included."""
    row = args.code_format
    rows, columns = (int(n) for n in rng.choice(_SIZES, 2))
    if args.type == "int":
        codes = rng.integers(int(row.min), int(row.max) + 1, (rows, columns)).astype(np.int8)
        return Sample(args, {"codes": codes})
    every = np.arange(1 << row.bits, dtype=np.uint8).view(row.dtype).astype(dtype)
    return Sample(args, {"codes": rng.choice(every, (rows, 4 * columns))})


def _unpack_pack(ask: Ask, sample: Sample) -> Violation | None:
    codes, bits = sample.arrays["codes"], sample.args.num_bits
    expected = {"codes": codes}
    if sample.args.type == "float":
        packed = ask(f"pack_fp{bits}_to_uint8", x=codes)
        rows, columns = codes.shape
        unpack = f"unpack_fp{bits}_from_uint8"
        back = ask(unpack, packed=packed, m=rows, n=columns, dtype=codes.dtype)
        return difference(expected, {"codes": back}, "after it is packed and unpacked")
    for dim in (0, 1):
        packed = ask("pack_to_int32", value=codes, num_bits=bits, packed_dim=dim)
        back = ask(
            "unpack_from_int32", packed=packed, num_bits=bits, shape=codes.shape, packed_dim=dim
        )
        how = f"after it is packed along dim {dim} and unpacked"
        found = difference(expected, {"codes": back}, how)
        if found is not None:
            return found
    return None


def _is_stored(args: QuantizationArgs, dtype: np.dtype) -> str:
    """Why decompressed values are not those of fake_quantize."""
    if args.dynamic or args.strategy in ("token", "attn_head"):
        return "not args of a weight"
    if isinstance(args, FormatArgs):
        return "no format of upstream holds formats of one's own"
    scheme = QuantizationScheme(("Linear",), args)
    name, stored = infer_format(scheme), args.resolved_scale_dtype
    if args.type == "float" and args.num_bits < 8:
        if name not in _BFLOAT16_FORMATS:
            return f"no format holds {args.code_format.name} in groups of {args.group_size}"
        if stored is None:
            return f"{name} rounds a scale that was not rounded, or refuses it"
        if has_global_scale(args) and stored.name not in _IN_BFLOAT16:
            return f"{name} stores the scale in fewer bits than it is computed with"
    if has_global_scale(args) and name != "nvfp4-pack-quantized":
        return f"{name} has no global scale"
    packed_zero_point = args.type == "int" and args.strategy in ("group", "channel")
    if not args.symmetric and packed_zero_point and args.zp_dtype != np.dtype(np.int8):
        return "only int8 zero-points are packed"
    small = stored is not None and stored.name in _SMALL_SCALES
    read = "bfloat16" if small or name in _BFLOAT16_FORMATS else stored and stored.name
    if read is not None and read != dtype.name:
        return f"the scale is read back in {read}"
    return ""


def _decompress_compress(ask: Ask, sample: Sample) -> Violation | None:
    scheme = QuantizationScheme(("Linear",), sample.args)
    weight = sample.arrays["x"]
    scale, zero_point = parameters(ask, sample)
    given = None if sample.args.symmetric else zero_point
    inputs = {"x": weight, "scale": scale, "zero_point": given, "args": sample.args}
    expected = np.asarray(ask("fake_quantize", **inputs, **sample.whole))
    state = {"weight": weight, "weight_scale": scale, "weight_zero_point": given}
    state |= {"weight_global_scale": sample.whole.get("global_scale")}
    present = {key: value for key, value in state.items() if value is not None}
    stored = ask("compress", state_dict=present, scheme=scheme)
    back = np.asarray(ask("decompress", state_dict=stored, scheme=scheme)["weight"])
    if (back.dtype, back.shape) != (expected.dtype, expected.shape):
        text = f"weight comes back as {back.dtype.name} {back.shape}"
        return Violation(f"{text}, fake_quantize gives {expected.dtype.name} {expected.shape}")
    broken = differing(expected, back)
    if sample.args.type == "int":
        broken &= ~((expected == 0) & (back == 0))
    if not broken.any():
        return None
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(broken)), broken.shape))
    shown = {"weight": weight, "decompressed": back, "fake_quantize": expected}
    numbers = {name: np.asarray(array[index]) for name, array in shown.items()}
    return Violation("the weight on disk is not that of fake_quantize", numbers)


def _config(ask: Ask, sample: Sample) -> Violation | None:
    """Through the text of a file, in the lossless form and in that of a checkpoint."""
    del ask
    args = sample.args
    for on_disk in (False, True):
        written = json.dumps(args.to_dict(on_disk=on_disk))
        read = args.from_dict(json.loads(written))
        implied = set()
        if on_disk:
            implied |= {"zp_dtype"} if args.symmetric else set()
            implied |= {"scale_dtype"} if args.dynamic and not args.is_mx else set()
        for field in fields(args):
            before, after = getattr(args, field.name), getattr(read, field.name)
            if before != after and field.name not in implied:
                form = "on disk" if on_disk else "lossless"
                return Violation(f"{field.name}: {before!r} reads back as {after!r} ({form} form)")
    return None


def _nothing(rng: Rng, args: QuantizationArgs, dtype: np.dtype) -> Sample:
    return Sample(args, {"x": rng.random(1).astype(dtype)})


STORAGE = (
    Law(
        "unpack_pack",
        "Codes that are packed and unpacked are the same codes.",
        "every code, -0.0 included; int along both dimensions",
        _packs,
        _codes,
        _unpack_pack,
        dtypes=(FLOAT32,),
    ),
    Law(
        "decompress_compress",
        "The weight that decompress gives back is that of fake_quantize; integers lose the sign "
        "of zero.",
        "finite weights in the dtype that the scale is read back in",
        _is_stored,
        partial(tensor_sample, finite=True),
        _decompress_compress,
    ),
    Law(
        "config",
        "Args that are written to a config and read back are the same args; the form of a "
        "checkpoint leaves out zp_dtype where symmetric, scale_dtype where dynamic (MX aside).",
        "the args themselves",
        everywhere,
        _nothing,
        _config,
        dtypes=(FLOAT32,),
    ),
)
