"""Real weights as cases: every weight preset over every 2-D float tensor of a file."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from qparity import reference
from qparity.reference import PRESET_SCHEMES, FormatArgs, QuantizationArgs, QuantizationScheme

from .bits import Array
from .case import Case
from .checkpoint import open_checkpoint
from .checkpoint.dtypes import DTYPES
from .of_formats import global_scale_inputs, global_scale_of
from .packed import state_of
from .quantized import WORKING

__all__ = ["SAMPLE", "read_tensors", "weight_presets", "weights_cases"]

SAMPLE = Path(__file__).parent / "samples" / "dense.safetensors"


def read_tensors(path: Path) -> dict[str, Array]:
    """The tensors of a checkpoint, by name, those of dtypes that numpy lacks left out.

    Args:
        path: a safetensors file, or a folder as ``open_checkpoint`` reads it.

    Raises:
        CheckpointError: if it cannot be read, is no checkpoint, or is damaged.
    """
    checkpoint = open_checkpoint(path)
    readable = [name for name in checkpoint.names if checkpoint.entry(name).dtype in DTYPES]
    return {name: checkpoint.read(name) for name in readable}


def weight_presets() -> dict[str, QuantizationScheme]:
    """The presets that quantize weights, one of each kind of weight, by name."""
    found: dict[QuantizationArgs, str] = {}
    for name, preset in PRESET_SCHEMES.items():
        args = preset.get("weights")
        if args is not None:
            found.setdefault(args, name)
    return {name: reference.preset_name_to_scheme(name) for name in found.values()}


def matrices(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The 2-D tensors of a working dtype that are not empty."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if tensor.ndim == 2 and tensor.dtype in WORKING and tensor.size
    }


def fits(weight: Array, scheme: QuantizationScheme) -> bool:
    """Whether the columns of a weight are whole groups of a scheme."""
    args = scheme.weights
    size = args.group_size if args is not None and args.group_size is not None else 1
    return bool(weight.shape[1] % max(size, 1) == 0)


def weights_cases(weight: Array, scheme: QuantizationScheme) -> Iterator[Case]:
    """A weight through its qparams, compress, decompress and fake_quantize.

    ``FormatArgs``, which no checkpoint holds, through quantize in place of compress, decompress.

    Each step starts from the reference's answer to the one before, so that each stands alone.
    """
    args = scheme.weights
    if args is None:
        return
    yield Case("minmax", {"x": weight, "args": args})
    lo, hi = reference.minmax(weight, args)
    whole = global_scale_of(weight, args)
    if whole is not None:
        yield Case("generate_gparam", global_scale_inputs(weight, args))
    qparams = {"min_vals": lo, "max_vals": hi, "args": args}
    qparams |= {} if whole is None else {"global_scale": whole}
    yield Case("calculate_qparams", qparams)
    scale, zero_point = reference.calculate_qparams(lo, hi, args, whole)
    inputs = {"x": weight, "scale": scale, "zero_point": zero_point, "args": args}
    inputs |= {} if whole is None else {"global_scale": whole}
    if isinstance(args, FormatArgs):
        yield Case("quantize", inputs)
    else:
        source = {"weight": weight, "scheme": scheme, "with_zero_point": True, "g_idx_seed": 0}
        for op in ("compress", "decompress"):
            rebuild = partial(state_of, op)
            yield Case(op, rebuild(source), rebuild, source)
    yield Case("fake_quantize", inputs)
