"""The oracle stands alone: the standard library, and nothing of ours."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ORACLE = Path(__file__).parents[1] / "oracle"
FILES = sorted(ORACLE.glob("**/*.py"))
FOREIGN = [
    "import numpy",
    "import numpy as np",
    "import os, ml_dtypes.finfo",
    "from torch import nn",
    "import qparity",
    "from qparity.reference import quantize",
    "from tests.reference import oracle_bridge",
    "from .. import reference",
    "from ..reference.rounding import cast",
    "import importlib",
    "from importlib import import_module",
    "def f():\n    import numpy",
    "numpy = __import__('numpy')",
    "exec('import numpy')",
    "eval('1')",
]


def foreign(source: str) -> list[str]:
    """What a file of the oracle must not use: foreign imports, and ways to import unseen."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if not is_own(alias.name, 0)]
        elif isinstance(node, ast.ImportFrom) and not is_own(node.module or "", node.level):
            found.append("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Name) and node.id in ("__import__", "exec", "eval", "compile"):
            found.append(node.id)
    return found


def is_own(module: str, level: int) -> bool:
    """Whether an import is of the oracle itself or of the standard library."""
    name = module.split(".")[0]
    return level == 1 or (
        level == 0 and name in sys.stdlib_module_names and name not in ("importlib", "runpy")
    )


def loaded_by(statement: str) -> set[str]:
    """The top-level names of all modules that are loaded once a statement has run."""
    script = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ORACLE.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


def test_the_oracle_imports_the_standard_library_alone() -> None:
    """No file of the oracle imports anything but the standard library and the oracle."""
    assert len(FILES) >= 11
    assert {path.name: foreign(path.read_text()) for path in FILES} == {
        path.name: [] for path in FILES
    }


@pytest.mark.parametrize("source", FOREIGN)
def test_the_guard_finds_what_is_foreign(source: str) -> None:
    """The guard reports a foreign import however it is written."""
    assert foreign(source)


@pytest.mark.parametrize(
    "source", ["from fractions import Fraction", "from .number import NAN", "from . import number"]
)
def test_the_guard_passes_what_is_allowed(source: str) -> None:
    """The guard reports neither the standard library nor the oracle itself."""
    assert foreign(source) == []


def test_loading_the_oracle_loads_nothing_of_ours() -> None:
    """A process that has loaded all of the oracle has loaded neither numpy nor qparity."""
    names = ", ".join(
        "tests.oracle" if path.stem == "__init__" else f"tests.oracle.{path.stem}" for path in FILES
    )
    unwanted = {"numpy", "ml_dtypes", "torch", "qparity"}
    assert loaded_by(f"import {names}") & unwanted == set()
    assert loaded_by(f"import {names}, qparity.reference") & unwanted >= {"numpy", "qparity"}
