"""A comparison as a table, as Markdown, as JSON."""

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from .measure import Measured

__all__ = ["to_json", "to_markdown", "to_table"]

_COLUMNS = ("scheme", "bits per weight", "SNR, dB", "max error, relative")


def by_snr(found: Sequence[Measured]) -> list[Measured]:
    """The least noise first, what is NaN last."""
    return sorted(found, key=lambda one: (math.isnan(one.snr), -one.snr, one.bits, one.name))


def to_table(found: Sequence[Measured], title: str) -> Table:
    """A table for a terminal, the least noise first."""
    table = Table(title=title)
    table.add_column(_COLUMNS[0], no_wrap=True)
    for column in _COLUMNS[1:]:
        table.add_column(column, justify="right")
    for one in by_snr(found):
        table.add_row(*_cells(one))
    return table


def to_markdown(found: Sequence[Measured]) -> str:
    """The same table in Markdown."""
    rows = [_COLUMNS, ("---", "---:", "---:", "---:"), *(_cells(one) for one in by_snr(found))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def to_json(found: Sequence[Measured]) -> list[dict[str, Any]]:
    """The same as JSON values."""
    return [
        {"scheme": one.name, "bits": one.bits, "snr": one.snr, "max_error": one.max_error}
        for one in by_snr(found)
    ]


def _cells(one: Measured) -> tuple[str, ...]:
    return one.name, f"{one.bits:.3f}", f"{one.snr:.2f}", f"{one.max_error:.4f}"
