"""Check an installed qparity: python installed.py ROOT_OF_THE_REPOSITORY core|all."""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages

import qparity
import qparity.reference

FOLDERS = ("reference", "backends", "conformance")
EXTRAS = ("torch", "conformance")


def files(folder: Path, base: Path) -> Iterator[str]:
    """The files of a folder, relative to base, without caches."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return (str(p.relative_to(base)) for p in paths if "__pycache__" not in p.parts)


def libraries_of_extras(root: Path) -> set[str]:
    """The import names of what the extras declare."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    texts = [text for extra in EXTRAS for text in project["optional-dependencies"][extra]]
    return {re.split(r"[^\w-]", text)[0].replace("-", "_") for text in texts}


def import_all(extras: set[str]) -> None:
    """Import every module; what is missing may only be a library that nobody installed here."""
    for module in walk_packages(qparity.__path__, "qparity."):
        try:
            import_module(module.name)
        except ModuleNotFoundError as error:
            missing = str(error.name).split(".")[0]
            if missing in {"qparity", "numpy", "ml_dtypes"} | extras:
                raise


def main(root: Path, extent: str) -> None:
    """Compare what is installed with what is in the repository, then import it."""
    home = Path(qparity.__file__).parent
    if home.parent.name != "site-packages":
        sys.exit(f"{home} is not an installed package")
    if version("qparity") != qparity.__version__:
        sys.exit(f"version {version('qparity')} is declared, {qparity.__version__} is imported")

    expected = {"__init__.py", "__main__.py", "py.typed"}
    for folder in FOLDERS:
        expected.update(files(root / folder, root))
    if difference := expected.symmetric_difference(files(home, home)):
        sys.exit(f"in only one of repository and wheel: {sorted(difference)}")

    declared = libraries_of_extras(root)
    found = {name for name in declared if find_spec(name)}
    extras = declared if extent == "all" else set()
    if found != extras:
        sys.exit(f"installed: {sorted(found)}; expected: {sorted(extras)}")
    import_all(extras)


main(Path(sys.argv[1]), sys.argv[2])
