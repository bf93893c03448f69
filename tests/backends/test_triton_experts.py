"""Weights of experts in the fused kernels, in Triton's interpreter."""

import json

from tests.interpreted import python

START = """
import json
from dataclasses import replace
from qparity.backends.triton_fused import compress, decompress
from tests.backends.fused_experts import expert_differences, expert_schemes, odd_differences
"""


def found_by(code: str) -> list[tuple[str, str]]:
    """What the comparisons of a piece of code yield, in the interpreter."""
    done = python("-c", f"{START}\n{code}\nprint(json.dumps(found))")
    assert done.returncode == 0, done.stderr
    return [(label, what) for label, what in json.loads(done.stdout)]


def test_weights_of_experts() -> None:
    """The kernels have the reference's bits for more than two axes, and leave torch what is odd."""
    assert found_by("found = [*expert_differences('cpu'), *odd_differences('cpu')]") == []


# what is changed, in words, where, for which scheme, and how
MUTANTS = {
    "zero-points of two experts in a word": (
        "compress.packs_apart",
        "int4 group",
        "lambda shape, args: False",
    ),
    "the shape of the matrix": (
        "compress.stacked",
        "int4 channel",
        "lambda made, shape: real(made, shape) | {'shape': made['shape'][:1].expand(len(shape))}",
    ),
    "scales of another expert": (
        "compress.given_of_matrix",
        "W8A8",
        "lambda given, shape: real(replace(given, scale=given.scale.flip(0)), shape)",
    ),
    "zero-points of another expert": (
        "decompress.unpack_from_int32",
        "int5 channel",
        "lambda words, *a: real(words.flip(0), *a)",
    ),
    "no kernel that makes scales": ("compress._by_steps", "int4 group", "lambda *a: None"),
    "no kernel of matrices": ("compress.fused", "FP8", "lambda *a, **k: None"),
    "no kernel that decompresses": (
        "decompress.dequantize_stored",
        "MXFP8A16",
        "lambda *a, **k: None",
    ),
}


def test_mutants_are_found() -> None:
    """Each with one function changed, and the comparison finds other bits, or torch at work."""
    code = (
        f"found = []\nfor label, (path, name, change) in {MUTANTS!r}.items():\n"
        "    module, function = globals()[path.split('.')[0]], path.split('.')[1]\n"
        "    real = getattr(module, function)\n"
        "    setattr(module, function, eval(change))\n"
        "    answers = expert_differences('cpu', {name: expert_schemes()[name]})\n"
        "    found.append((label, next(what for _, what in answers)))\n"
        "    setattr(module, function, real)"
    )
    found = dict(found_by(code))
    assert list(found) == list(MUTANTS)
    assert {label for label in found if found[label] == "fell back"} == {
        label for label in MUTANTS if label.startswith("no ")
    }
