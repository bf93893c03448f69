"""The command ``qparity`` (SPEC section 12)."""

import argparse
import codecs
import io
import os
import select
import sys
from collections.abc import Sequence
from typing import NoReturn

import qparity

from .commands import (
    check,
    compare,
    compress,
    explain,
    gen,
    inspect,
    lab,
    laws,
    operations,
    plot,
    replay,
    report,
    self_test,
    verify,
)
from .commands.console import EXIT_CODES, complain

_COMMANDS = (
    *(verify, inspect, explain, plot, compress, replay, gen, check, laws),
    *(compare, lab, self_test, report, operations),
)
_INTERRUPTED = 130
_OUTPUT_CLOSED = 141
_PLAIN = "qparity.plain"


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit."""
        complain(message)
        sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its code; bad input is one line on standard error.

    Ended by ctrl-C it exits with 130; with 141 where nobody reads the rest of its output.
    """
    _speak_ascii()
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()
    except OSError as error:
        code = 2
        if isinstance(error, BrokenPipeError) and _output_is_closed():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = _OUTPUT_CLOSED
        else:
            complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (ValueError, TypeError) as error:
        complain(str(error))
        code = 2
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)


def _output_is_closed() -> bool:
    """Whether what reads standard output has ended: ``head``, say."""
    if not hasattr(select, "poll"):
        return False
    errors = select.poll()
    errors.register(sys.stdout, 0)
    return bool(errors.poll(0))


def _speak_ascii() -> None:
    """Where the output has no character for one of ours, an ellipsis is dots, the rest ``?``."""
    codecs.register_error(_PLAIN, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=_PLAIN)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join("..." if c == "\N{HORIZONTAL ELLIPSIS}" else "?" for c in text), error.end


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="qparity",
        description="A golden reference for quantization math, and a judge of backends.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=qparity.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for command in _COMMANDS:
        command.add(commands)
    return parser
