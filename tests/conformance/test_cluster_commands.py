"""Commands on the workers of a dask scheduler give what they give on one machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path

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


def test_a_killed_worker_does_not_change_what_is_written(tmp_path: Path) -> None:
    """Of three workers one is killed mid-way, and every byte is that of one process."""
    rng = np.random.default_rng(0)
    weights = {
        f"layers.{n}.weight": rng.standard_normal((64, 128), dtype=np.float32) for n in range(30)
    }
    (tmp_path / "dense.safetensors").write_bytes(model(weights))
    compress = ("compress", "dense.safetensors", "--scheme", "W4A16_ASYM")
    assert run(tmp_path, *compress, "--out", "one").returncode == 0
    with cluster(tmp_path, after=2) as made:
        done = run(tmp_path, *compress, "--out", "many", "--scheduler", made.address)
        assert made.dying.wait(timeout=10) == -signal.SIGKILL
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert not list(tmp_path.glob(".many*"))
