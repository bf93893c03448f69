"""Backends by name."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

import qparity.reference
from qparity.backends import Backend, load_backend, numpy_backend, registry
from qparity.backends.torch_eager import TorchBackend

MINE = """
def from_numpy(array):
    return array.copy()

to_numpy = from_numpy

class Inner:
    from_numpy = staticmethod(from_numpy)
    to_numpy = staticmethod(from_numpy)

class NoBackend:
    inner = Inner
"""


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from, gone afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("my_quant", "my_package", "my_package.kernels", "my_broken", "my_broken.kernels"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "my_quant.py").write_text(MINE)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    (tmp_path / "my_package" / "kernels.py").write_text(MINE)
    (tmp_path / "my_broken").mkdir()
    (tmp_path / "my_broken" / "__init__.py").write_text("import a_library_that_is_not_there\n")
    (tmp_path / "my_broken" / "kernels.py").write_text(MINE)
    return tmp_path


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that runs some code."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path.cwd()
    )


def test_numpy_is_the_reference() -> None:
    """The functions of the backend ``numpy`` are those of the reference, all of them."""
    backend = load_backend("numpy")
    functions = {
        name
        for name in qparity.reference.__all__
        if callable(getattr(qparity.reference, name)) and name[0].islower()
    }
    made_of_data = {"preset_name_to_scheme", "infer_format"}
    assert backend is numpy_backend
    for name in functions - made_of_data:
        assert getattr(backend, name) is getattr(qparity.reference, name)


def test_numpy_copies() -> None:
    """The numpy backend's arrays have the caller's bits and strides, and memory of their own."""
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    for array in (base, base.T, base[:, ::2], np.broadcast_to(base[0], (2, 4)), base[1, 1, ...]):
        copied = numpy_backend.from_numpy(array)
        assert (copied.shape, copied.strides) == (array.shape, array.strides)
        assert (copied == array).all()
        assert not np.shares_memory(copied, array)
        back = numpy_backend.to_numpy(copied)
        assert (back == array).all()
        assert not np.shares_memory(back, copied)


def test_torch_has_every_function_of_the_reference() -> None:
    """The torch backend lacks no function of the numpy backend."""
    backend = load_backend("torch:cpu")
    assert isinstance(backend, TorchBackend)
    assert [name for name in numpy_backend.__all__ if not hasattr(backend, name)] == []


def test_torch_cuda_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a CUDA device ``torch:cuda`` is refused by name."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="'cuda' is not available"):
        load_backend("torch:cuda")


def test_torch_cuda_with_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a CUDA device, ``torch:cuda`` brings its arrays there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    backend = load_backend("torch:cuda")
    assert isinstance(backend, TorchBackend)
    assert backend.device == torch.device("cuda")


def test_other_devices_are_refused() -> None:
    """A device that the rules were not shown to hold on is refused by name."""
    with pytest.raises(ValueError, match="'meta' is not allowed"):
        TorchBackend("meta")


def test_torch_that_is_not_installed() -> None:
    """Where torch is missing, the error says so, and what to install."""
    found = run(
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from qparity.backends import load_backend\n"
        "load_backend('numpy')\n"
        "try:\n"
        "    load_backend('torch:cpu')\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    assert found.stderr == ""
    assert "'torch:cpu' needs torch" in found.stdout
    assert "pip install 'qparity[torch]'" in found.stdout


@pytest.mark.parametrize(("load", "imported"), [("numpy", "False"), ("torch:cpu", "True")])
def test_torch_is_imported_only_for_torch(load: str, imported: str) -> None:
    """Importing the package and loading ``numpy`` do not import torch; ``torch:cpu`` does."""
    found = run(
        "import sys\n"
        "from qparity.backends import load_backend\n"
        "assert 'torch' not in sys.modules\n"
        f"load_backend({load!r})\n"
        "print('torch' in sys.modules)\n"
    )
    assert (found.stdout.strip(), found.stderr) == (imported, "")


@pytest.mark.parametrize(
    "name",
    [
        "my_quant",
        "my_quant:Inner",
        "my_quant:NoBackend.inner",
        "my_package.kernels",
        "my_package.kernels:Inner",
    ],
)
def test_modules_and_their_objects(name: str, on_path: Path) -> None:
    """A dotted name is imported; what follows the colon is taken from the module."""
    assert (on_path / "my_quant.py").exists()
    backend = load_backend(name)
    assert isinstance(backend, Backend)
    assert backend.to_numpy(backend.from_numpy(np.arange(3))).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Numpy",
        "torch:tpu",
        "torch_cpu",
        "no_such_module",
        "no_such_package.module",
        "my_package.no_such_module",
        "my_quant.no_such_submodule",
        "my_quant:no_such_object",
        "my_quant:",
        ":my_quant",
        "my quant",
        "../my_quant",
        ".my_quant",
    ],
)
def test_unknown_names(name: str, on_path: Path) -> None:
    """A name that leads nowhere is refused: the error has it, and what is allowed."""
    assert (on_path / "my_quant.py").exists()
    with pytest.raises(ValueError, match="is unknown; allowed: numpy, torch:cpu") as caught:
        load_backend(name)
    assert repr(name) in str(caught.value)


def test_what_is_no_backend(on_path: Path) -> None:
    """A module or object without the two crossings is refused by what it lacks."""
    assert (on_path / "my_quant.py").exists()
    with pytest.raises(ValueError, match="has no from_numpy and no to_numpy"):
        load_backend("my_quant:NoBackend")


def test_names_that_are_no_strings() -> None:
    """A backend itself is not a name."""
    with pytest.raises(TypeError, match="a string"):
        load_backend(numpy_backend)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["my_broken", "my_broken.kernels", "my_broken:Inner"])
def test_errors_inside_a_module_are_not_hidden(name: str, on_path: Path) -> None:
    """A module that fails to import raises its own error, not 'unknown'."""
    assert (on_path / "my_broken").exists()
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_there"):
        load_backend(name)


def test_modules_that_are_imported_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that was made in memory, and so has no spec, is found by its name."""
    made = ModuleType("my_made_module")
    made.from_numpy = made.to_numpy = np.copy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_made_module", made)
    assert load_backend("my_made_module") is made


def test_entry_points(monkeypatch: pytest.MonkeyPatch, on_path: Path) -> None:
    """Another distribution's backend is found by the name that it registered, and listed."""
    assert (on_path / "my_quant.py").exists()
    point = EntryPoint("vendor:npu", "my_quant:Inner", registry.ENTRY_POINT_GROUP)
    asked = []

    def entry_points(group: str) -> list[EntryPoint]:
        asked.append(group)
        return [point]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    backend = load_backend("vendor:npu")
    assert isinstance(backend, Backend)
    assert asked == ["qparity.backends"]
    with pytest.raises(ValueError, match="onnx, vendor:npu"):
        load_backend("vendor:gpu")


def test_built_in_names_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """No entry point can take the name of a backend of this package."""
    stolen = SimpleNamespace(name="numpy", load=lambda: pytest.fail("loaded"))
    monkeypatch.setattr(registry, "entry_points", lambda **_: [stolen])
    assert load_backend("numpy") is numpy_backend
