"""``python -m qparity.conformance`` is the command ``qparity``."""

from .cli import main

if __name__ == "__main__":
    main()
