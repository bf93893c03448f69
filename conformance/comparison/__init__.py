"""Schemes side by side on real weights: error, and what it costs in bits."""

from .measure import Measured, bits_per_weight, measure
from .show import to_json, to_markdown, to_table

__all__ = ["Measured", "bits_per_weight", "measure", "to_json", "to_markdown", "to_table"]
