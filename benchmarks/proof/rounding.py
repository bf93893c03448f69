"""Every float32, by scale 1, to the codes of every element format."""

import torch

from qparity.conformance.packed import ROUNDING_TARGETS
from qparity.conformance.spec import FORMATS_OF_CODES
from qparity.reference import QuantizationArgs, calculate_range

from .line import Proof
from .patterns import chunks

_CHUNK = 1 << 26
_WITHOUT_STORAGE = ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")


def rounding(proof: Proof) -> None:
    """``quantize`` to floats and to stored codes, and ``fake_quantize``, against eager torch."""
    one = torch.ones(1, device=proof.device)
    for kind, bits in FORMATS_OF_CODES:
        args = QuantizationArgs(num_bits=bits, type=kind, strategy="tensor")
        stored = args.code_format.dtype if kind == "int" or bits == 8 else None
        kept = {None: "values"} | ({} if stored is None else {stored: f"{stored.name} codes"})
        name = args.code_format.name
        with proof.line(f"every float32 quantized and fake-quantized to {name}, scale 1") as tally:
            for x in chunks(torch.float32, _CHUNK, proof.device, proof.tiny):
                for dtype, label in kept.items():
                    inputs, options = (x, one, None, args), {"dtype": dtype}
                    expected = proof.eager.quantize(*inputs, **options)
                    tally.same(expected, tally.call("quantize", *inputs, **options), label)
                expected = proof.eager.fake_quantize(x, one, None, args)
                tally.same(expected, tally.call("fake_quantize", x, one, None, args), "fake")


def casts(proof: Proof) -> None:
    """The two rounding functions themselves, where kernels answer them."""
    if proof.in_kernels("round_to_quantized_type_dtype"):
        for target in ROUNDING_TARGETS:
            with proof.line(f"every float32 rounded to {target}") as tally:
                kept = (True,) if target in _WITHOUT_STORAGE else (True, False)
                for x in chunks(torch.float32, _CHUNK, proof.device, proof.tiny):
                    for back in kept:
                        expected = proof.eager.round_to_quantized_type_dtype(x, target, back)
                        actual = tally.call("round_to_quantized_type_dtype", x, target, back)
                        tally.same(expected, actual, "back" if back else "kept")
    if proof.in_kernels("round_to_quantized_type_args"):
        for kind, bits in FORMATS_OF_CODES:
            args = QuantizationArgs(num_bits=bits, type=kind)
            bounds = calculate_range(args)
            name = args.code_format.name
            with proof.line(f"every float32 rounded to {name} by its args") as tally:
                for x in chunks(torch.float32, _CHUNK, proof.device, proof.tiny):
                    expected = proof.eager.round_to_quantized_type_args(x, args, *bounds)
                    actual = tally.call("round_to_quantized_type_args", x, args, *bounds)
                    tally.same(expected, actual)
