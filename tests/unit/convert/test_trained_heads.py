"""The training of the four families' heads, at a tiny size: it runs, and what it saves is answered as torch does."""

import json
import re
from pathlib import Path

import pytest
import torch
import transformers

from bundles.sources import source_resolver
from convert.pipeline import Conversion
from tests.full_size.trained_heads import LABELS, main, train_and_compare
from tests.full_size.trained_heads_page import section
from tests.support.checkpoints import SENTENCES, write_xlm_sentencepiece

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore")]


def write_base(folder: Path) -> Path:
    """An encoder of six layers as `e5-small-ko` is one: no pooler, SentencePiece's ids, float16."""
    folder.mkdir()
    write_xlm_sentencepiece(folder / "sentencepiece.model")
    torch.manual_seed(20)
    config = transformers.BertConfig(
        vocab_size=200, hidden_size=64, num_hidden_layers=6, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=128, pad_token_id=1,
    )  # fmt: skip
    transformers.BertModel(config, add_pooling_layer=False).half().save_pretrained(folder)
    return folder


def write_rows(path: Path) -> Path:
    rows = [
        {"text": f"{SENTENCES[index % 5]} {index}", "labels": [LABELS[index % 3]], "split": split}
        for index in range(60)
        for split in (["dev"] if index % 4 == 0 else ["train"])
    ]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    return path


def test_every_family_answers_as_torch_with_a_head_that_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_resolver, "convert", lambda request, on_report: Conversion(request, on_report).run())
    base, data = write_base(tmp_path / "base"), write_rows(tmp_path / "rows.jsonl")
    results = train_and_compare(tmp_path / "work", base, data)
    assert [result.family for result in results] == ["BERT", "RoBERTa", "ELECTRA", "DistilBERT"]
    for result in results:
        assert result.float_difference < 1e-4, result
        assert result.labels_equal >= result.rows - 2, result
    assert "| ELECTRA | " in section(results, "en")


def test_without_the_encoder_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(tmp_path), "--base", str(tmp_path / "no"), "--data", str(tmp_path / "none")])
    assert code == 0
    assert "skipped" in capsys.readouterr().out


def test_both_pages_show_the_same_figures() -> None:
    pages = [(ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("own-model.md", "own-model.ko.md")]
    shown = [
        re.findall(r"^\| `[\w-]+` \| (?:BERT|RoBERTa|ELECTRA|DistilBERT) \| \d.*$", page, re.MULTILINE)
        for page in pages
    ]
    assert len(shown[0]) in {4, 8}
    assert shown[0] == shown[1]
