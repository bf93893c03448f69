"""Pictures are drawn from the reference's numbers, and are written whole or not at all."""

import builtins
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from qparity.conformance import pictures
from qparity.conformance.cli import main
from qparity.conformance.pictures.coded import codes_of_row, qparams_of, values_of
from qparity.conformance.values import codes_of
from qparity.conformance.weights import SAMPLE
from qparity.reference import (
    FLOAT8_E4M3FN,
    FORMATS,
    FloatFormat,
    IntFormat,
    QuantizationArgs,
    preset_name_to_scheme,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NVFP4 = preset_name_to_scheme("NVFP4").weights
assert NVFP4 is not None
E3M0 = FloatFormat(exponent_bits=3, mantissa_bits=0)
ANSWERS = {
    "declining_one": "raise NotImplementedError('int8')",
    "textual_one": "return 'codes'",
    "short_one": "return x[:0, 0]",
}
DECLINED = (
    "backend: 'declining_one' on W4A16 in float32, a scale for each row: "
    "raised NotImplementedError: int8; allowed: "
)
MINE = "from qparity.backends.numpy_backend import *\n"


def run(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The command in this process."""
    with pytest.raises(SystemExit) as exit_:
        main(["plot", *arguments])
    captured = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("arguments", "suffix"),
    [
        (["number-line", "float4_e2m1fn"], ".png"),
        (["number-line", "W4A16_ASYM"], ".svg"),
        (["number-line", "float8_e8m0fnu"], ".svg"),
        (["number-line", "uint4"], ".svg"),
        (["staircase", "W4A16_ASYM", "--range", "-1", "3"], ".svg"),
        (["staircase", "W4A16", "--range", "-1e-5", "1e38"], ".svg"),
        (["error", "MXFP4", "NVFP4", "W8A8"], ".svg"),
        (["histogram", "NVFP4"], ".png"),
        (["histogram", "W4A16_ASYM"], ".svg"),
        (["scales", "NVFP4", "W4A16_ASYM", "FP8", "--tensor", "0.25"], ".svg"),
        (["schemes", "NVFP4", "MXFP4"], ".png"),
        (["backends", "W8A8", "numpy", "numpy"], ".svg"),
    ],
    ids=str,
)
def test_every_kind_is_drawn(
    arguments: list[str], suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is a picture of its kind, and nothing is left beside it."""
    out = tmp_path / f"picture{suffix}"
    assert run([*arguments, "--out", str(out)], capsys) == (0, "", "")
    assert [*tmp_path.iterdir()] == [out]
    start = b"\x89PNG" if suffix == ".png" else b"<?xml"
    assert out.read_bytes().startswith(start)


def test_the_same_picture_has_the_same_bytes(tmp_path: Path) -> None:
    """No date and no random name is in a picture."""
    files = [tmp_path / name for name in ("a.svg", "b.svg")]
    for file in files:
        pictures.save(pictures.number_line(FORMATS["int4"]), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def texts(figure: "Figure") -> list[Any]:
    """The texts of a picture that are drawn."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]  # type: ignore[attr-defined]


def test_text_is_at_least_9_points() -> None:
    """Every label, tick and legend of a picture can be read in print: none is an exponent."""
    figures = [pictures.relative_error({"NVFP4": NVFP4}), pictures.number_line(FLOAT8_E4M3FN)]
    shown = [text for figure in figures for text in texts(figure)]
    assert not [text.get_text() for text in shown if "$" in text.get_text()]
    assert {"1/4", "12 %", "1/512"} <= {text.get_text() for text in shown}
    sizes = [text.get_fontsize() for text in shown]
    assert min(sizes) >= 9


@pytest.mark.parametrize("row", [FORMATS["float4_e2m1fn"], E3M0, FORMATS["int4"]], ids=str)
def test_the_labels_of_values_do_not_touch(row: FloatFormat | IntFormat) -> None:
    """Each value has a tick, and those with room a number: neighbours leave a gap."""
    figure = pictures.number_line(row)
    figure.canvas.draw()
    axes = figure.axes[1]
    assert np.array_equal(axes.get_xticks(), codes_of(row))
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert len(boxes) >= 7
    assert all(right.x0 - left.x1 > 1 for left, right in pairwise(boxes))


def test_schemes_of_the_same_codes_are_the_same() -> None:
    """Errors that differ by a rounding of float32 alone are shown as the same."""
    thirds = QuantizationArgs(num_bits=4, type="float", group_size=16)
    figure = pictures.schemes(("a", thirds), ("b", replace(thirds, scale_dtype="float32")))  # type: ignore[arg-type]
    assert [text.get_text() for text in texts(figure) if "the same" in text.get_text()] == [
        "the same: 100 %"
    ]


def test_a_group_is_a_part_of_its_tensor() -> None:
    """Two levels of scale: with a tensor of 2, the scale of a group of 1.7 is rounded to E4M3."""
    scale, _, whole = qparams_of(-1.7, 1.7, NVFP4, tensor=2.0)
    assert whole is not None
    assert (float(whole[0]), float(scale[0, 0])) == (1344.0, 384.0)
    alone, _, _ = qparams_of(-1.7, 1.7, NVFP4)
    assert float(alone[0, 0]) == 448.0


def test_scales_are_drawn_of_what_was_asked_for() -> None:
    """MX in FP4 is 6/7 to 12/7 of amax / 6; E4M3 with a global scale is nearer than 1/16."""
    mx = QuantizationArgs(num_bits=4, type="float", group_size=32, scale_dtype="uint8")  # type: ignore[arg-type]
    (mxfp4, nvfp4) = pictures.scales({"MXFP4": mx, "NVFP4": NVFP4}).axes[0].lines
    powers = np.asarray(mxfp4.get_ydata())
    assert (powers >= 6 / 7).all()
    assert (powers <= 12 / 7).all()
    assert 12 / 7 - powers.max() < 0.02
    assert powers.min() - 6 / 7 < 0.02
    near = np.asarray(nvfp4.get_ydata())[np.asarray(nvfp4.get_xdata()) > 2.0**-14]
    assert np.abs(near - 1).max() <= 1 / 16


def test_formats_of_ones_own_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A format is named by its file; backends are compared on its codes, not on a preset's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from qparity.reference import FloatFormat, FormatArgs\n"
        "E3M0 = FloatFormat(exponent_bits=3, mantissa_bits=0)\n"
        "ARGS = FormatArgs(code_format=E3M0, group_size=16)\n"
    )
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save", lambda figure, _: drawn.append(figure))
    for arguments in (["number-line", "mine.py:E3M0"], ["backends", "mine.py", "numpy", "numpy"]):
        assert run([*arguments, "--out", "a.png"], capsys) == (0, "", "")
    assert all("float4_e3m0fn" in figure.axes[0].get_title() for figure in drawn)


def test_files_of_one_name_are_all_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two files with the same stem are two lines of a picture, in Python and in JSON."""
    monkeypatch.chdir(tmp_path)
    for folder, bits in (("a", 4), ("b", 8)):
        (tmp_path / folder).mkdir()
        made = f"from qparity.reference import QuantizationArgs as A\nARGS = A(num_bits={bits})\n"
        (tmp_path / folder / "m.py").write_text(made)
        (tmp_path / folder / "m.json").write_text(f'{{"num_bits": {bits}, "type": "int"}}')
    drawn: list[Any] = []
    monkeypatch.setattr(pictures, "save", lambda figure, _: drawn.append(figure))
    for kind in ("error", "scales", "schemes"):
        for suffix in ("py", "json"):
            files = [f"{folder}/m.{suffix}" for folder in "ab"]
            assert run([kind, *files, "--out", "a.png"], capsys) == (0, "", "")
    labels = [[line.get_label() for line in f.axes[0].lines] for f in drawn if f.axes[0].lines]
    assert labels == [["a/m.py:ARGS", "b/m.py:ARGS"], ["m:args", "b/m.json"]] * 2
    assert drawn[-1].axes[0].get_title() == "m:args and b/m.json"


def test_a_difference_between_backends_is_drawn(tmp_path: Path) -> None:
    """A division by reciprocal is seen in the title and in the marks; none where it is equal."""
    del tmp_path
    args = QuantizationArgs(strategy="channel")

    def divided(x: np.ndarray, s: np.ndarray) -> np.ndarray:
        return np.rint(x / s)

    def multiplied(x: np.ndarray, s: np.ndarray) -> np.ndarray:
        return np.rint(x * (np.float32(1) / s))

    f32 = np.dtype(np.float32)
    differ = pictures.backends(("a", divided), ("b", multiplied), args, f32)
    alike = pictures.backends(("a", divided), ("b", divided), args, f32)
    titles = [figure.axes[0].get_title() for figure in (differ, alike)]
    shares = [float(re.search(r"at ([\d.]+) %", title).group(1)) for title in titles]  # type: ignore[union-attr]
    assert shares[0] > 1
    assert shares[1] == 0
    assert len(differ.axes[0].lines) == 1
    assert not alike.axes[0].lines


def test_codes_without_a_sign_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Backends are compared on codes that have to have a zero-point, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "u4.py").write_text(
        "from qparity.reference import FormatArgs\n"
        "ARGS = FormatArgs(code_format='uint4', symmetric=False)\n"
    )
    assert run(["backends", "u4.py", "numpy", "torch:cpu", "--out", "a.svg"], capsys)[0] == 0


def test_a_difference_everywhere_is_100_percent() -> None:
    """The share is a plain number."""
    args, f32 = QuantizationArgs(strategy="channel"), np.dtype(np.float32)
    same, other = (lambda x, _: x), (lambda x, _: x + np.float32(1e6))
    figure = pictures.backends(("a", same), ("b", other), args, f32)
    assert "differ at 100 % of ties" in figure.axes[0].get_title()


@pytest.mark.parametrize(("low", "high"), [(1, 2), (100, 101), (-3, -2), (-1, 3)])
def test_a_staircase_reaches_beyond_its_range(low: float, high: float) -> None:
    """On both sides, wherever zero is."""
    figure = pictures.staircase(QuantizationArgs(num_bits=4), name="a", low=low, high=high)
    x = np.asarray(figure.axes[0].lines[0].get_xdata())
    assert x.min() < low
    assert x.max() > high


def test_the_numbers_drawn_are_those_of_the_reference() -> None:
    """A range of 7.5 has scale 1 in four bits: values are their codes."""
    args = QuantizationArgs(num_bits=4, group_size=16)
    x = np.array([0.5, 1.5, -9, 6.6], np.float32)
    assert values_of(x, -7.5, 7.5, args).tolist() == [0, 2, -8, 7]
    assert codes_of_row(x, -7.5, 7.5, args).tolist() == [0, 2, -8, 7]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["number-line", "int4", "--out", "a.pdf"], "out: 'a.pdf' is not allowed"),
        (["number-line", "int4", "--out", "gone/a.png"], "out: gone/a.png"),
        (["number-line", "float16", "--out", "a.png"], "format: float16 has 16 bits"),
        (
            ["number-line", "no", "--out", "a.png"],
            "format: 'no' is unknown; allowed: float4_e2m1fn",
        ),
        (["number-line", "no", "--out", "a.png"], "float8_e8m0fnu, uint1"),
        (["staircase", "UNQUANTIZED", "--out", "a.png"], "quantizes nothing"),
        (["staircase", "W8A8", "--range", "1", "1", "--out", "a.png"], "range: 1.0 to 1.0"),
        (["staircase", "W8A8", "--range", "-1e39", "1", "--out", "a.png"], "range: -1e+39 to 1.0"),
        (["staircase", "W8A8", "--range", "-inf", "1", "--out", "a.png"], "range: -inf to 1.0"),
        (["staircase", "W8A8", "--range", "-1e-40", "0", "--out", "a.png"], "range: -1e-40 to 0.0"),
        (["staircase", "W8A8", "--range", "1", "nan", "--out", "a.png"], "range: 1.0 to nan"),
        (["scales", "W8A8", "--tensor", "-1e-40", "--out", "a.png"], "tensor: -1e-40 is not"),
        (["error", *["W8A8"] * 5, "W4A16", "--out", "a.pnG"], "a.pnG"),
        (
            ["error", "W8A8", "W4A16", "FP8", "NVFP4", "MXFP4", "--out", "a.png"],
            "SCHEME: 5 are given",
        ),
        (["scales", *["W8A8", "FP8"] * 2, "W4A16", "NVFP4", "MXFP4", "--out", "a.png"], "5 are"),
        (["scales", "W8A8", "--tensor", "0", "--out", "a.png"], "tensor: 0.0 is not allowed"),
        (["scales", "W8A8", "--tensor", "nan", "--out", "a.png"], "tensor: nan is not allowed"),
        (
            ["histogram", "W8A8", "--weights", str(SAMPLE), "--tensor", "no", "--out", "a.png"],
            "tensor: 'no'",
        ),
        (["backends", "W8A8", "numpy", "nobody", "--out", "a.png"], "'nobody' is unknown"),
        (["backends", "W8A8", "lacking_one", "numpy", "--out", "a.png"], "has no quantize"),
        (["backends", "W4A16", "numpy", "declining_one", "--out", "a.png"], DECLINED),
        (["backends", "W8A8", "textual_one", "numpy", "--out", "a.png"], "actual str"),
        (["backends", "W8A8", "short_one", "numpy", "--out", "a.png"], "(0,); allowed: codes in"),
        (["frobnicate"], "invalid choice"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is wrong is named in one line, the exit code is 2, and no file is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (tmp_path / "lacking_one.py").write_text(MINE + "del quantize\n")
    for name, answer in ANSWERS.items():
        (tmp_path / f"{name}.py").write_text(f"{MINE}def quantize(x, *_):\n    {answer}\n")
    code, out, err = run(arguments, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err
    assert not list(tmp_path.glob("a.*"))


def test_a_missing_matplotlib_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra, the command says which one to install."""
    imported = builtins.__import__

    def without(name: str, *a: object, **k: object) -> object:
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(name)
        return imported(name, *a, **k)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = run(["number-line", "int4", "--out", str(tmp_path / "a.png")], capsys)
    assert (code, err) == (
        2,
        "qparity: plot: matplotlib is not installed; pip install 'qparity[plots]'\n",
    )
