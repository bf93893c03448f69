"""Formats and scale rules of one's own on a device: the schemes of examples/, and random args.

Run as ``python -m tests.backends.prove_formats cuda 90 16``: device, seconds, processes. It holds
``torch:`` and ``triton:`` of the device to the reference on the schemes, at quick all operations,
at thorough ``quantize``; and ``triton:`` on random args, as many as there is time for.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
TOLD = ("EQUAL", "by the backend", "DIFFERENT", "all equal", "differ")
# what a process of random args needs beside them
START = 20.0


@dataclass(frozen=True, slots=True)
class Result:
    """A run: its name, exit status (None: ended by the limit), seconds, and what it told."""

    name: str
    status: int | None
    seconds: float
    told: str

    def __str__(self) -> str:
        """One line, and what it told below."""
        verdict = {0: "equal", None: "not ended"}.get(self.status, "DIFFERS")
        return f"{verdict:9} {self.seconds:6.1f} s  {self.name}\n{self.told}"


class Runner:
    """Runs commands in processes of their own until a time, and ends those that are left."""

    def __init__(self, seconds: float) -> None:
        self.started = monotonic()
        self.seconds = seconds
        self.running: set[subprocess.Popen[str]] = set()

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self.seconds - (monotonic() - self.started)

    def run(self, name: str, command: list[str]) -> Result:
        """The result of ``python -m command``; ``{left}`` in it is what is left for random args."""
        started = monotonic()
        if self.left <= 0:
            return Result(name, None, 0.0, "")
        words = [word.format(left=max(1.0, self.left - START)) for word in command]
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.add(process)
        try:
            output, _ = process.communicate(timeout=max(0.1, self.left))
            status: int | None = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            output, status = process.communicate()[0], None
        self.running.discard(process)
        lines = output.splitlines()
        kept = [line for line in lines if any(word in line for word in TOLD)]
        told = lines[-12:] if status else kept[-4:]
        return Result(name, status, monotonic() - started, "".join(f"    {s}\n" for s in told))

    def end(self) -> None:
        """End all that runs, and start nothing more."""
        self.seconds = 0.0
        for process in list(self.running):
            process.kill()


def commands(device: str, processes: int) -> Iterator[tuple[str, list[str]]]:
    """What is run, each in one process, by name; a quarter of them have random args throughout."""
    shares = [f"{part}/{processes}" for part in range(processes)]
    own = ["tests.backends.fused_formats", device, "1000000"]
    random = [(f"triton:{device} random args {n}", [*own, n, "{left}"]) for n in shares]
    quarter = processes // 4
    yield from random[:quarter]
    schemes = sorted((ROOT / "examples").glob("*.py"))
    for level, only in (("quick", []), ("thorough", ["--op", "quantize"])):
        for name in ("triton", "torch"):
            for scheme in schemes:
                verify = ["qparity.conformance", "verify", f"{name}:{device}", "--jobs", "1"]
                how = ["--scheme", str(scheme), "--level", level, *only]
                yield f"{name}:{device} {scheme.stem} {level}", [*verify, *how]
    yield from random[quarter:]


def main() -> int:
    """Print each result as it comes, then how many; 1 if anything differs or nothing ended."""
    device, seconds, processes = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    runner = Runner(seconds)
    results: list[Result] = []
    signal.signal(signal.SIGTERM, _interrupt)
    pool = ThreadPoolExecutor(processes)
    futures = [pool.submit(runner.run, *named) for named in commands(device, processes)]
    try:
        for future in as_completed(futures):
            results.append(future.result())
            if results[-1].seconds:
                print(results[-1], end="", flush=True)  # noqa: T201
    except KeyboardInterrupt:
        runner.end()
    pool.shutdown(wait=True, cancel_futures=True)
    ended = [result for result in results if result.status is not None]
    wrong = [result.name for result in ended if result.status]
    missing = len(futures) - len(ended)
    print(  # noqa: T201
        f"{len(ended) - len(wrong)} runs equal, {len(wrong)} differ {wrong or ''}, "
        f"{missing} not ended; {monotonic() - runner.started:.0f} s",
        flush=True,
    )
    return int(bool(wrong) or not ended)


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    del signal_number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
