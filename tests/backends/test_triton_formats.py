"""Formats and scale rules of one's own in the fused kernels, in Triton's interpreter."""

import json

from tests.interpreted import python

START = """
import json
from qparity.backends.triton_fused import compress_units, launch
from tests.backends.fused_formats import differences, examples, long_differences, randoms
"""


def found_by(code: str) -> list[tuple[str, str]]:
    """What the comparisons of a piece of code yield, in the interpreter."""
    done = python("-c", f"{START}\n{code}\nprint(json.dumps(found))")
    assert done.returncode == 0, done.stderr
    return [(label, what) for label, what in json.loads(done.stdout)]


def test_example_schemes() -> None:
    """The kernels have the reference's bits for the schemes of examples/, and leave none to torch.

    Torch has what is of no kernel: float64, ``g_idx``, a scale that is spread over units.
    """
    assert found_by("found = [*differences('cpu', examples())]") == []


def test_any_formats_and_rules() -> None:
    """So they do for formats of codes and scales, rules, strategies and zero-points at random."""
    assert found_by("found = [*differences('cpu', randoms(10))]") == []


def test_long_units() -> None:
    """So they do where a unit is longer than what one program takes."""
    assert found_by("found = [*long_differences('cpu')]") == []


# a field of the plan of the kernels, of codes or of scales, that is the same for all args; and the
# number of random args that tell
MUTANTS = {
    "launch.value_constants": (
        ({"SUBNORMALS": True}, 120),
        ({"SIGNED": True}, 39),
        ({"HAS_NAN": True}, 5),
        ({"PLUS_ZERO": False}, 17),
    ),
    "compress_units.scale_constants": (
        ({"DIRECTION": 0}, 5),
        ({"SCALE_SUBNORMALS": True}, 14),
        ({"AMAX_MANTISSA": -1}, 31),
        ({"SCALE_NAN": True}, 1),
        ({"ZP_MIN": -128.0}, 26),
    ),
}


def test_mutants_are_found() -> None:
    """Each with one field of the rows the same for all args, and the comparison finds it."""
    code = (
        f"found = []\nfor path, mutants in {MUTANTS!r}.items():\n"
        "    module, name = globals()[path.split('.')[0]], path.split('.')[1]\n"
        "    real = getattr(module, name)\n"
        "    for mutant, seed in mutants:\n"
        "        setattr(module, name, lambda *a, m=mutant: real(*a) | m)\n"
        "        answers = differences('cpu', randoms(seed + 1, seed), ('float32',))\n"
        "        found.append(next((str(mutant), what) for _, what in answers))\n"
        "    setattr(module, name, real)"
    )
    expected = [str(mutant) for mutants in MUTANTS.values() for mutant, _ in mutants]
    assert [mutant for mutant, _ in found_by(code)] == expected
