"""Proof that the fused kernels return the reference's bits, on one GPU, in minutes.

``python benchmarks/proof_cuda.py [--out] [--json FILE]``. Each step compares on the device and
prints a line for each thing: what, how many numbers, how many differ. Exit 0: none, 1: some.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from machine import command, environment
from proof.goldens import GOLDEN, goldens
from proof.grid import grid
from proof.large import large
from proof.layouts import layouts
from proof.line import Line, Proof
from proof.pairs import pairs
from proof.plain import plain
from proof.rounding import casts, rounding
from proof.scales import ranges, scales

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "cuda_proof.md"
Step = Callable[[Proof], None]
STEPS: Mapping[str, Step] = {
    "rounding": rounding,
    "casts": casts,
    "scales": scales,
    "ranges": ranges,
    "grid": grid,
    "pairs": pairs,
    "goldens": goldens,
    "large": large,
    "plain": plain,
    "layouts": layouts,
}


def main() -> int:
    """Run the steps, print and write the lines."""
    options = _options()
    start = time.perf_counter()
    if options.jobs:
        lines = _in_processes(options)
    else:
        proof = Proof(options.device, options.tiny)
        for name in options.step or STEPS:
            step = STEPS[name] if name != "goldens" else partial(goldens, folder=options.golden)
            _run(proof, name, step)
        lines = proof.lines
    seconds = time.perf_counter() - start
    failed = [line for line in lines if not line.passed]
    compared, differ = sum(line.compared for line in lines), sum(line.differ for line in lines)
    verdict = f"{len(lines)} lines, {compared:,} numbers compared, {differ:,} differ"
    verdict += f", {len(failed)} lines failed; {seconds:.0f} s"
    for line in failed:
        print(f"FAILED {line.step}: {line.text()}")
    print(verdict, flush=True)
    if options.json:
        made = {
            "environment": environment(options.device),
            "command": command("benchmarks/proof_cuda.py", sys.argv[1:]),
        }
        saved = [{name: getattr(line, name) for name in line.__slots__} for line in lines]
        options.json.write_text(json.dumps(made | {"verdict": verdict, "lines": saved}, indent=1))
    if options.out:
        options.out.write_text(page(lines, verdict, environment(options.device)))
    return int(bool(failed) or not lines)


def _run(proof: Proof, name: str, step: Step) -> None:
    """One step; what fails outside its lines is a line."""
    proof.step = name
    try:
        step(proof)
    except Exception:
        with proof.line("the step itself"):
            raise


def _in_processes(options: argparse.Namespace) -> list[Line]:
    """Each step in a process of its own: kernels compile at once, a broken device ends one."""
    names = list(options.step or STEPS)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        running: dict[str, subprocess.Popen[bytes]] = {}
        waiting = list(names)
        while waiting or running:
            while waiting and len(running) < options.jobs:
                name = waiting.pop(0)
                more = ["--step", name, "--jobs", "0", "--json", f"{folder}/{name}.json"]
                more += ["--device", options.device, "--golden", str(options.golden)]
                more += ["--tiny"] if options.tiny else []
                running[name] = subprocess.Popen([sys.executable, __file__, *more])
            for name, process in list(running.items()):
                if process.poll() is not None:
                    del running[name]
            time.sleep(0.1)
        for name in names:
            path = Path(folder) / f"{name}.json"
            if path.exists():
                lines += [Line(**line) for line in json.loads(path.read_text())["lines"]]
            else:
                lines.append(Line(name, "the step itself", 0, 0, 0, 0, 0.0, "its process died"))
    return lines


def page(lines: list[Line], verdict: str, made_on: Mapping[str, str]) -> str:
    """The results file."""
    text = ["# Proof of the fused kernels", "", *(__doc__ or "").strip().split("\n")[2:], ""]
    text += [f"    {command('benchmarks/proof_cuda.py', sys.argv[1:])}", ""]
    text += [", ".join(f"{name} {value}" for name, value in made_on.items()) + ".", ""]
    text += [f"**{verdict}.**", "", NOTES, ""]
    text += ["| step | what | compared | differ | calls | by eager torch | s |"]
    text += ["|---|---|---:|---:|---:|---:|---:|"]
    for line in lines:
        what = line.what + (f": {line.problem}" if line.problem else "")
        text.append(
            f"| {line.step} | {what.replace('|', '/')} | {line.compared:,} | {line.differ:,} "
            f"| {line.calls:,} | {line.eager:,} | {line.seconds:.1f} |"
        )
    return "\n".join([*text, ""])


NOTES = """\
Equal means the same dtype, shape and bits; any NaN equals any NaN. `grid` and `goldens` compare
`triton:cuda` and `torch:cuda` with the numpy reference and with upstream's files; the other steps
compare `triton:cuda` with `torch:cuda`, which `qparity verify torch:cuda --level exhaustive` holds
to the reference on all 2^32 float32 ([results](verify.md)). "By eager torch" counts the calls that
no kernel covers."""


def _options() -> Any:  # noqa: ANN401 - argparse's own
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: interpreter"
    )
    parser.add_argument("--tiny", action="store_true", help="a small part, to try the steps")
    parser.add_argument("--step", action="append", choices=STEPS, help="only this; may be repeated")
    parser.add_argument("--jobs", type=int, default=10, help="processes at a time; 0: this one")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="folder of golden checkpoints")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--out", nargs="?", type=Path, const=RESULTS, help="write Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
