"""The steps of ``benchmarks/proof_cuda.py``: each yields lines, one for each thing compared."""
