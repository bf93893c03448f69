"""Who imports whom: the arrows go one way, and the reference needs two libraries."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import resolve_name
from inspect import isfunction
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import qparity.reference

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "reference": {"reference"},
    "backends": {"backends", "reference"},
    "conformance": {"conformance", "backends", "reference"},
}
OURS = {*MAY_IMPORT, "benchmarks", "tests"}
LIBRARIES_OF_THE_REFERENCE = {"numpy", "ml_dtypes"}
EXTRAS_OF = {
    "backends": {"torch", "triton", "peers"},
    "conformance": {"conformance", "dask", "plots"},
}
READERS_OF_DATA = {"infer_format", "preset_name_to_scheme"}
THE_REFERENCE_AS_A_BACKEND = "backends/numpy_backend.py"

IMPORT_ALL_OF_THE_REFERENCE = """
import json, pkgutil, sys
before = set(sys.modules)
import qparity.reference
for module in pkgutil.walk_packages(qparity.reference.__path__, "qparity.reference."):
    __import__(module.name)
{planted}
after = {{name for name, module in sys.modules.items() if getattr(module, "__spec__", None)}}
print(json.dumps(sorted(after - before)))
"""


def files_of(room: str) -> list[str]:
    """The Python files of a folder, relative to the root."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / room).rglob("*.py"))


ALL_FILES = [path for room in MAY_IMPORT for path in files_of(room)]


def imported_names(path: str, source: str) -> Iterator[str]:
    """The dotted name of everything that a file imports, wherever in the file it does so."""
    package = ".".join(("qparity", *Path(path).parent.parts))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            constants = (arg.value for arg in node.args if isinstance(arg, ast.Constant))
            yield from (value for value in constants if isinstance(value, str))


def wrong_arrows(path: str, source: str) -> set[str]:
    """The imports of a file that go to a folder of ours it may not know, or by a bare name."""
    allowed = MAY_IMPORT[Path(path).parts[0]]
    wrong = set()
    for name in imported_names(path, source):
        first, second = (*name.split("."), "")[:2]
        if first in OURS or (first == "qparity" and second in OURS - allowed):
            wrong.add(name)
    return wrong


def borrowed_math(path: str, source: str) -> set[str]:
    """The imports of a file from the reference that are more than data classes and tables."""
    data = {
        f"qparity.reference.{name}"
        for name in qparity.reference.__all__
        if not isfunction(getattr(qparity.reference, name)) or name in READERS_OF_DATA
    }
    names = imported_names(path, source)
    return {name for name in names if name.startswith("qparity.reference")} - data


def libraries_of(room: str) -> set[str]:
    """What a folder may import besides ours and Python's own: numpy, ml_dtypes, its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [project["optional-dependencies"][extra] for extra in EXTRAS_OF.get(room, ())]
    names = {Requirement(text).name.replace("-", "_") for texts in declared for text in texts}
    return LIBRARIES_OF_THE_REFERENCE | names


def foreign_libraries(path: str, source: str) -> set[str]:
    """The imports of a file that are neither ours, nor Python's, nor declared for its folder."""
    known = {"qparity", *libraries_of(Path(path).parts[0]), *sys.stdlib_module_names}
    return {name for name in imported_names(path, source) if name.split(".")[0] not in known}


def modules_too_many(planted: str = "") -> set[str]:
    """What importing all of the reference loads besides itself and its two libraries."""
    script = IMPORT_ALL_OF_THE_REFERENCE.format(planted=planted)
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    known = LIBRARIES_OF_THE_REFERENCE | sys.stdlib_module_names
    return {
        name
        for name in json.loads(run.stdout)
        if name.split(".")[0] not in known
        and name != "qparity"
        and (name + ".").removeprefix("qparity.reference.") == name + "."
    }


def test_the_reference_loads_nothing_but_its_libraries() -> None:
    """Importing the reference loads numpy and ml_dtypes; no torch, no hypothesis, no judge."""
    assert modules_too_many() == set()


@pytest.mark.parametrize("name", ["torch", "hypothesis", "qparity.backends"])
def test_a_module_too_many_is_seen(name: str) -> None:
    """A library or a folder of ours that the reference would load makes the guard fail."""
    assert name in modules_too_many(f"import {name}")


@pytest.mark.parametrize("path", ALL_FILES)
def test_folders_import_what_they_declare(path: str) -> None:
    """No file imports a library that its folder's extras lack, not even within a function."""
    assert foreign_libraries(path, (ROOT / path).read_text()) == set()


@pytest.mark.parametrize(
    ("path", "foreign"),
    [
        ("reference/mod.py", {"torch.nn", "rich"}),
        ("backends/mod.py", {"rich"}),
        ("conformance/mod.py", {"torch.nn"}),
    ],
)
def test_a_foreign_library_is_seen(path: str, foreign: set[str]) -> None:
    """An import of torch within a function makes the check above fail, where it is foreign."""
    source = "import rich, numpy.linalg\ndef f():\n    import math\n    from torch import nn"
    assert foreign_libraries(path, source) == foreign


@pytest.mark.parametrize("path", ALL_FILES)
def test_arrows_go_one_way(path: str) -> None:
    """The reference knows nothing of ours, backends the reference, the judge both, none tests."""
    assert wrong_arrows(path, (ROOT / path).read_text()) == set()


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("reference/mod.py", "import qparity.backends"),
        ("reference/mod.py", "from qparity import conformance"),
        ("reference/mod.py", "from ..backends import registry"),
        ("reference/sub/mod.py", "from ...conformance.bits import same"),
        ("reference/mod.py", "def f():\n    from qparity.backends.memory import copy_memory"),
        ("reference/mod.py", "import importlib\nimportlib.import_module('qparity.backends')"),
        ("backends/mod.py", "from qparity.conformance import bits"),
        ("backends/sub/__init__.py", "from ...conformance import bits"),
        ("backends/mod.py", "from reference import QuantizationArgs"),
        ("conformance/mod.py", "from tests.oracle import rounding"),
        ("conformance/mod.py", "import tests"),
        ("conformance/mod.py", "from benchmarks import cpu"),
    ],
)
def test_a_wrong_arrow_is_seen(path: str, source: str) -> None:
    """Each spelling of an import against the arrows makes the check above fail."""
    assert len(wrong_arrows(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("reference/mod.py", "from .formats import FORMATS\nfrom . import mx\nimport numpy"),
        ("reference/sub/mod.py", "from ..formats import FORMATS"),
        ("backends/sub/mod.py", "from qparity.reference import FORMATS\nfrom ..memory import f"),
        ("conformance/mod.py", "from qparity import __version__, backends, reference"),
    ],
)
def test_right_arrows_pass(path: str, source: str) -> None:
    """Imports along the arrows are not mistaken for others."""
    assert wrong_arrows(path, source) == set()


@pytest.mark.parametrize(
    "path", [path for path in files_of("backends") if path != THE_REFERENCE_AS_A_BACKEND]
)
def test_backends_borrow_no_math(path: str) -> None:
    """A backend takes from the reference what describes a quantization, nothing that computes."""
    assert borrowed_math(path, (ROOT / path).read_text()) == set()


def test_borrowed_math_is_seen() -> None:
    """A backend that calls the reference, or reaches into it, makes the check above fail."""
    source = "from qparity.reference import FORMATS, quantize\nfrom qparity.reference.mx import f"
    borrowed = {"qparity.reference.quantize", "qparity.reference.mx.f"}
    assert borrowed_math("backends/mod.py", source) == borrowed
