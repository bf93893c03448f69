"""A new file of the lab, never over an existing one."""

import keyword
import os
import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["new_scheme"]

_TEMPLATE = '''"""{name}: a scheme of one's own. Change what you like below, then ask:

    pytest {file}
        the laws, the same bits on every backend that is here, and the report in {name}.report.md
    qparity laws {file}
        what every scheme obeys, whoever computes it; a violation comes with its smallest witness
    qparity verify torch:cpu --scheme {file}
        the same bits as the reference, on many more numbers
    qparity compare {file} NVFP4A16 MXFP4A16 --plot {name}.png
        error and bits per weight beside other schemes, on real weights
"""

from qparity.conformance.lab import lab_tests
from qparity.reference import FloatFormat, FormatArgs

# The codes: sign, 2 exponent bits, 1 mantissa bit: 0 0.5 1 1.5 2 3 4 6.
# Also: bias=, max=, has_nan=, has_subnormals=, or IntFormat(bits=4); a format of qparity.reference,
# such as FLOAT8_E5M2; or a name, such as "float4_e2m1fn" and "int4". At most 8 bits.
CODES = FloatFormat(exponent_bits=2, mantissa_bits=1)

# The scales: no sign, 4 exponent bits and 4 mantissa bits, up to 480; one code is NaN.
# Also: FLOAT8_E4M3FN, or FLOAT8_E8M0FNU: powers of two; or a name, such as "float8_e8m0fnu".
SCALES = FloatFormat(exponent_bits=4, mantissa_bits=4, has_nan=True, signed=False)

ARGS = FormatArgs(
    code_format=CODES,
    scale_format=SCALES,
    # nearest; rceil: up, so that nothing is clipped; floor, ceil, even: from amax's exponent
    scale_rule="nearest",
    # tensor_group: a second, global scale; group: one level; block: with block_structure=(16, 16)
    strategy="tensor_group",
    group_size=16,
    # False gives a zero-point
    symmetric=True,
)

# weights="model.safetensors" measures it on your own; cases=32 tries more of each law
globals().update(lab_tests(ARGS, __file__))
'''


def new_scheme(name: str, folder: Path) -> Path:
    """Write a commented scheme with its tests to ``NAME.py``, whole or not at all.

    Args:
        name: a Python identifier.
        folder: an existing one.

    Returns:
        The path of the file.

    Raises:
        ValueError: if the name is none, a module has it, or the file exists; that stays as it is.
        OSError: if it cannot be written.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"name: {name!r} is not allowed; allowed: a Python identifier")
    path = folder / f"{name}.py"
    if not path.exists() and _is_taken(name):
        raise ValueError(f"name: {name!r} is a module that others import; allowed: a new name")
    temporary = folder / f".{name}.{os.getpid()}.tmp"
    try:
        temporary.write_text(_TEMPLATE.format(name=name, file=path.name))
        # unlike a rename, a link takes no existing name
        os.link(temporary, path)
    except FileExistsError:
        raise ValueError(f"name: {path} exists already; allowed: a new name") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _is_taken(name: str) -> bool:
    """Whether a file of that name would hide a module from what imports it."""
    if name in sys.stdlib_module_names or name in ("__main__", "conftest"):
        return True
    try:
        return find_spec(name) is not None
    except ValueError:
        # imported, without a spec
        return True
