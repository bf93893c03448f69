"""What is known to differ by definition: the rows of docs/deviations.md as conditions on cases."""

from .declared import Declared, DeclaredError, without_declared
from .tables import ways_of

__all__ = ["Declared", "DeclaredError", "ways_of", "without_declared"]
