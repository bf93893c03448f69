"""The page on speed: made from the rows of the benchmark, and from nothing else."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = "by hand\n<!-- made: {} -->\nold\n<!-- end -->\nby hand\n"


@pytest.fixture(scope="module")
def performance() -> ModuleType:
    """docs/performance.py."""
    spec = importlib.util.spec_from_file_location("performance", ROOT / "docs" / "performance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(**changes: object) -> dict[str, object]:
    """A row of the benchmark."""
    made: dict[str, object] = {"verb": "compress", "preset": "W4A16", "dtype": "bfloat16"}
    made |= {"shape": [8192, 8192], "moved": 168_800_000, "sets": 2, "eager": False}
    made |= {"microseconds": 60.0, "copy_microseconds": 57.0, "launches": None}
    return made | {"host_microseconds": None, "peers": {}} | changes


def data(*rows: dict[str, object]) -> dict[str, object]:
    """What the benchmark writes."""
    environment = {"device": "GPU", "torch": "2", "commit": "abc"}
    command = "python benchmarks/cuda.py"
    return {
        "environment": environment,
        "command": command,
        "seconds": 9.0,
        "skipped": ["x: late"],
        "rows": rows,
    }


def test_page_is_that_of_its_rows(performance: ModuleType) -> None:
    """docs/performance.md is what docs/performance.py makes of the rows, with its pictures."""
    text = performance.PAGE.read_text()
    assert performance.page(text, json.loads(performance.DATA.read_text())) == text
    pictures = set(re.findall(r"\]\((.*?\.svg)\)", text))
    assert pictures == {"performance-presets.svg", "performance-sizes.svg"}
    assert all((ROOT / "docs" / name).is_file() for name in pictures)


def test_the_command_writes_rows(tmp_path: Path) -> None:
    """Each verb of a preset is measured and written, with the copy of its bytes, and who ran it."""
    path = tmp_path / "cuda.json"
    options = ["--device", "cpu", "--tiny", "--presets", "FP8_BLOCK", "--dtypes", "bfloat16"]
    options += ["--sizes", "128", "--no-peers", "--json", str(path)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "benchmarks/cuda.py", *options],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(path.read_text())
    assert made["skipped"] == []
    assert [found["verb"] for found in made["rows"]] == [
        "compress",
        "decompress",
        "quantize_dynamic",
    ]
    weight, codes, scales = 2 * 128**2, 128**2, 2
    moved = [weight + codes + scales, codes + scales + weight, weight + codes + 128 * scales]
    assert [found["moved"] for found in made["rows"]] == moved
    assert all(found["copy_microseconds"] > 0 and not found["eager"] for found in made["rows"])
    assert "--json" not in made["command"]


def test_what_is_by_hand_stays(performance: ModuleType) -> None:
    """Only what stands between the marks is made, and again it is the same."""
    once = performance.page(PAGE.format("environment"), data())
    assert once.startswith("by hand\n<!-- made: environment -->\n")
    assert once.endswith("<!-- end -->\nby hand\n")
    assert "old" not in once
    assert "GPU, torch 2; commit abc; 9 s in all" in once
    assert performance.page(once, data()) == once
    with pytest.raises(KeyError, match="nothing"):
        performance.page(PAGE.format("nothing"), data())


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({}, "| compress W4A16 | 168.8 | 60.0 | 2,813 | 0.95 | 0.80 |"),
        ({"copy_microseconds": 45.0}, "| **0.75** | 0.80 |"),
        ({"preset": "FP8", "copy_microseconds": 51.0}, "| **0.85** | 0.90 |"),
        ({"verb": "decompress", "copy_microseconds": 51.0}, "| 0.85 | 0.85 |"),
        ({"peers": {"compressed-tensors": 900.0, "torchao": "none"}}, "| 15.0 x |  |  |"),
        ({"eager": True}, "| compress W4A16 (by eager torch) |"),
    ],
)
def test_a_row_tells(performance: ModuleType, changes: dict[str, Any], cells: str) -> None:
    """Bytes, time, rate, part of copy, bold below its aim, how much longer each peer takes."""
    assert cells in performance.page(PAGE.format("main"), data(row(**changes)))


def test_what_falls_short_is_listed(performance: ModuleType) -> None:
    """Below the aim, or less than ten times as fast as compressed-tensors; reasons of peers."""
    slow = row(copy_microseconds=30.0, peers={"compressed-tensors": 300.0, "torchao": "no fp4"})
    short = performance.page(PAGE.format("short"), data(slow))
    assert "compress W4A16: 0.50 of copy, aimed at 0.80" in short
    assert "compress W4A16: 5.0 times as fast as compressed-tensors" in short
    assert "- torchao, no fp4: compress W4A16" in performance.page(
        PAGE.format("reasons"), data(slow)
    )
    assert "- x: late" in performance.page(PAGE.format("skipped"), data())
    assert "Nothing." in performance.page(PAGE.format("short"), data(row()))


def test_sizes_and_dtypes_have_tables(performance: ModuleType, tmp_path: Path) -> None:
    """A size has its launches and time from the host, a dtype its column; both are drawn."""
    small = row(shape=[512, 1024], launches=1, host_microseconds=20.0)
    rows = data(row(), small, row(dtype="float16", microseconds=57.0))
    sizes = performance.page(PAGE.format("sizes"), rows)
    assert "| compress W4A16 | 512 x 1024 | 1 |" in sizes
    assert "| 1 | 20.0 |" in sizes
    assert sizes.index("512 x 1024") < sizes.index("8192 x 8192")
    dtypes = performance.page(PAGE.format("dtypes"), rows)
    assert "| compress W4A16 | 60.0 | 0.95 | 57.0 | 1.00 |  |  |" in dtypes
    performance.draw(rows["rows"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "performance-presets.svg",
        "performance-sizes.svg",
    ]
