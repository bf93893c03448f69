"""Whole models that compressed-tensors compressed and saved, inspected."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from qparity.conformance.inspection import VIOLATION, inspect_checkpoint
from qparity.conformance.weights import weight_presets
from tests.peers.whole_model import save_compressed

IGNORED = ["pooler.dense"]


def sentence_model() -> BertModel:
    """A small model of the kind that embeds sentences, in bfloat16, from a fixed seed."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=16,
    )
    return BertModel(config).to(torch.bfloat16)


@pytest.mark.parametrize("preset", weight_presets())
def test_what_upstream_saves_is_fine(preset: str, tmp_path: Path) -> None:
    """Every layer of a model that upstream compressed is what its config and dense weights say."""
    model = sentence_model()
    model.save_pretrained(tmp_path / "dense")
    save_compressed(model, preset, tmp_path / "compressed", IGNORED)
    inspection = inspect_checkpoint(tmp_path / "compressed", tmp_path / "dense")
    assert [f.line for f in inspection.findings if f.severity == VIOLATION] == []
    assert inspection.exit_code == 0
    assert len(inspection.modules) == 12
    assert {m.calibration for m in inspection.modules} == {"min/max, codes recomputed alike"}
