"""``qparity inspect``: exit codes, text, JSON and the page."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qparity.conformance.cli import main
from tests.conformance.damage import DAMAGES, MODULE
from tests.conformance.dask_cluster import ROOT, cluster
from tests.conformance.test_html import HOSTILE, Page
from tests.conformance.test_inspection import DENSE, damaged, golden, several, written


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The command in this process."""
    with pytest.raises(SystemExit) as exit_:
        main(["inspect", *map(str, arguments)])
    captured = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, captured.out, captured.err


def test_a_sound_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0; logical and stored dtypes stand side by side, also the null of a dynamic scheme."""
    for preset, rows in {
        "W4A16_ASYM": ("weight_zero_point | int8 | I32", "weight_scale | null | BF16"),
        "FP8_DYNAMIC": ("input_scale | null | at run time", "weight | float8_e4m3fn | F8_E4M3"),
        "NVFP4": ("weight_scale | float8_e4m3fn | F8_E4M3", "input_scale | null | at run time"),
    }.items():
        code, out, err = run(capsys, written(tmp_path, *golden(preset)), "--against", DENSE)
        assert (code, err) == (0, "")
        cells = [" | ".join(part.strip() for part in line.split("│")) for line in out.splitlines()]
        for row in rows:
            assert any(row in line for line in cells), (preset, row, out)
        assert f"FINE: {tmp_path}: 1 modules, against {DENSE}; 0 other tensors" in out


def test_a_damaged_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1; the violation comes first, in one line with place, bits and what is expected."""
    (damage,) = (d for d in DAMAGES if d.name == "W4A16-scale_nan")
    page, report = tmp_path / "page.html", tmp_path / "report.json"
    folder = damaged(tmp_path, damage)
    code, out, _ = run(capsys, folder, "--json", report, "--html", page)
    assert code == 1
    first = f"VIOLATION scale-nan {MODULE}.weight_scale[7,0]; is 0x7fc0 nan; expected positive"
    assert out.startswith(first)
    assert f"WRONG: {folder}: 1 violations in 1 modules; 0 other tensors" in out
    data = json.loads(report.read_text())
    assert set(data) == {
        *("schema", "checkpoint", "against", "environment", "modules", "findings", "summary")
    }
    assert data["summary"]["exit_code"] == 1
    (finding,) = data["findings"]
    assert (finding["id"], finding["position"], finding["bits"]) == (
        "scale-nan",
        [7, 0],
        "0x7fc0 nan",
    )
    html = Page(page.read_text())
    assert html.faults == []
    assert "✗ scale-nan" in html.texts["td"]


def test_json_on_standard_output_stands_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ``--json -`` standard output is JSON and nothing else."""
    _, out, _ = run(capsys, written(tmp_path, *golden("FP8")), "--json", "-")
    assert json.loads(out)["summary"]["modules"] == 1


def test_nothing_to_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dense model is exit 5."""
    weight = np.ones((2, 4), np.float32)
    code, out, _ = run(capsys, written(tmp_path, {"weight": weight}, {}))
    assert code == 5
    assert out.startswith("NOTHING INSPECTED")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"quantization_config": 3}', "quantization_config is no object"),
        ('{"quantization_config": {"quant_method": "gptq"}}', "no config_groups"),
        ('{"quantization_config": {"config_groups": []}}', "no config_groups"),
        ("[" * 100_000, "nested deeper"),
        (None, "no config.json"),
    ],
)
def test_unreadable_input(
    config: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A config that cannot be read is exit 2, and one line on standard error."""
    written(tmp_path, golden("FP8")[0], {})
    (tmp_path / "config.json").unlink()
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    code, out, err = run(capsys, tmp_path)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


HOSTILE_GROUPS = [
    {"targets": "Linear"},
    {"targets": [3]},
    {"targets": ["re:("]},
    {"targets": [HOSTILE]},
    {"targets": ["Linear"], "weights": 3},
    {"targets": ["Linear"], "weights": {"num_bits": 10**9}},
    {"targets": ["Linear"], "weights": {"group_size": 10**18}},
    {"targets": ["Linear"], "weights": {"strategy": "block", "block_structure": [1, 10**18]}},
    {"targets": ["Linear"], "weights": {"observer_kwargs": [[]]}},
    {"targets": ["Linear"], "weights": {"num_bits": 4}, "format": {"a": HOSTILE}},
    {"targets": ["Linear"], "input_activations": {"dynamic": "now"}},
    3,
    None,
    ["Linear"],
]


@pytest.mark.parametrize("group", HOSTILE_GROUPS, ids=repr)
def test_hostile_groups(group: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A group that makes no sense is a violation in a line, on a page that stays sound."""
    config = {
        "quantization_config": {"config_groups": {HOSTILE: group}, "ignore": [HOSTILE, "re:*"]}
    }
    for preset in ("FP8", "W4A16"):
        folder = written(tmp_path, golden(preset)[0], config)
        page = tmp_path / "page.html"
        code, out, err = run(capsys, folder, "--html", page, "--against", DENSE)
        assert (code, err) == (1, "")
        assert "VIOLATION" in out
        assert Page(page.read_text()).faults == []


def test_expressions_that_never_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expression that backtracks for ever is exit 2 after its time."""
    monkeypatch.setattr("qparity.conformance.inspection.plan._SECONDS_TO_MATCH", 0.2)
    config = {"quantization_config": {"config_groups": {}, "ignore": ["re:([a-z.0-9]+)+$$!"]}}
    folder = written(tmp_path, golden("FP8")[0], config)
    with pytest.raises(SystemExit) as exit_:
        main(["inspect", str(folder)])
    assert exit_.value.code == 2


def test_a_worker_that_dies_changes_nothing(tmp_path: Path) -> None:
    """Workers of a dask cluster, one of which is killed, make the report that one process makes."""
    folder = several(tmp_path)
    reports = []
    with cluster(tmp_path, after=1) as made:
        for options in (("--jobs", "1"), ("--scheduler", made.address)):
            ran = subprocess.run(
                [
                    *(sys.executable, "-P", "-m", "qparity.conformance", "inspect", str(folder)),
                    *("--against", str(folder / "dense"), "--json", "-", *options),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=True,
            )
            reports.append(json.loads(ran.stdout))
        assert made.dying.wait(timeout=60) == -signal.SIGKILL
    assert reports[0] == reports[1]
