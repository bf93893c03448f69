"""qparity: a golden reference and conformance judge for LLM quantization math.

The parts are imported by name: `qparity.reference` needs NumPy and ml_dtypes only,
`qparity.backends` and `qparity.conformance` whatever their extras install.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
