"""The fused kernels in Triton's interpreter, which is chosen by the environment of a process."""

import json
from pathlib import Path
from typing import Any

import pytest

from qparity.conformance.operations import public_operations
from tests.interpreted import python

NEVER_EAGER = (
    *("NVFP4A16", "MXFP4A16", "MXFP6A16", "MXFP8A16", "FP8", "FP8_DYNAMIC", "FP8_BLOCK", "W8A8"),
    *(f"W{bits}A16" for bits in range(2, 9)),
    "W4A16_ASYM",
)
START = """
import json, sys
import ml_dtypes
import numpy as np
np.seterr(all="ignore")
from qparity.backends.triton_fused import compress_units, plan
from tests.backends import fused_cases, fused_shapes, fused_verbs
BFLOAT16, FLOAT16, FLOAT32 = map(np.dtype, (ml_dtypes.bfloat16, np.float16, np.float32))
"""


def found_by(code: str) -> list[tuple[str, str]]:
    """What the comparisons of a piece of code yield, in the interpreter."""
    done = python("-c", f"{START}\n{code}\nprint(json.dumps(found))")
    assert done.returncode == 0, done.stderr
    return [(label, what) for label, what in json.loads(done.stdout)]


@pytest.mark.parametrize("operations", [("quantize", "dequantize"), ("fake_quantize",)])
def test_kernels_that_take_scales(operations: tuple[str, ...], tmp_path: Path) -> None:
    """The kernels for given scales have the reference's bits, and most calls are the kernels'."""
    report = verified(operations, tmp_path / "report.json")
    assert report["summary"]["exit_code"] == 0
    for op in operations:
        checks = [check for check in report["checks"] if check["op"] == op]
        assert 0 < sum(c["fallbacks"] for c in checks) < sum(c["cases"] for c in checks)


def test_kernels_that_make_scales_or_unpack(tmp_path: Path) -> None:
    """Dynamic scales and decompressed weights have the reference's bits."""
    report = verified(("compute_dynamic_scales_and_zp", "decompress"), tmp_path / "report.json")
    assert report["summary"]["exit_code"] == 0


def test_kernels_of_ranges(tmp_path: Path) -> None:
    """Ranges and what is made of them are the reference's; torch does float64 and what is empty."""
    operations = ("static_minmax", "calculate_qparams", "generate_gparam")
    report = verified(operations, tmp_path / "report.json")
    assert report["summary"]["exit_code"] == 0
    checks = [check for check in report["checks"] if "float64" not in check["check"]]
    assert sum(c["fallbacks"] for c in checks) < sum(c["cases"] for c in checks) / 5
    assert all(check["fallbacks"] <= check["cases"] / 2 for check in checks)


def test_kernels_that_round_pack_or_unpack() -> None:
    """They have the reference's bits, leave nothing to torch but what it refuses, as it does."""
    verbs = "(*fused_verbs.ROUNDING, *fused_verbs.PACKING, *fused_verbs.UNPACKING)"
    differences = f"fused_verbs.verb_differences('cpu', 1, {verbs})"
    assert found_by(f"found = [*{differences}, *fused_verbs.refusal_differences('cpu')]") == []


def test_ranges_of_parts() -> None:
    """A unit longer than a program has the range of the ranges of its parts."""
    code = (
        "from qparity.backends.triton_fused import observe\n"
        "observe._LONGEST = observe._PART = 16\n"
        "found = [*fused_verbs.verb_differences('cpu', 1, ['minmax'])]"
    )
    assert found_by(code) == []


def verified(operations: tuple[str, ...], report: Path) -> dict[str, Any]:
    """The report of ``qparity verify``."""
    options = [word for op in operations for word in ("--op", op)]
    command = ["qparity.conformance", "verify", "triton:cpu", "--level", "smoke", *options]
    done = python("-m", *command, "--json", str(report))
    assert "EQUAL" in done.stdout, done.stdout + done.stderr
    assert "by the backend's fallback: " in done.stdout
    loaded: dict[str, Any] = json.loads(report.read_text())
    return loaded


def test_compressed_weights() -> None:
    """Of no scheme do the fused kernels write other bits; no preset of theirs is left to torch."""
    found = found_by("found = [*fused_cases.compress_differences('cpu', 1, dtypes=(BFLOAT16,))]")
    assert [pair for pair in found if pair[1] != "fell back"] == []
    assert {label.split()[0] for label, _ in found}.isdisjoint(NEVER_EAGER)


def test_compressed_weights_with_given_scales() -> None:
    """Nor do they where the scales are given, whatever these are."""
    found = found_by("found = [*fused_cases.calibrated_differences('cpu', 1, 0, 3, (BFLOAT16,))]")
    assert [pair for pair in found if pair[1] != "fell back"] == []


def test_compressed_weights_of_other_dtypes() -> None:
    """So it is with a part of the schemes in float16 and in float32."""
    dtypes = "dtypes=(FLOAT16, FLOAT32)"
    found = found_by(f"found = [*fused_cases.compress_differences('cpu', 1, 0, 8, {dtypes})]")
    assert [pair for pair in found if pair[1] != "fell back"] == []
    assert {label.split()[0] for label, _ in found}.isdisjoint(NEVER_EAGER)


def test_quantized_activations() -> None:
    """Codes and scales of activations are the reference's."""
    assert found_by("found = [*fused_cases.dynamic_differences('cpu', 1)]") == []


def test_odd_shapes() -> None:
    """One row, one column, nothing, experts, any strides: the reference's bits or its error."""
    assert found_by("found = [*fused_shapes.shape_differences('cpu')]") == []


PAIRED = ("NVFP4A16", "MXFP4A16", "MXFP6A16", *(f"W{b}A16" for b in range(2, 8)), "W4A16_ASYM")


def test_what_is_read_in_pairs() -> None:
    """The weights of 2 to 7 bits, where they are bfloat16 and pairs lie on words; no others."""
    code = (
        "import torch\nfrom qparity.backends import load_backend\n"
        "from qparity.reference import preset_name_to_scheme\n"
        "backend, texts = load_backend('triton:cpu'), []\n"
        "real = compress_units.pair_codes\n"
        "compress_units.pair_codes = lambda *a: texts.append(real(*a)) or texts[-1]\n"
        "wide = torch.linspace(-1, 1, 2 * 258, dtype=torch.bfloat16).view(2, 258)\n"
        "weights = [wide[:, :256], wide[:, 1:257], wide[:, :256].half()]\n"
        f"for name in {PAIRED}:\n"
        "    for weight in weights:\n"
        "        backend.compress({'weight': weight}, preset_name_to_scheme(name))\n"
        "backend.compress({'weight': weights[0]}, preset_name_to_scheme('W8A16'))\n"
        "found = [('', ''.join(str(int(bool(text))) for text in texts))]"
    )
    # the first is copied, as its rows have to follow each other
    assert found_by(code) == [("", "110" + "100" * (len(PAIRED) - 1) + "0")]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("MXFP4A16", "_in_order = lambda even, odd: (odd[0], even[0], odd[1], even[1])"),
        ("W4A16_ASYM", "_smaller = lambda least, pairs: least"),
        ("W4A16", "_larger_magnitude = lambda largest, pairs: largest"),
    ],
)
def test_mutants_of_pairs_are_found(name: str, change: str) -> None:
    """Pairs in another order, or one left out of a range, and the comparisons find it."""
    code = (
        "from qparity.backends.triton_fused import pair_kernels\n"
        f"pair_kernels.{change}\n"
        f"scheme = {{'{name}': fused_cases.schemes()['{name}']}}\n"
        "fused_cases.schemes = lambda: scheme\n"
        "found = [*fused_cases.compress_differences('cpu', 1, dtypes=(BFLOAT16,))]"
    )
    assert any(what != "fell back" for _, what in found_by(code))


MUTANTS = {
    "another smallest scale": (
        "W8A8",
        (
            "scale = compress_units.scale_constants\n"
            "compress_units.scale_constants = lambda *a, **k: (scale(*a, **k) or {}) | {'EPS': 0.5}"
        ),
    ),
    "another smallest exponent": (
        "NVFP4A16",
        (
            "row = compress_units.format_constants\n"
            "compress_units.format_constants = lambda args: row(args) | {'MIN_EXPONENT': 1}"
        ),
    ),
    "a reciprocal for the division": (
        "W4A16",
        "compress_units.division = lambda *a, **k: int(plan.RECIPROCAL.value)",
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_found(mutant: str) -> None:
    """One wrong constant in the kernels, and the comparisons above yield a difference."""
    name, change = MUTANTS[mutant]
    only = f"scheme = {{'{name}': fused_cases.schemes()['{name}']}}\n"
    only += "fused_cases.schemes = fused_shapes.odd_schemes = lambda: scheme\n"
    compare = (
        "found = [*fused_cases.compress_differences('cpu', 2, dtypes=(FLOAT32,)),"
        " *fused_shapes.shape_differences('cpu')]"
    )
    differing = found_by(f"{only}{change}\n{compare}")
    assert any(what != "fell back" for _, what in differing)


VERB_MUTANTS = {
    "a clamp that loses NaN": (
        "round_to_quantized_type_dtype",
        "rounding_kernels.limited",
        "lambda y, low, high: tl.where(y == y, tl.minimum(tl.maximum(y, low), high), low)",
    ),
    "bounds that are not rounded": (
        "round_to_quantized_type_dtype",
        "rounding.bound_in",
        "lambda dtype, value: value",
    ),
    "memory order of what has gaps": (
        "round_to_quantized_type_args",
        "rounding.in_memory_order",
        "lambda x, dtype: (x, torch.empty(x.shape, dtype=dtype))",
    ),
    "codes that do not cross words": (
        "pack_to_int32",
        "bit_fields.word_of",
        "lambda eights, W, BITS: (eights[W * 4 // BITS] >> (32 * W % (8 * BITS))).to(tl.int32)",
    ),
    "a check that passes all": ("pack_fp4_to_uint8", "pack._flag", "lambda tensor: None"),
    "two words for eight codes of 7 bits": (
        "unpack_from_int32",
        "unpack_kernels.load_eight",
        "lambda p, word, shift, left, held, bits: real(p, word, shift, left * 0 + 1, held, bits)",
    ),
    "the sign of a least zero": (
        "minmax",
        "range_kernels.without_sign_of_zero",
        "lambda v, nan: v",
    ),
    "a range without its least": (
        "generate_gparam",
        "qparams_kernels.load_range",
        "lambda least, most, at, mask: real(most, most, at, mask)",
    ),
}


def test_mutants_of_the_verbs_are_found() -> None:
    """Each with one function of the kernels changed, and the comparisons yield a difference."""
    code = (
        "import torch, triton.language as tl\n"
        "from qparity.backends.triton_fused import bit_fields, pack, qparams_kernels\n"
        "from qparity.backends.triton_fused import range_kernels, rounding, rounding_kernels\n"
        "from qparity.backends.triton_fused import unpack_kernels\n"
        f"mutants = {VERB_MUTANTS!r}\nfound = []\n"
        "for label, (op, path, change) in mutants.items():\n"
        "    module, name = path.split('.')\n"
        "    module = globals()[module]\n"
        "    real = getattr(module, name)\n"
        "    setattr(module, name, eval(change))\n"
        "    answers = (fused_verbs.refusal_differences('cpu') if name == '_flag' else"
        " fused_verbs.verb_differences('cpu', 2, [op]))\n"
        "    found += [next((label, what) for _, what in answers if what != 'fell back')]\n"
        "    setattr(module, name, real)"
    )
    assert [label for label, _ in found_by(code)] == list(VERB_MUTANTS)


def test_graphs_are_tried_of_every_verb() -> None:
    """The program that captures calls in CUDA graphs has a call of every verb of tensors."""
    from .graph_cases import graph_cases

    verbs = {case.verb for case in graph_cases("cpu")}
    assert verbs == {*public_operations(), "quantize_dynamic"} - {"calculate_range"}


def test_divisions_on_a_gpu() -> None:
    """Where x may be infinite and its scale not, no division of float16 is by Newton's step."""
    code = (
        "import torch\nfrom qparity.backends.triton_fused.plan import division\n"
        "from qparity.reference import QuantizationArgs\n"
        "args = [QuantizationArgs(scale_dtype=d) for d in (None, 'bfloat16', 'float16',"
        " 'float8_e4m3fn', 'float8_e5m2')]\n"
        "print([division(a, torch.float16, whole=False) for a in args])"
    )
    assert python("-c", code, interpreted=False).stdout.strip() == "[3, 3, 0, 0, 0]"


def test_triton_is_imported_only_for_triton() -> None:
    """Neither the package of backends nor the torch backend imports Triton's kernels."""
    code = (
        "import sys\nfrom qparity.backends import load_backend\n"
        "assert 'triton' not in sys.modules\nload_backend('torch:cpu')\n"
        "print([name for name in sys.modules if 'triton_fused' in name or name == 'triton'])"
    )
    assert python("-c", code, interpreted=False).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("before", "name", "says"),
    [
        ("sys.modules['triton'] = None", "triton:cuda", "needs triton, which is not installed"),
        ("torch.cuda.is_available = lambda: False", "triton:cuda", "'cuda' is not available"),
        ("", "triton:cpu", "TRITON_INTERPRET=1"),
    ],
)
def test_what_is_missing_is_named(before: str, name: str, says: str) -> None:
    """Without Triton, a GPU or the interpreter the backend is refused in a line that says so."""
    code = (
        f"import sys, torch\n{before}\nfrom qparity.backends import load_backend\n"
        f"try:\n    load_backend({name!r})\nexcept ValueError as error:\n    print(error)"
    )
    done = python("-c", code, interpreted=False)
    assert says in done.stdout
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")
