"""Every bfloat16 by every e4m3 scale quantized, against the numpy reference."""

from typing import Any

import ml_dtypes
import numpy as np

from qparity import reference
from qparity.conformance.spec import FORMATS_OF_CODES
from qparity.reference import QuantizationArgs

from .line import Proof

_GROUP = 16
_GLOBAL = 2688 / 0.0713


def grid(proof: Proof) -> None:
    """``quantize`` by both rules: codes of each format, and of NVFP4 with a global scale."""
    x, scale = _values(proof.tiny)
    for kind, bits in FORMATS_OF_CODES:
        args = QuantizationArgs(num_bits=bits, type=kind, strategy="group", group_size=_GROUP)
        _compare(proof, args.code_format.name, x, scale, args, None)
    args = QuantizationArgs(num_bits=4, type="float", strategy="tensor_group", group_size=_GROUP)
    whole = np.float32([_GLOBAL])
    _compare(proof, "NVFP4, with a global scale", x, scale.astype(np.float32), args, whole)


def _compare(proof: Proof, name: str, x: Any, scale: Any, args: Any, whole: Any) -> None:  # noqa: ANN401 - arrays
    inputs = [None if a is None else proof.eager.from_numpy(a) for a in (x, scale, whole)]
    for rule in (None, "float32"):
        options: dict[str, Any] = {"compute_dtype": None if rule is None else np.dtype(rule)}
        told = "rounding each operation" if rule is None else "computed in float32"
        with proof.line(f"every bfloat16 by every e4m3 scale to {name}, {told}") as tally:
            stored = args.code_format.dtype if args.num_bits == 8 or args.type == "int" else None
            for dtype in {None, stored}:
                options["dtype"] = dtype
                with np.errstate(all="ignore"):
                    expected = reference.quantize(
                        x, scale, None, args, global_scale=whole, **options
                    )
                given = (inputs[0], inputs[1], None, args)
                options_of_ours = options | {"global_scale": inputs[2]}
                label = "values" if dtype is None else f"{dtype.name} codes"
                actual = tally.call("quantize", *given, **options_of_ours)
                tally.same(expected, actual, label)
                tally.same(
                    expected, proof.eager.quantize(*given, **options_of_ours), f"torch {label}"
                )


def _values(tiny: bool) -> tuple[Any, Any]:
    """A row for each scale but NaN; in it every bfloat16; a scale for each group."""
    codes = np.array([c for c in range(256) if c & 0x7F != 0x7F], np.uint8)
    patterns = np.arange(1 << 16, dtype=np.uint16)
    if tiny:
        codes, patterns = codes[[0, 1, 5, 56, 57, 126, 127, 200]], patterns[::1024]
    scale = codes.view(ml_dtypes.float8_e4m3fn).astype(ml_dtypes.bfloat16)
    x = np.tile(patterns.view(ml_dtypes.bfloat16), (codes.size, 1))
    return x, np.repeat(scale[:, None], patterns.size // _GROUP, axis=1)
