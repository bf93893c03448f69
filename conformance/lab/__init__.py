"""The lab: a scheme of one's own in one file, with its laws, its parity and its report.

`qparity lab new NAME` writes the file; in it stand the args and one line::

    globals().update(lab_tests(ARGS, __file__))
"""

from .new import new_scheme
from .tests import lab_tests

__all__ = ["lab_tests", "new_scheme"]
