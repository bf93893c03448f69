"""Commands on the workers of a dask scheduler give what they give on one machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.checkpoint_files import model
from tests.conformance.dask_cluster import ROOT, cluster


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "qparity.conformance", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write_dense(folder: Path) -> None:
    """A model of thirty weights."""
    rng = np.random.default_rng(0)
    weights = {
        f"layers.{n}.weight": rng.standard_normal((64, 128), dtype=np.float32) for n in range(30)
    }
    (folder / "dense.safetensors").write_bytes(model(weights))


def report(folder: Path, *options: str) -> dict[str, Any]:
    """What ``inspect`` says of the damaged checkpoint: it is wrong."""
    against = ("--against", "dense.safetensors")
    done = run(folder, "inspect", "damaged", *against, "--json", "report.json", *options)
    assert (done.returncode, done.stderr) == (1, "")
    return {"text": done.stdout, **json.loads((folder / "report.json").read_text())}


def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    """Of three workers one is killed mid-way, and the report is that of one process.

    What is written by the other two is what one process writes.
    """
    write_dense(tmp_path)
    compress = ("compress", "dense.safetensors", "--scheme", "W4A16_ASYM")
    assert run(tmp_path, *compress, "--out", "one").returncode == 0
    shutil.copytree(tmp_path / "one", tmp_path / "damaged")
    damaged = tmp_path / "damaged" / "model.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-100] ^= 0x40
    damaged.write_bytes(content)
    with cluster(tmp_path, after=1) as made:
        many = report(tmp_path, "--scheduler", made.address)
        assert made.dying.wait(timeout=60) == -signal.SIGKILL
        done = run(tmp_path, *compress, "--out", "many", "--scheduler", made.address)
    assert many == report(tmp_path, "--jobs", "1")
    assert "layers.9" in many["text"]
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert not list(tmp_path.glob(".many*"))
