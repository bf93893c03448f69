"""What the figures of a GPU depend on: the device, the versions, the commit."""

import functools
import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "triton", "numpy", "ml_dtypes", "safetensors")


def environment(device: str, packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The device, Python, the packages (``none``: not installed) and the commit, by name."""
    found = {"device": torch.cuda.get_device_name() if device == "cuda" else "Triton's interpreter"}
    found["python"] = platform.python_version()
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found | {"commit": commit()}


@functools.cache
def commit() -> str:
    """The commit of the checkout: QPARITY_COMMIT, or what git says."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=10", "--dirty"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stdout.strip()
    except OSError:
        told = ""
    return os.environ.get("QPARITY_COMMIT") or told or "unknown"


def command(script: str, arguments: Sequence[str]) -> str:
    """The command without where it writes: the same wherever the checkout is."""
    kept, skip = ["python", script], False
    for word in arguments:
        writes = word in ("--json", "--out")
        if not writes and not (skip and not word.startswith("--")):
            kept.append(word)
        skip = writes
    return shlex.join(kept)
