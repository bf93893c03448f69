"""The command ``qparity``, also ``python -m qparity``."""

import sys
from typing import NoReturn

__all__ = ["main"]

_BAD_USAGE = 2


def main() -> NoReturn:
    """Run the command; without what it needs, say in one line how to install that."""
    try:
        from qparity.conformance.cli import main as run
    except ModuleNotFoundError as error:
        if (error.name or "qparity").partition(".")[0] == "qparity":
            raise
        sys.stderr.write(
            f"qparity: the command needs {error.name}: pip install 'qparity[conformance]'\n"
        )
        sys.exit(_BAD_USAGE)
    run()


if __name__ == "__main__":
    main()
