"""Every block of the README runs as shown, and prints what it shows."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from qparity.conformance.bits import hex_bits
from qparity.reference import QuantizationArgs, quantize

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
NUMBER = re.compile(
    r"(?<=-)[0-9a-f]{6}(?=\.json)|(?<!\w)-?(0x[0-9a-f.]+(p[+-]\d+)?|\d+(,\d{3})*(\.\d+)?(e[+-]?\d+)?)"
)
COMMANDS = {
    "qparity": [sys.executable, "-P", "-m", "qparity.conformance"],
    "python": [sys.executable],
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, and its lines."""

    language: str
    text: str


@dataclass(frozen=True)
class Step:
    """A command of a console block, and the output shown under it."""

    command: str
    shown: str


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks, in order."""
    for language, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield Block(language, body)


def steps(block: Block) -> Iterator[Step]:
    """The commands of a console block."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield Step(command, shown)


def matches(shown: str, printed: str) -> bool:
    """Whether output is as shown: numbers and runs of blanks aside, ``...`` being anything."""

    def plain(text: str) -> str:
        return " ".join(NUMBER.sub("#", text).split())

    pattern = re.escape(plain(shown)).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, plain(printed)) is not None


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command line, in a folder where ``qparity`` and ``python`` are this environment's."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    for name, words in COMMANDS.items():
        (tools / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        (tools / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


ALL_STEPS = [
    step for block in blocks(README) if block.language == "console" for step in steps(block)
]
MAKE = [step.command for step in ALL_STEPS if step.command.startswith("make ")]
OTHERS = [step for step in ALL_STEPS if not step.command.startswith("make ")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the Python blocks, each in the file that its first line names."""
    folder = tmp_path_factory.mktemp("readme")
    for block in blocks(README):
        if block.language == "python":
            (folder / block.text.split("\n")[0].removeprefix("# ")).write_text(block.text)
    return folder


def test_every_block_is_one_that_runs() -> None:
    """Blocks are Python that names its file, or console lines; none escapes this file."""
    assert README.count("```") == 2 * len(list(blocks(README)))
    for block in blocks(README):
        assert block.language in ("python", "console")
        if block.language == "python":
            name = block.text.split("\n")[0].removeprefix("# ")
            assert re.fullmatch(r"\w+\.py", name)
            assert any(Path(name).stem in step.command for step in OTHERS)
    assert len(OTHERS) >= 5


@pytest.mark.parametrize("command", MAKE)
def test_make_has_the_targets(command: str) -> None:
    """What the README makes is a target of the Makefile that has a recipe."""
    (target,) = command.split()[1:]
    assert re.search(rf"^{target}:.*##.*\n\t", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_commands_print_what_is_shown(workplace: Path) -> None:
    """In the order of the README, each command prints what stands under it, and nothing wrong."""
    for step in OTHERS:
        ran = run(step.command, workplace)
        assert matches(step.shown, ran.stdout), f"$ {step.command}\n{ran.stdout}{ran.stderr}"
        assert ran.stderr == ""
        assert ran.returncode == (1 if "DIFFERENT" in step.shown else 0)


def test_the_study_prints_the_numbers_shown(workplace: Path) -> None:
    """The numbers of the study are exact: no generator is between them and the reference."""
    (step,) = (step for step in OTHERS if "study.py" in step.command)
    assert run(step.command, workplace).stdout == step.shown


def test_the_counterexample_is_one() -> None:
    """The bits shown for x and scale have the codes shown, by division and by reciprocal."""
    (shown,) = (step.shown for step in OTHERS if "FAIL" in step.shown)
    x, scale = (
        np.array([int(bits, 16)], np.uint32).view(np.float32)
        for bits in re.findall(r"^  (?:x|scale) .*?(0x[0-9a-f]{8}) ", shown, re.MULTILINE)
    )
    expected, actual = re.search(r"expected  (0x\w+) .*actual  (0x\w+) ", shown).groups()  # type: ignore[union-attr]
    one = np.ones(1, np.float32)
    assert hex_bits(quantize(x, scale, None, QuantizationArgs())[0]) == expected
    assert hex_bits(quantize(x * (one / scale), one, None, QuantizationArgs())[0]) == actual
    assert expected != actual


def test_output_that_is_not_shown_is_seen() -> None:
    """A missing line, an added one and another word each fail the comparison of outputs."""
    shown = "FAIL quantize int8  37 of 12,800\n...\n  x/scale = -0.5, at the tie\n"
    assert matches(shown, "FAIL quantize int8 1 of 2\nanything\n x/scale = 1.5e7, at the tie\n")
    assert not matches(shown, "FAIL quantize int8 1 of 2\nanything\n")
    assert not matches(shown, "FAIL quantize int4 1 of 2\n-\n x/scale = 2, at the tie\n")
    assert not matches(shown, "FAIL quantize int8 1 of 2\n-\n x/scale = 2, at the tie\nmore\n")
    assert not matches("", "a warning\n")


@pytest.mark.parametrize("link", re.findall(r"\]\(((?!https?:)[^)]+)\)", README))
def test_links_lead_somewhere(link: str) -> None:
    """Every relative link of the README is a file or folder of the repository."""
    assert (ROOT / link).exists()
