"""Schemes side by side: error and bits per weight, as table, JSON and picture."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qparity.conformance.commands.compare import weights_of
from qparity.conformance.comparison import bits_per_weight, measure, to_json, to_markdown
from qparity.conformance.comparison.plot import has_matplotlib, plot
from qparity.reference import FormatArgs, QuantizationArgs, preset_name_to_scheme

EXAMPLES = Path(__file__).parents[2] / "examples"
X = np.array([[0.5, -6.0, 3.0, 5.0] * 8], np.float32)
# by hand: codes, then the share of scale and zero-point
BITS = [
    (QuantizationArgs(num_bits=4, type="float", strategy="tensor_group", group_size=16), 4.5),
    (QuantizationArgs(num_bits=8, type="float", group_size=32, scale_dtype="uint8"), 8.25),  # type: ignore[arg-type]
    (QuantizationArgs(num_bits=4, group_size=128), 4 + 16 / 128),
    (QuantizationArgs(num_bits=4, group_size=128, symmetric=False), 4 + (16 + 4) / 128),
    (QuantizationArgs(type="float", group_size=16, symmetric=False), 8 + (16 + 8) / 16),
    (FormatArgs(code_format="float6_e3m2fn", group_size=32, scale_dtype="float16"), 6.5),  # type: ignore[arg-type]
]


def qparity(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, run as a user runs it."""
    command = [sys.executable, "-m", "qparity.conformance", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("args", "expected"), BITS, ids=lambda value: str(value)[:40])
def test_bits_per_weight(args: QuantizationArgs, expected: float) -> None:
    """A weight costs its code, and its share of the scale and of the zero-point."""
    assert bits_per_weight(args, args.group_size or 1, np.dtype(np.float16)) == expected


def test_measured_by_hand() -> None:
    """6 is the largest code of fp4, 5 becomes 4, and the rest is exact."""
    args = QuantizationArgs(num_bits=4, type="float")
    found = measure("fp4", args, {"x": X})
    signal = 0.25 + 36 + 9 + 25
    assert found.snr == pytest.approx(10 * math.log10(signal / 1))
    assert found.max_error == 1 / 6
    assert found.bits == 4 + 32 / 32
    exact = measure("fp4", args, {"x": np.where(X == 5, X.dtype.type(4), X)})
    assert (exact.snr, exact.max_error) == (math.inf, 0.0)
    assert measure("fp4", args, {"x": 0 * X}).max_error == 0.0


def test_two_levels_cost_a_global_scale() -> None:
    """A tensor with two levels of scale holds one float32 besides."""
    args = preset_name_to_scheme("NVFP4A16").weights
    assert args is not None
    assert measure("NVFP4A16", args, {"x": X}).bits == 4.5 + 32 / 32


@pytest.mark.parametrize(
    ("message", "args", "weights"),
    [
        ("weights: there are none", QuantizationArgs(), {}),
        ("a on x: x: 32 columns are not divisible", QuantizationArgs(group_size=3), {"x": X}),
        ("a on x: strategy: 'token'", QuantizationArgs(strategy="token", dynamic=True), {"x": X}),
    ],
)
def test_what_cannot_be_measured_is_refused(
    message: str, args: QuantizationArgs, weights: dict[str, np.ndarray]
) -> None:
    """An error names the scheme and the tensor."""
    with pytest.raises(ValueError, match=f"^{message}"):
        measure("a", args, weights)


def test_the_least_noise_comes_first() -> None:
    """Table and JSON are sorted by noise, and say the same."""
    fp4, int8 = QuantizationArgs(num_bits=4, type="float"), QuantizationArgs()
    found = [measure("fp4", fp4, {"x": X}), measure("int8", int8, {"x": X})]
    assert [row["scheme"] for row in to_json(found)] == ["int8", "fp4"]
    lines = to_markdown(found).splitlines()
    assert [line.count("|") for line in lines] == [5] * 4
    assert lines[3].startswith("| fp4 | 5.000 |")


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        (np.nan, ("nan", "nan")),
        (np.inf, ("nan", "nan")),
        (-np.finfo(np.float32).max, ("-inf", "inf")),
    ],
)
def test_errors_that_are_no_numbers_are_shown(
    bad: float, shown: tuple[str, str], tmp_path: Path
) -> None:
    """NaN and infinite errors are nan and inf in table, JSON and picture, and come last."""
    weights = np.where(X == 5, np.float32(bad), X)
    channel, tensor = QuantizationArgs(strategy="channel"), QuantizationArgs()
    found = [
        measure("channel", channel, {"a": weights, "b": X}),
        measure("tensor", tensor, {"b": X}),
    ]
    assert [row["scheme"] for row in to_json(found)] == ["tensor", "channel"]
    row = to_json(found)[1]
    assert (str(row["snr"]), str(row["max_error"])) == shown
    assert to_markdown(found).splitlines()[3].endswith(f"| {shown[0]} | {shown[1]} |")
    plot(found, tmp_path / "a.svg")
    assert shown[1] in (tmp_path / "a.svg").read_text()


def test_the_picture_is_the_same_every_time(tmp_path: Path) -> None:
    """The same schemes give the same bytes; another ending is refused."""
    found = [measure("int8", QuantizationArgs(), {"x": X})]
    assert has_matplotlib()
    for name in ("a.svg", "b.svg"):
        plot(found, tmp_path / name, marked=["int8"])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    plot([measure("int8", QuantizationArgs(), {"x": 0 * X})], tmp_path / "exact.png")
    with pytest.raises(ValueError, match=r"^plot: .*allowed: a .png, .svg or .pdf file"):
        plot(found, tmp_path / "a.txt")


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said, with the extra that installs it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not has_matplotlib()
    with pytest.raises(ValueError, match=r"pip install 'qparity\[plots\]'"):
        plot([], tmp_path / "a.svg")


def test_the_command(tmp_path: Path) -> None:
    """Presets and files are measured on the sample that comes along."""
    schemes = (EXAMPLES / "mxint8.py", "w8a16")
    ran = qparity("compare", *schemes, "--json", "-", "--plot", tmp_path / "a.svg")
    assert ran.returncode == 0, ran.stderr
    rows = {row["scheme"]: row for row in json.loads(ran.stdout)["schemes"]}
    assert list(rows) == ["W8A16", "mxint8"]
    assert rows["mxint8"]["bits"] == 8.25
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    assert "147,456 weights" in ran.stderr
    missing = qparity("compare", tmp_path / "none.py")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    unquantized = qparity("compare", "UNQUANTIZED")
    assert unquantized.returncode == 2
    assert "quantizes no weights" in unquantized.stderr


def test_files_of_one_name_are_all_measured(tmp_path: Path) -> None:
    """Two files with the same stem are two rows, in full; a third keeps its short name."""
    files = []
    for folder, bits in (("a", 4), ("b", 8)):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "mine.py")
        made = f"from qparity.reference import QuantizationArgs as A\nARGS = A(num_bits={bits})\n"
        files[-1].write_text(made)
    found = weights_of([*map(str, files), str(EXAMPLES / "mxint8.py")])
    assert list(found) == [f"{files[0]}:ARGS", f"{files[1]}:ARGS", "mxint8"]
    assert [args.num_bits for args in found.values()] == [4, 8, 8]
