"""``qparity report``: several JSON reports as one page."""

import argparse
from pathlib import Path
from typing import Any

from ..html_page import reports_to_html
from ..report_file import load_report, verdicts_of
from ..verdict import exit_code_of, worst
from .console import EXIT_CODES, check_writable, write_text


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command to the parser."""
    parser = commands.add_parser(
        "report",
        help="merge JSON reports into one page of HTML",
        epilog=EXIT_CODES,
    )
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    parser.add_argument("--html", required=True, metavar="FILE", help="- is standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    check_writable(options.html)
    reports = [load_report(path) for path in options.reports]
    write_text(reports_to_html(reports), options.html)
    return worst(exit_code_of(verdicts_of(report)) for report in reports)
