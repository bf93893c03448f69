"""A tiny part of the proof of the fused kernels, in Triton's interpreter: it passes, and fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("rounding", "casts", "scales", "ranges", "grid", "pairs", "large", "plain", "layouts")
MUTANT = """
import sys
sys.path.insert(0, "benchmarks")
import torch
import proof.line
import proof_cuda

load = proof.line.load_backend


def wrong_in_one_bit(name):
    backend = load(name)
    if name == "triton:cpu":
        quantize = backend.quantize

        def mutant(*given, **options):
            codes = quantize(*given, **options)
            codes.view(torch.uint8)[3] ^= 1
            return codes

        backend.quantize = mutant
    return backend


proof.line.load_backend = wrong_in_one_bit
proof_cuda.STEPS = dict(proof_cuda.STEPS, casts=lambda proof: 1 / 0)
sys.argv = ["proof_cuda.py", {arguments}]
sys.exit(proof_cuda.main())
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with those arguments, in the interpreter of Triton."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def options(report: Path, *steps: str) -> list[str]:
    """Of a tiny proof, in one process."""
    chosen = [word for step in steps for word in ("--step", step)]
    return ["--device", "cpu", "--tiny", "--jobs", "0", "--json", str(report), *chosen]


def test_a_tiny_part_of_the_proof_passes(tmp_path: Path) -> None:
    """Each line compares something, nothing differs, and the page says so."""
    report, page = tmp_path / "proof.json", tmp_path / "proof.md"
    done = run("benchmarks/proof_cuda.py", *options(report, *STEPS), "--out", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = json.loads(report.read_text())["lines"]
    assert {"rounding", "scales", "grid", "pairs", "large", "layouts"} <= {
        line["step"] for line in lines
    }
    assert all(line["compared"] > 0 == line["differ"] for line in lines)
    assert sum(line["eager"] for line in lines) < sum(line["calls"] for line in lines) / 4
    assert page.read_text().count("\n| ") == len(lines) + 1
    assert "0 lines failed" in page.read_text()


def test_a_mutant_and_a_broken_step_fail(tmp_path: Path) -> None:
    """One wrong bit of what a call returns, and a step that raises, each fail the proof."""
    report = tmp_path / "proof.json"
    arguments = ", ".join(map(repr, options(report, "rounding", "casts")))
    done = run("-c", MUTANT.format(arguments=arguments))
    assert done.returncode == 1, done.stdout + done.stderr
    *rounding, broken = json.loads(report.read_text())["lines"]
    assert {line["differ"] for line in rounding} == {1, 2}  # values, and where they are stored
    assert broken["problem"] == "ZeroDivisionError: division by zero"
    assert "FAILED casts: the step itself" in done.stdout
