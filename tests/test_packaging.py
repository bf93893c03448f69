"""What pyproject.toml declares is what is on disk: an editable install would hide a gap."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS: dict[str, Any] = PROJECT["tool"]["setuptools"]
FOLDERS = {
    name: folder for name, folder in SETUPTOOLS["package-dir"].items() if folder != "qparity"
}


def files(folder: Path) -> Iterator[Path]:
    """Every file of a folder, without caches."""
    return (
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    )


def packages_on_disk(root: Path) -> set[str]:
    """The dotted names of all folders that hold Python files."""
    return {"qparity"} | {
        ".".join((name, *path.parent.relative_to(root / folder).parts))
        for name, folder in FOLDERS.items()
        for path in files(root / folder)
        if path.suffix == ".py"
    }


def unshipped_data(root: Path) -> set[str]:
    """The files of the packages that are neither Python nor declared as package data."""
    declared = [
        f"{SETUPTOOLS['package-dir'][package]}/{pattern}"
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
    ]
    data = {
        path.relative_to(root).as_posix()
        for folder in FOLDERS.values()
        for path in files(root / folder)
        if path.suffix != ".py"
    }
    return {path for path in data if not any(fnmatch(path, pattern) for pattern in declared)}


def requirements() -> list[Requirement]:
    """Every requirement of the distribution, of its extras and of its build."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    lists = [PROJECT["build-system"]["requires"], project["dependencies"], *extras]
    return [Requirement(text) for declared in lists for text in declared]


def pins() -> dict[str, str]:
    """The version of each package in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def test_declared_packages_are_the_folders_on_disk() -> None:
    """The wheel holds every folder with Python files, and no other."""
    assert set(SETUPTOOLS["packages"]) == packages_on_disk(ROOT)


def test_an_undeclared_package_is_seen(tmp_path: Path) -> None:
    """A sub-package that nobody declared makes the comparison above fail."""
    added = tmp_path / "reference" / "added" / "deeper"
    added.mkdir(parents=True)
    (added / "module.py").touch()
    assert packages_on_disk(tmp_path) == {"qparity", "qparity.reference.added.deeper"}


@pytest.mark.parametrize("package", sorted(packages_on_disk(ROOT)))
def test_every_package_has_an_init(package: str) -> None:
    """No folder of Python files is a namespace package."""
    assert ROOT.joinpath(*package.split("."), "__init__.py").is_file()


def test_data_files_are_shipped() -> None:
    """Each file of the packages that is not Python is declared as package data."""
    assert unshipped_data(ROOT) == set()


def test_an_undeclared_data_file_is_seen(tmp_path: Path) -> None:
    """A data file that nobody declared makes the comparison above fail."""
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "table.json").touch()
    assert unshipped_data(tmp_path) == {"reference/table.json"}


@pytest.mark.parametrize(("package", "folder"), FOLDERS.items())
def test_links_lead_to_the_folders(package: str, folder: str) -> None:
    """Uninstalled use from the root of the repository finds the same files as the wheel."""
    link = ROOT.joinpath(*package.split("."))
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT / folder


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    """What the Makefile installs is what pyproject.toml allows."""
    pin = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pin)


def test_the_command_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    """A core installation has the command: one line, and the exit code of bad usage."""
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError(name='rich')")
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "qparity", "--version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    line = "qparity: the command needs rich: pip install 'qparity[conformance]'\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", line)


def test_a_broken_installation_is_not_taken_for_an_extra(tmp_path: Path) -> None:
    """A module of qparity that cannot be found is an error with its traceback."""
    (tmp_path / "qparity").mkdir()
    for name in ("__init__", "__main__"):
        source = ROOT / "qparity" / f"{name}.py"
        (tmp_path / "qparity" / source.name).write_text(source.read_text())
    ran = subprocess.run(
        [sys.executable, "-P", "-S", "-m", "qparity", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "No module named 'qparity.conformance'" in ran.stderr
