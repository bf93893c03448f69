"""Laws that need no oracle: what every scheme obeys, whoever computes it.

A new scheme can be tested before anything implements it: its args are enough, and a backend, which
is the reference unless another is given. In anybody's own tests::

    from qparity.conformance.laws import law_tests

    globals().update(law_tests(QuantizationArgs(num_bits=5, strategy="channel")))
"""

from .check import LAWS, Verdict, check_law, check_laws
from .in_pytest import law_tests
from .law import Law, Sample, Violation

__all__ = [
    "LAWS",
    "Law",
    "Sample",
    "Verdict",
    "Violation",
    "check_law",
    "check_laws",
    "law_tests",
]
