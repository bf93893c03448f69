"""Formats and scale rules of one's own on a device: the schemes of examples/, and random args.

Run as ``python -m tests.backends.prove_formats cuda 160 16``: device, random args, processes. It
holds ``torch:`` and ``triton:`` of the device to the reference, quick and thorough; then a table.
"""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from .fused_formats import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
ONLY = [word for name in OPERATIONS for word in ("--op", name)]


def commands(device: str, count: int, processes: int) -> Iterator[tuple[str, list[str]]]:
    """What is run, each in one process, by name; the longest first."""
    schemes = sorted((ROOT / "examples").glob("*.py"))
    for level, options in (("thorough", ONLY), ("quick", [])):
        for name in ("triton", "torch"):
            for scheme in schemes:
                verify = ["qparity.conformance", "verify", f"{name}:{device}", "--scheme"]
                how = [str(scheme), "--level", level, "--jobs", "1", *options]
                yield f"{name}:{device} {scheme.stem} {level}", [*verify, *how]
        if level == "thorough":
            for part in range(processes):
                share = f"{part}/{processes}"
                own = ["tests.backends.fused_formats", device, str(count), share]
                yield f"triton:{device} random args {share} of {count}", own


def run(named: tuple[str, list[str]]) -> tuple[str, int, float, str]:
    """Name, exit status, seconds and the lines that say how it went."""
    name, command = named
    started = monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    told = [line for line in lines if line.startswith(("EQUAL", "by the backend", "0 differ"))]
    if done.returncode:
        told = lines[-12:]
    return name, done.returncode, monotonic() - started, "\n    ".join(told)


def main() -> int:
    """Print a table; 1 if anything differs."""
    device, count, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    started = monotonic()
    with ThreadPoolExecutor(processes) as pool:
        results = list(pool.map(run, commands(device, count, processes)))
    for name, status, seconds, told in results:
        print(f"{'equal' if status == 0 else 'DIFFERS':8} {seconds:6.1f} s  {name}\n    {told}")  # noqa: T201
    wrong = sum(status != 0 for _, status, _, _ in results)
    print(f"{wrong} of {len(results)} differ; {monotonic() - started:.0f} s")  # noqa: T201
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
