"""The parts of ``benchmarks/cuda.py``: what is timed, how, and beside what."""
