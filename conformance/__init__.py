"""The judge: finds where a backend parts from the reference, bit by bit.

Numbers in (``values``, ``ranges``, ``shapes``, ``layouts``), made into cases of every operation
(``quantized``, ``parameters``, ``packed``, ``operations``), run and compared (``case``,
``compare``, ``run``), shrunk to one number (``shrink``), and told (``explain_case``, ``report``).
"""

from .case import Case, run_case
from .case_file import load_case
from .compare import Difference, equal_bits, find_difference
from .operations import all_checks, public_operations
from .outcome import Outcome
from .pytest_entry import conformance_tests
from .run import run_check
from .verify import Report, verify

__all__ = [
    "Case",
    "Difference",
    "Outcome",
    "Report",
    "all_checks",
    "conformance_tests",
    "equal_bits",
    "find_difference",
    "load_case",
    "public_operations",
    "run_case",
    "run_check",
    "verify",
]
