"""A backend by its name, for a command."""

import sys

from qparity.backends import load_backend

from ..guard import staying


def load(name: str) -> object:
    """The backend of a name; a module is found in the current folder, too.

    Raises:
        ValueError: if it is unknown, or raises when it is imported.
    """
    if "" not in sys.path:
        sys.path.append("")
    try:
        with staying():
            return load_backend(name)
    except (Exception, SystemExit) as error:
        if str(error).startswith("backend: "):
            raise
        message = f"backend: {name!r} raised {type(error).__name__} when imported: {error}"
        raise ValueError(message) from error
