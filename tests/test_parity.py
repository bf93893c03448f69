"""The parity atlas: made from its reports, and from nothing else."""

import gzip
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def parity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/parity.py, writing into a folder of its own."""
    spec = importlib.util.spec_from_file_location("parity", ROOT / "docs" / "parity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DATA", tmp_path)
    return module


def report(differing: int) -> dict[str, object]:
    """A report of one check."""
    check = {"op": "quantize", "check": "int8 bfloat16", "status": "FAIL", "cases": 2}
    check |= {"elements": 100, "differing": differing, "declared": {"deviation 1": 3}}
    check |= {"unsupported": 0, "detail": "", "diagnosis": {"fault": "fma"}}
    check["counterexample"] = {"lines": ["x 1", "expected a | b"], "label": "int8"}
    environment = {"torchao": "0.1", "torch": "2"}
    header = {"backend": "torchao:cuda", "level": "quick", "seed": 0, "environment": environment}
    return header | {"checks": [check]}


def test_page_is_that_of_its_reports() -> None:
    """docs/parity.md is what docs/parity.py makes of docs/parity, byte for byte."""
    spec = importlib.util.spec_from_file_location("parity", ROOT / "docs" / "parity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    paths = sorted((ROOT / "docs" / "parity").glob("*.json.gz"))
    assert paths
    assert sum(path.stat().st_size for path in paths) < 1_000_000
    assert module.page(paths) == (ROOT / "docs" / "parity.md").read_text()


def test_row_names_count_cause_example_and_rule(parity: ModuleType, tmp_path: Path) -> None:
    """A row has what differs out of how many, the causes, the case, and the other rule's count."""
    for name, differing in (("ao", 7), ("ao-float32", 0)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(report(differing)))
        parity.add(path, "--compute-dtype float32" if differing == 0 else "")
    page = parity.page(sorted(tmp_path.glob("*.json.gz")))
    assert "### torchao 0.1, cuda\n" in page
    assert "### torchao 0.1, cuda, judged by compute_dtype float32" in page
    assert "`qparity verify torchao:cuda --level quick --compute-dtype float32`" in page
    row = next(line for line in page.splitlines() if "10 of 100" in line)
    assert "fma (7); deviation 1 (3); under compute_dtype float32: 3 differ" in row
    assert "int8: x 1 / expected a \\| b" in row


def test_a_variable_stands_before_the_command(parity: ModuleType, tmp_path: Path) -> None:
    """A variable in the options is set before the command, and the options stand after it."""
    path = tmp_path / "ct.json"
    path.write_text(json.dumps(report(0)))
    parity.add(path, "CT_ENFORCE_EAGER=1 --op quantize")
    page = parity.page([tmp_path / "ct.json.gz"])
    command = "CT_ENFORCE_EAGER=1 qparity verify torchao:cuda --level quick --op quantize"
    assert f"\n`{command}`, seed 0" in page


def test_a_check_in_error_says_so(parity: ModuleType, tmp_path: Path) -> None:
    """What a check in error says stands in its row, with the number of such checks."""
    unstable = report(7)
    checks = unstable["checks"]
    assert isinstance(checks, list)
    checks[0] |= {"status": "ERROR", "detail": "answers differently"}
    path = tmp_path / "ao.json"
    path.write_text(json.dumps(unstable))
    parity.add(path, "")
    page = parity.page([tmp_path / "ao.json.gz"])
    assert "deviation 1 (3); answers differently (1 of 1 checks)" in page


def test_sections_are_in_the_order_of_their_names(parity: ModuleType, tmp_path: Path) -> None:
    """A report stands before the reports whose names begin with its own."""
    for name, options in (("ao-float32", "--compute-dtype float32"), ("ao", "")):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(report(7)))
        parity.add(path, options)
    page = parity.page(sorted(tmp_path.glob("*.json.gz")))
    assert page.index("### torchao 0.1, cuda\n") < page.index("### torchao 0.1, cuda, judged")


def test_inputs_are_the_same_for_the_same_report(parity: ModuleType, tmp_path: Path) -> None:
    """Adding a report twice gives the same bytes, and keeps no host or path."""
    path = tmp_path / "ao.json"
    path.write_text(json.dumps(report(7)))
    parity.add(path, "")
    first = (tmp_path / "ao.json.gz").read_bytes()
    parity.add(path, "")
    assert (tmp_path / "ao.json.gz").read_bytes() == first
    assert "case_file" not in gzip.decompress(first).decode()
